"""By what `gateway sign` signs: a private key and its certificate, read and held together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from asn1crypto import keys, pem, x509

from gateway import sentences
from gateway.algorithms import pkcs11, standard
from gateway.algorithms.interface import Algorithms, Unsupported
from gateway.cli import files
from gateway.cli.output import Failed, Output, Wrong
from gateway.signatures.sign_cms import scheme_of
from gateway.signatures.stamping import Stamp

PROBE = b"Is this key the certificate's?"


@dataclass(frozen=True, kw_only=True)
class Signer:
    """A key, the certificates that go with it, and what signs by it."""

    key: bytes
    """PKCS#8 DER; empty for a key that stays in its token."""

    chain: list[bytes]
    """DER, the signer's own first."""

    algorithms: Algorithms
    stamp: Stamp | None = None
    """What gives a token over the signature's value."""

    @property
    def certificate(self) -> x509.Certificate:
        return x509.Certificate.load(self.chain[0], strict=True)

    @property
    def imprint(self) -> str:
        """The digest a time stamp should be by: the one the signer's own key goes with."""
        try:
            return scheme_of(self.certificate).digest
        except ValueError:
            return "sha256"  # Keys that only JWS has a name for; whether one signs is asked later.


def read(out: Output, key: str, certificate: Path) -> Signer:
    """Return the signer that the options name.

    `key` is a file or the URI of a key in a token.  Raises Wrong for what is no key, no
    certificate, or not a pair; Failed when the token fails.
    """
    chain = _chain(out, certificate)
    octets, algorithms = _key(out, key)
    signer = Signer(key=octets, chain=chain, algorithms=algorithms)
    _require_pair(out, signer)
    return signer


def warn_out_of_term(out: Output, path: Path, signer: Signer, now: datetime) -> None:
    """Say on stderr that nobody will accept what is signed by this certificate today.

    It is signed all the same: tests and integrators need such signatures too.
    """
    term = signer.certificate["tbs_certificate"]["validity"]
    begins, ends = term["not_before"].native, term["not_after"].native
    if now > ends:
        out.note(
            out.say(
                f"внимание: {path}: сертификат кончился {ends:%Y-%m-%d}, проверка такую подпись"
                " не примет; возьмите действующий",
                f"warning: {path}: the certificate ended on {ends:%Y-%m-%d}, no check will pass"
                " the signature; take a current one",
            )
        )
    elif now < begins:
        out.note(
            out.say(
                f"внимание: {path}: сертификат начнёт действовать {begins:%Y-%m-%d}, проверка"
                " подпись этого дня не примет; возьмите действующий",
                f"warning: {path}: the certificate begins on {begins:%Y-%m-%d}, no check will pass"
                " a signature of today; take a current one",
            )
        )


def _require_pair(out: Output, signer: Signer) -> None:
    """Raise Wrong when the key is another's: by a signature, for a key in a token shows no more."""
    said = "закрытый ключ не от этого сертификата", "the private key is not this certificate's"
    other = Wrong(f"--key, --cert: {out.say(*said)}")
    try:
        scheme = scheme_of(signer.certificate)
    except ValueError:
        return  # Keys that only JWS has a name for; whether one signs is asked later.
    try:
        value = signer.algorithms.sign(signer.key, scheme, PROBE)
    except pkcs11.TokenFault as error:
        raise Failed(f"--key: {sentences.say(str(error), out.language)}") from error
    except (ValueError, TypeError) as error:
        raise other from error
    except Unsupported as error:
        raise Wrong(str(error)) from error
    if not signer.algorithms.verify(signer.certificate.public_key.dump(), scheme, PROBE, value):
        raise other


def _key(out: Output, key: str) -> tuple[bytes, Algorithms]:
    """Return a private key and what signs by it; a key in a token has no octets."""
    algorithms = standard()
    if not pkcs11.is_uri(key):
        if not Path(key).is_file():
            raise Wrong(out.say(f"--key {key}: нет файла", f"--key {key}: no file"))
        return _private_key(out, Path(key)), algorithms
    try:
        return b"", pkcs11.TokenSigner(algorithms, pkcs11.read_uri(key))
    except (pkcs11.TokenFault, Unsupported) as error:
        raise Wrong(f"--key: {sentences.say(str(error), out.language)}") from error


def _private_key(out: Output, path: Path) -> bytes:
    octets = _plain(out, "--key", path)[0]
    try:
        keys.PrivateKeyInfo.load(octets, strict=True)["private_key_algorithm"].native  # noqa: B018
    except (ValueError, TypeError, KeyError) as error:
        said = "это не закрытый ключ PKCS#8 (PEM, DER)", "not a PKCS#8 private key (PEM, DER)"
        raise Wrong(f"--key {path}: {out.say(*said)}") from error
    return octets


def _chain(out: Output, path: Path) -> list[bytes]:
    chain = _plain(out, "--cert", path)
    try:
        for one in chain:
            x509.Certificate.load(one, strict=True).serial_number  # noqa: B018
    except (ValueError, TypeError, KeyError) as error:
        said = "это не сертификат X.509 (PEM, DER)", "not an X.509 certificate (PEM, DER)"
        raise Wrong(f"--cert {path}: {out.say(*said)}") from error
    return chain


def _plain(out: Output, option: str, path: Path) -> list[bytes]:
    """Return the DER objects in a PEM or DER file."""
    octets = files.own(out, option, path)
    if not pem.detect(octets):
        return [octets]
    try:
        return [der for _, _, der in pem.unarmor(octets, multiple=True)]
    except ValueError as error:
        raise Wrong(f"{option} {path}: PEM") from error
