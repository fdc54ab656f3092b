"""What an algorithm provider promises, and the one face all of them are used through.

The same face serves the built-in providers and a certified tool put in their place.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.algorithms import policy as policies
from gateway.algorithms.policy import AlgorithmPolicy

DIGESTS = (
    "md5",
    "sha1",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "sha3_224",
    "sha3_256",
    "sha3_384",
    "sha3_512",
    "shake256",
    "streebog256",
    "streebog512",
    "gost94",
)
"""Names of digests, as used throughout the gateway."""


class Unsupported(Exception):
    """No provider at hand computes this algorithm; the answer is unknown, not bad."""


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """How a signature value is computed: key family, digest, padding."""

    family: str
    """`rsa`, `rsa-pss`, `ecdsa`, `ed25519`, `ed448`, `gost256`, `gost512`, `gost2001`."""

    digest: str

    encoding: str = "der"
    """For ecdsa: `der` (CMS, X.509) or `raw` (r||s: XMLDSig, JWS).  Ignored by the others."""

    salt_length: int | None = None
    """For rsa-pss; None means the digest's length."""

    mask_digest: str = ""
    """For rsa-pss: the digest of MGF1; empty means the signature's own."""


class Provider(Protocol):
    """One source of mathematics for some key families."""

    NAME: str
    """Shown in reports and by `gateway doctor`: `cryptography`, `gost-engine`, `gostcrypto`."""

    CERTIFIED: bool
    """Whether it is a tool of confirmed conformity (63-ФЗ, article 11, part 3)."""

    FAMILIES: tuple[str, ...]
    DIGESTS: tuple[str, ...]

    def digest(self, name: str, octets: bytes) -> bytes: ...

    def verify(self, key: bytes, scheme: Scheme, octets: bytes, signature: bytes) -> bool:
        """Verify over `octets`; `key` is SubjectPublicKeyInfo, DER.

        A malformed key or signature is False, never an exception.
        """

    def sign(self, key: bytes, scheme: Scheme, octets: bytes) -> bytes:
        """Sign `octets`; `key` is unencrypted PKCS#8, DER.  For tests, sandbox and senders."""

    def generate(self, family: str) -> tuple[bytes, bytes]:
        """Return a fresh (private key PKCS#8 DER, public key SubjectPublicKeyInfo DER)."""


class Algorithms:
    """All providers as one: each digest and key family goes to the first that knows it.

    It carries the policy that says what a verdict may rest on, and the moment it is asked for.
    """

    def __init__(self, *providers: Provider) -> None:
        self.providers = providers
        self.policy = policies.standard()
        self.moment: datetime | None = None
        """The best signature time; None refuses whatever has an end."""

    def under(self, policy: AlgorithmPolicy) -> Algorithms:
        """Return the same mathematics under another policy."""
        other = copy.copy(self)
        other.policy = policy
        return other

    def at(self, moment: datetime) -> Algorithms:
        """Return the same mathematics judged at `moment`.

        A signature that is INDETERMINATE with CRYPTO_CONSTRAINTS_FAILURE now may be checked
        again at the earlier time that one of its time stamps, judged now, proves.
        """
        other = copy.copy(self)
        other.moment = moment
        return other

    def refused(self, what: Scheme | str, bits: int = 0) -> str | None:
        """Return why the policy lets no verdict of that moment rest on `what`, or None.

        `what` is a digest's name, or a scheme with a key of `bits`.
        """
        return self.policy.judge(what, bits, self.moment)

    def digest(self, name: str, octets: bytes) -> bytes:
        """Return the digest of `octets`.  Raises Unsupported."""
        return self._for_digest(name).digest(name, octets)

    def verify(self, key: bytes, scheme: Scheme, octets: bytes, signature: bytes) -> bool:
        """Return whether `signature` over `octets` holds for public key `key` (SPKI DER).

        Raises Unsupported when no provider knows the key family.
        """
        return self.provider(scheme.family).verify(key, scheme, octets, signature)

    def sign(self, key: bytes, scheme: Scheme, octets: bytes) -> bytes:
        """Return a signature over `octets` by private key `key` (PKCS#8 DER)."""
        return self.provider(scheme.family).sign(key, scheme, octets)

    def generate(self, family: str) -> tuple[bytes, bytes]:
        """Return a fresh key pair: (PKCS#8 DER, SubjectPublicKeyInfo DER)."""
        return self.provider(family).generate(family)

    def provider(self, family: str) -> Provider:
        """Return the provider of a key family.  Raises Unsupported."""
        for provider in self.providers:
            if family in provider.FAMILIES:
                return provider
        raise Unsupported(family)

    def _for_digest(self, name: str) -> Provider:
        for provider in self.providers:
            if name in provider.DIGESTS:
                return provider
        raise Unsupported(name)
