"""`gateway sign`: sign a file, for integrators and tests."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click
from asn1crypto import keys, pem, x509

from gateway.algorithms import pkcs11, standard
from gateway.algorithms.interface import Algorithms, Unsupported
from gateway.cli.output import Failed, Output, Wrong, options, translated
from gateway.cli.stamps import stamper
from gateway.errors import GatewayError
from gateway.signatures.sign import Form, sign, sign_bundle
from gateway.signatures.sign_cms import scheme_of
from gateway.signatures.stamping import NotStamped, Stamp
from gateway.xml.parser import is_xml

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FORMATS = ("cades", "jws", "pades", "xades", "xmldsig")
ENVELOPED = ("pades", "xades", "xmldsig")
NOT_A_KEY = translated("это не закрытый ключ PKCS#8", "not a PKCS#8 private key")
NOT_A_PAIR = translated(
    "закрытый ключ не от этого сертификата", "the private key is not this certificate's"
)
PROBE = b"Is this key the certificate's?"
NOT_A_PLACE = translated("нет такой папки, или это папка", "no such folder, or a folder itself")
NOT_A_CERTIFICATE = translated("это не сертификат X.509", "not an X.509 certificate")


@click.command(
    "sign",
    help=translated(
        "Подписать файл ключом ГОСТ, RSA или ECDSA. XML по умолчанию получает подпись XAdES"
        " внутри, остальное: CAdES (или JWS) отдельным файлом; пакет FHIR можно подписать"
        " внутри, в Bundle.signature (--inside), а PDF: --format pades.",
        "Sign a file with a GOST, RSA or ECDSA key. XML gets a XAdES signature inside by"
        " default, anything else a CAdES (or JWS) signature in a file of its own; a FHIR bundle"
        " can be signed inside, in Bundle.signature (--inside), and a PDF by --format pades.",
    ),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--key",
    required=True,
    help=translated(
        "Закрытый ключ PKCS#8 (PEM, DER) или URI ключа в токене (pkcs11:…).",
        "Private key, PKCS#8 (PEM, DER), or the URI of a key in a token (pkcs11:…).",
    ),
)
@click.option(
    "--cert",
    required=True,
    type=_FILE,
    help=translated("Сертификат и цепочка (PEM, DER).", "Certificate and chain (PEM, DER)."),
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help=translated("Вид подписи.", "Its form.")
)
@click.option(
    "--attached",
    is_flag=True,
    help=translated("CAdES, JWS с содержимым внутри.", "CAdES, JWS with the content inside."),
)
@click.option(
    "--inside",
    is_flag=True,
    help=translated("Подпись в Bundle.signature.", "The signature in Bundle.signature."),
)
@click.option(
    "-T",
    "--timestamp",
    "stamped",
    is_flag=True,
    help=translated(
        "Со штампом времени (CAdES-T, XAdES-T, PAdES-T, JAdES-T) от службы --tsa.",
        "With a time stamp (CAdES-T, XAdES-T, PAdES-T, JAdES-T) by the authority --tsa.",
    ),
)
@click.option(
    "--tsa",
    metavar="URL",
    help=translated("Адрес службы штампов (RFC 3161).", "Time-stamping authority (RFC 3161)."),
)
@click.option(
    "--out",
    "target",
    type=click.Path(allow_dash=True),
    help=translated("Куда писать; иначе рядом с файлом.", "Where to write; else beside the file."),
)
@options
def command(
    out: Output,
    file: str,
    key: str,
    cert: Path,
    form: str | None,
    attached: bool,
    inside: bool,
    stamped: bool,
    tsa: str | None,
    target: str | None,
) -> None:
    if stamped is not (tsa is not None):
        raise Wrong(out.say("-T и --tsa идут вместе", "-T and --tsa go together"))
    octets = read(file)
    xml = is_xml(octets[:64]) and not attached and not inside
    form = form or ("xades" if xml else "cades")
    if (attached or inside) and (form in ENVELOPED or attached is inside):
        said = "--attached или --inside, для cades и jws", "--attached or --inside, for cades, jws"
        raise Wrong(out.say(*said))
    chain = _chain(cert)
    octets_of_key, algorithms = _key(out, key)
    _require_pair(octets_of_key, chain, algorithms)
    stamp = stamper(tsa, _imprint(chain), algorithms) if tsa is not None else None
    signing = Signing(key=octets_of_key, chain=chain, algorithms=algorithms, stamp=stamp)
    signed = _signed(out, octets, signing, cast("Form", form), attached, inside)
    place = target or _beside(file, form, attached, inside)
    if place == "-":
        sys.stdout.buffer.write(signed)
        return
    try:
        Path(place).write_bytes(signed)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise Wrong(f"--out {place}: {NOT_A_PLACE}") from error
    out.data({"out": place, "format": form, "bytes": len(signed)})
    out.text(f"{out.mark(True)} {place}")


@dataclass(frozen=True, kw_only=True)
class Signing:
    """With what a file is signed."""

    key: bytes
    chain: list[bytes]
    algorithms: Algorithms
    stamp: Stamp | None


def _signed(
    out: Output, octets: bytes, by: Signing, form: Form, attached: bool, inside: bool
) -> bytes:
    at = datetime.now(UTC)
    try:
        if inside:
            return sign_bundle(
                octets,
                key=by.key,
                chain=by.chain,
                algorithms=by.algorithms,
                form=form,
                at=at,
                stamp=by.stamp,
            )
        return sign(
            octets,
            key=by.key,
            chain=by.chain,
            algorithms=by.algorithms,
            form=form,
            detached=not attached,
            at=at,
            stamp=by.stamp,
        )
    except GatewayError as error:
        raise Wrong("; ".join(out.reason(one) for one in error.problems)) from error
    except NotStamped as error:
        raise Failed(f"--tsa: {error}") from error
    except pkcs11.TokenFault as error:
        raise Failed(f"--key: {error}") from error
    except (ValueError, Unsupported) as error:
        raise Wrong(str(error)) from error


def _require_pair(key: bytes, chain: list[bytes], algorithms: Algorithms) -> None:
    """Raise Wrong when the key is another's: by a signature, for a key in a token shows no more."""
    certificate = x509.Certificate.load(chain[0], strict=True)
    try:
        scheme = scheme_of(certificate)
    except ValueError:
        return  # Keys that only JWS has a name for; whether one signs is asked later.
    try:
        value = algorithms.sign(key, scheme, PROBE)
    except pkcs11.TokenFault as error:
        raise Failed(f"--key: {error}") from error
    except (ValueError, TypeError) as error:
        raise Wrong(f"--key, --cert: {NOT_A_PAIR}") from error
    except Unsupported as error:
        raise Wrong(str(error)) from error
    if not algorithms.verify(certificate.public_key.dump(), scheme, PROBE, value):
        raise Wrong(f"--key, --cert: {NOT_A_PAIR}")


def _imprint(chain: list[bytes]) -> str:
    """Return the digest a time stamp should be by: the one the signer's own key goes with."""
    try:
        return scheme_of(x509.Certificate.load(chain[0], strict=True)).digest
    except ValueError:
        return "sha256"  # Keys that only JWS has a name for; whether one signs is asked later.


def read(file: str) -> bytes:
    """Return the bytes of a file, or of standard input for `-`."""
    if file == "-":
        return sys.stdin.buffer.read()
    return Path(file).read_bytes()


def _beside(file: str, form: str, attached: bool, inside: bool) -> str:
    """Return where the result goes when nobody said: beside the file, never over it."""
    if file == "-":
        return "-"
    path = Path(file)
    if form not in ENVELOPED and not inside:
        ends = {"cades": ("sig", "p7m"), "jws": ("jws", "jose")}[form]
        return f"{path}.{ends[attached]}"
    return str(path.with_name(f"{path.stem}.signed{path.suffix}"))


def _key(out: Output, key: str) -> tuple[bytes, Algorithms]:
    """Return a private key and what signs by it; a key in a token has no octets."""
    algorithms = standard()
    if not pkcs11.is_uri(key):
        if not Path(key).is_file():
            raise Wrong(out.say(f"--key {key}: нет файла", f"--key {key}: no file"))
        return _private_key(Path(key)), algorithms
    try:
        return b"", pkcs11.TokenSigner(algorithms, pkcs11.read_uri(key))
    except (pkcs11.TokenFault, Unsupported) as error:
        raise Wrong(f"--key: {error}") from error


def _private_key(path: Path) -> bytes:
    octets = _plain(path)[0]
    try:
        keys.PrivateKeyInfo.load(octets, strict=True)["private_key_algorithm"].native  # noqa: B018
    except (ValueError, TypeError, KeyError) as error:
        raise Wrong(f"{path}: {NOT_A_KEY}") from error
    return octets


def _chain(path: Path) -> list[bytes]:
    chain = _plain(path)
    try:
        for one in chain:
            x509.Certificate.load(one, strict=True).serial_number  # noqa: B018
    except (ValueError, TypeError, KeyError) as error:
        raise Wrong(f"{path}: {NOT_A_CERTIFICATE}") from error
    return chain


def _plain(path: Path) -> list[bytes]:
    """Return the DER objects in a PEM or DER file."""
    octets = path.read_bytes()
    if not pem.detect(octets):
        return [octets]
    try:
        return [der for _, _, der in pem.unarmor(octets, multiple=True)]
    except ValueError as error:
        raise Wrong(f"{path}: PEM") from error
