"""Lets pyhanko-certvalidator compute with our algorithms.

Its documented hook is `ValidationContext(signature_validator=…)`.  Version 0.33.0 forgets the
hook in the nested context of a delegated OCSP responder with id-pkix-ocsp-nocheck and takes
the module's default class there, so that default is ours too; it finds the algorithms of
the judgement under way in a context variable.

Source: GOST measurements of the library; RFC 6960, section 4.2.2.2.1.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pyhanko_certvalidator.context
from asn1crypto import algos, keys, x509
from cryptography.exceptions import InvalidSignature
from pyhanko_certvalidator.errors import AlgorithmNotSupported
from pyhanko_certvalidator.sig_validate import (
    DEFAULT_VALIDATION_CONTEXT,
    DefaultSignatureValidator,
    SignatureValidationContext,
)

from gateway.algorithms.asn1 import MALFORMED, Mismatch, scheme_of_certificate_signature
from gateway.algorithms.interface import Algorithms, Unsupported

_ONE_SIZE = {"gost256": 256, "gost512": 512, "gost2001": 256, "ed25519": 256, "ed448": 448}


def strength(family: str, key: keys.PublicKeyInfo) -> int:
    """Return the size of a key as the policy of algorithms counts it, in bits."""
    return _ONE_SIZE[family] if family in _ONE_SIZE else int(key.bit_size)


class Bench:
    """One judgement's algorithms, and what went wrong with signatures during it."""

    def __init__(self, algorithms: Algorithms, *, weak: bool = False) -> None:
        self.algorithms = algorithms
        self.weak = weak
        """Whether the library's own DSA may stand in where ours has none."""

        self._complete: dict[bytes, keys.PublicKeyInfo] = {}
        self.broken: set[bytes] = set()
        """Signed octets whose signature does not hold."""

        self.held: tuple[bytes, bytes, bytes] | None = None
        """The key, signed octets and signature that were found to hold last."""

        self.unsupported: str = ""
        """Why an algorithm that was met carries no verdict, if one was."""

    def with_parameters(self, key: keys.PublicKeyInfo) -> keys.PublicKeyInfo:
        """Return a DSA key with the parameters it inherits from its issuer's.

        The library completes the key for certificates (RFC 5280, 6.1.4 (f)) and forgets to
        for the lists of the same authority, which come up after them.
        """
        number = bytes(key["public_key"])
        if key.hash_algo is not None:
            self._complete[number] = key
        return self._complete.get(number, key)


_BENCH: ContextVar[Bench] = ContextVar("trust_bench")


@contextmanager
def at_work(bench: Bench) -> Iterator[None]:
    """Make `bench` the one the library computes on, in this thread, for a while."""
    token = _BENCH.set(bench)
    try:
        yield
    finally:
        _BENCH.reset(token)


class SignatureChecker(DefaultSignatureValidator):
    """Checks signatures of certificates, lists and OCSP responses by our algorithms."""

    def validate_signature(
        self,
        signature: bytes,
        signed_data: bytes,
        public_key_info: keys.PublicKeyInfo,
        signature_algorithm: algos.SignedDigestAlgorithm,
        context: SignatureValidationContext = DEFAULT_VALIDATION_CONTEXT,
    ) -> None:
        assert not context.prehashed, "Nothing on this path is hashed beforehand."
        bench = _BENCH.get()
        asked = (public_key_info.dump(), signed_data, signature)
        if asked == bench.held:
            return
        try:
            scheme = scheme_of_certificate_signature(public_key_info, signature_algorithm)
            refused = bench.algorithms.refused(scheme, strength(scheme.family, public_key_info))
            if refused:
                bench.unsupported = refused
                raise AlgorithmNotSupported(refused)
            holds = bench.algorithms.verify(public_key_info.dump(), scheme, signed_data, signature)
        except Unsupported as error:
            if bench.weak and public_key_info.algorithm == "dsa":
                full = bench.with_parameters(public_key_info)
                super().validate_signature(
                    signature, signed_data, full, signature_algorithm, context
                )
                return
            bench.unsupported = f"unsupported: {error}"
            raise AlgorithmNotSupported(str(error)) from error
        except (Mismatch, *MALFORMED):
            holds = False
        if not holds:
            bench.broken.add(signed_data)
            raise InvalidSignature
        bench.held = asked


def _digest_property(name: str) -> Any:
    def digest(self: Any) -> bytes:
        # A key is hashed without tag, length and unused bits (RFC 6960, section 4.1.1).
        octets = bytes(self["public_key"]) if isinstance(self, keys.PublicKeyInfo) else self.dump()
        return _BENCH.get().algorithms.digest(name, octets)

    return property(digest)


OCSP_DIGESTS = ("sha1", "sha224", "sha256", "sha384", "sha512", "streebog256", "streebog512")
"""Digests an OCSP response may name its certificate by."""


def _install() -> None:
    # It logs names out of certificates with tracebacks; the finding says all that matters.
    logging.getLogger("pyhanko_certvalidator").setLevel(logging.CRITICAL + 1)
    pyhanko_certvalidator.context.DefaultSignatureValidator = SignatureChecker  # type: ignore[attr-defined]
    # The library asks names and keys for the digest an OCSP request was made with.
    for name in OCSP_DIGESTS:
        for kind in (x509.Name, keys.PublicKeyInfo):
            if not hasattr(kind, name):
                setattr(kind, name, _digest_property(name))


_install()
