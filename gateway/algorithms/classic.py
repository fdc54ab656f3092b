"""RSA, RSASSA-PSS, ECDSA (brainpool too) and EdDSA over the `cryptography` library.

Old digests are computed as well: whether anything may rest on them is for the policy.

Source: RFC 8017 (RSA), FIPS 186-5 (ECDSA), RFC 4055 (PSS keys in X.509), RFC 8032 (EdDSA),
FIPS 202 (SHA-3; SHAKE256 of 512 bits as RFC 8419 uses it).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from asn1crypto import keys
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from gateway.algorithms.asn1 import MALFORMED
from gateway.algorithms.interface import Scheme, Unsupported

RSA_BITS = 2048
"""Of the keys we make; what we accept is the policy's business."""

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "md5": hashes.MD5(),  # noqa: S303 (historic signatures; policy judges it)
    "sha1": hashes.SHA1(),  # noqa: S303 (historic signatures; policy judges it)
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sha3_224": hashes.SHA3_224(),
    "sha3_256": hashes.SHA3_256(),
    "sha3_384": hashes.SHA3_384(),
    "sha3_512": hashes.SHA3_512(),
}
_SHAKE256_BYTES = 64


_EDWARDS = {"ed25519": ed25519.Ed25519PublicKey, "ed448": ed448.Ed448PublicKey}
PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)


class Classic:
    """The provider of the international algorithms."""

    NAME = "cryptography"
    CERTIFIED = False
    FAMILIES: tuple[str, ...] = ("rsa", "rsa-pss", "ecdsa", "ed25519", "ed448")
    DIGESTS: tuple[str, ...] = (*_HASHES, "shake256")

    def digest(self, name: str, octets: bytes) -> bytes:
        if name == "shake256":
            return hashlib.shake_256(octets).digest(_SHAKE256_BYTES)
        if name not in _HASHES:
            raise Unsupported(name)
        return hashlib.new(name, octets, usedforsecurity=False).digest()

    def verify(self, key: bytes, scheme: Scheme, octets: bytes, signature: bytes) -> bool:
        public = _public_key(key)
        if scheme.family in _EDWARDS:
            return _edwards_holds(public, scheme.family, octets, signature)
        digest = _hash(scheme)
        try:
            if isinstance(public, rsa.RSAPublicKey) and scheme.family in ("rsa", "rsa-pss"):
                public.verify(signature, octets, _padding(scheme, digest), digest)
                return True
            if isinstance(public, ec.EllipticCurvePublicKey) and scheme.family == "ecdsa":
                if scheme.encoding == "raw":
                    signature = _der_from_raw(signature, public.curve)
                public.verify(signature, octets, ec.ECDSA(digest))
                return True
        except (InvalidSignature, ValueError, TypeError):
            return False
        return False

    def sign(self, key: bytes, scheme: Scheme, octets: bytes) -> bytes:
        try:
            private = serialization.load_der_private_key(key, password=None)
        except UnsupportedAlgorithm as error:
            raise ValueError(f"The key is not of the family {scheme.family}.") from error
        if scheme.family in _EDWARDS and isinstance(
            private, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
        ):
            return private.sign(octets)
        digest = _hash(scheme)
        if isinstance(private, rsa.RSAPrivateKey) and scheme.family in ("rsa", "rsa-pss"):
            return private.sign(octets, _padding(scheme, digest), digest)
        if isinstance(private, ec.EllipticCurvePrivateKey) and scheme.family == "ecdsa":
            signature = private.sign(octets, ec.ECDSA(digest))
            if scheme.encoding == "raw":
                return _raw_from_der(signature, private.curve)
            return signature
        raise ValueError(f"The key is not of the family {scheme.family}.")

    def generate(self, family: str) -> tuple[bytes, bytes]:
        private: PrivateKey
        if family in ("rsa", "rsa-pss"):
            private = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
        elif family == "ecdsa":
            private = ec.generate_private_key(ec.SECP256R1())
        elif family == "ed25519":
            private = ed25519.Ed25519PrivateKey.generate()
        elif family == "ed448":
            private = ed448.Ed448PrivateKey.generate()
        else:
            raise Unsupported(family)
        return (
            private.private_bytes(
                serialization.Encoding.DER,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            private.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
        )


def _edwards_holds(public: object, family: str, octets: bytes, signature: bytes) -> bool:
    kinds = ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
    if not isinstance(public, kinds) or not isinstance(public, _EDWARDS[family]):
        return False
    try:
        public.verify(signature, octets)
    except (InvalidSignature, ValueError):
        return False
    return True


def _hash(scheme: Scheme) -> hashes.HashAlgorithm:
    if scheme.digest not in _HASHES:
        raise Unsupported(f"{scheme.family} with {scheme.digest}")
    return _HASHES[scheme.digest]


def _padding(scheme: Scheme, digest: hashes.HashAlgorithm) -> padding.AsymmetricPadding:
    if scheme.family == "rsa":
        return padding.PKCS1v15()
    salt = digest.digest_size if scheme.salt_length is None else scheme.salt_length
    mask = _hash(replace(scheme, digest=scheme.mask_digest)) if scheme.mask_digest else digest
    return padding.PSS(mgf=padding.MGF1(mask), salt_length=salt)


def _public_key(key: bytes) -> object:
    """Return the loaded key, or None for what is no key.  Raises Unsupported."""
    try:
        info = keys.PublicKeyInfo.load(key, strict=True)
        if info["algorithm"]["algorithm"].native == "rsassa_pss":
            # `cryptography` takes plain RSA keys only; the scheme already says PSS.
            info = keys.PublicKeyInfo(
                {
                    "algorithm": {"algorithm": "rsa"},
                    "public_key": info["public_key"].parsed,
                }
            )
            key = info.dump()
        return serialization.load_der_public_key(key)
    except UnsupportedAlgorithm as error:
        raise Unsupported(str(error)) from error
    except MALFORMED:
        return None


def _size(curve: ec.EllipticCurve) -> int:
    return (curve.key_size + 7) // 8


def _der_from_raw(signature: bytes, curve: ec.EllipticCurve) -> bytes:
    size = _size(curve)
    if len(signature) != 2 * size:
        raise ValueError("A raw ECDSA signature is exactly two field elements long.")
    return encode_dss_signature(
        int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    )


def _raw_from_der(signature: bytes, curve: ec.EllipticCurve) -> bytes:
    r, s = decode_dss_signature(signature)
    return r.to_bytes(_size(curve), "big") + s.to_bytes(_size(curve), "big")
