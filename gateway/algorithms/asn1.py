"""Teaches asn1crypto the Russian algorithms, and binds signature algorithms to keys.

Importing this module registers the GOST object identifiers (once, however often it is
imported).  `scheme_for` and `scheme_of_certificate_signature` are the only ways from ASN.1
to a `Scheme`: they refuse a signature algorithm that does not belong to the key, because a
verifier that trusts the algorithm field alone can be talked into another algorithm.

Source: RFC 9215 (GOST in X.509), RFC 9385 (GOST in CMS), R 1323565.1.023-2018;
RFC 4055 (RSASSA-PSS), RFC 5758 (ECDSA), RFC 8419 (EdDSA in CMS).
"""

from __future__ import annotations

from typing import Any

from asn1crypto import algos, core, keys, x509

from gateway.algorithms import asn1_octets  # noqa: F401
from gateway.algorithms.interface import DIGESTS, Scheme, Unsupported

KEY_OIDS = {
    "1.2.643.7.1.1.1.1": "gost2012_256",
    "1.2.643.7.1.1.1.2": "gost2012_512",
    "1.2.643.2.2.19": "gost2001",
}
DIGEST_OIDS = {
    "1.2.643.7.1.1.2.2": "streebog256",
    "1.2.643.7.1.1.2.3": "streebog512",
    "1.2.643.2.2.9": "gost94",
}
SIGNATURE_OIDS = {
    "1.2.643.7.1.1.3.2": ("gost2012_256_streebog256", "gost2012_256", "streebog256"),
    "1.2.643.7.1.1.3.3": ("gost2012_512_streebog512", "gost2012_512", "streebog512"),
    "1.2.643.2.2.3": ("gost2001_gost94", "gost2001", "gost94"),
    # CMS usually puts the key's OID here and the digest apart, in digestAlgorithm.
    "1.2.643.7.1.1.1.1": ("gost2012_256", "gost2012_256", ""),
    "1.2.643.7.1.1.1.2": ("gost2012_512", "gost2012_512", ""),
    "1.2.643.2.2.19": ("gost2001", "gost2001", ""),
    "1.2.840.10045.2.1": ("ec_public_key", "ecdsa", ""),
    # asn1crypto has the ECDSA half of NIST's SHA-3 arc only.
    "2.16.840.1.101.3.4.3.13": ("sha3_224_rsa", "rsassa_pkcs1v15", "sha3_224"),
    "2.16.840.1.101.3.4.3.14": ("sha3_256_rsa", "rsassa_pkcs1v15", "sha3_256"),
    "2.16.840.1.101.3.4.3.15": ("sha3_384_rsa", "rsassa_pkcs1v15", "sha3_384"),
    "2.16.840.1.101.3.4.3.16": ("sha3_512_rsa", "rsassa_pkcs1v15", "sha3_512"),
    **{
        f"0.4.0.127.0.7.1.1.4.1.{arc}": (f"{digest}_ecdsa_plain", "ecdsa", digest)
        for arc, digest in (
            *((1, "sha1"), (2, "sha224"), (3, "sha256"), (4, "sha384"), (5, "sha512")),
            *((8, "sha3_224"), (9, "sha3_256"), (10, "sha3_384"), (11, "sha3_512")),
        )
    },
}
PLAIN = frozenset(name for name, _, _ in SIGNATURE_OIDS.values() if name.endswith("_plain"))
"""Signature algorithms whose ECDSA value is r and s side by side (BSI TR-03111, 5.2.1)."""

SUBJECT_OIDS = {
    "1.2.643.3.131.1.1": "inn",
    "1.2.643.100.4": "inn_le",
    "1.2.643.100.1": "ogrn",
    "1.2.643.100.3": "snils",
    "1.2.643.100.5": "ogrnip",
}
GOST_FAMILIES = {
    "gost2012_256": ("gost256", "streebog256"),
    "gost2012_512": ("gost512", "streebog512"),
    "gost2001": ("gost2001", "gost94"),
}
"""Key algorithm → (family, the only digest it may be used with)."""

EDWARDS = {"ed25519": "sha512", "ed448": "shake256"}
"""Key algorithm → the digest inside its signatures (RFC 8032); whatever digest a CMS states
beside it is that of the content alone (RFC 8419)."""

SHAKE256_BITS = 512

MALFORMED = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""All that asn1crypto raises over octets made to hurt: it parses late, and nests without end."""


class Mismatch(ValueError):
    """The signature algorithm does not belong to the key or the digest: a forgery or a bug."""


class GostParameters(core.Sequence):  # type: ignore[misc]
    """RFC 9215, section 4.2: digestParamSet is left out for TC26 256 A–D and 512 C."""

    _fields = [  # noqa: RUF012 (asn1crypto's way to declare a structure)
        ("public_key_param_set", core.ObjectIdentifier),
        ("digest_param_set", core.ObjectIdentifier, {"optional": True}),
        ("encryption_param_set", core.ObjectIdentifier, {"optional": True}),
    ]


def scheme_for(
    key: bytes | keys.PublicKeyInfo,
    digest: str,
    algorithm: algos.SignedDigestAlgorithm | None = None,
) -> Scheme:
    """Return how a signature by `key` over a `digest` is computed.

    `key` is SubjectPublicKeyInfo (DER or parsed).  `digest` is one of
    `interface.DIGESTS`.  `algorithm` is the signature algorithm as the message states it
    (CMS SignerInfo.signatureAlgorithm); None where the form has none.
    Raises Mismatch when key, digest and algorithm do not belong together, and Unsupported
    for algorithms nobody here computes.
    """
    info = _parsed(key)
    if digest not in DIGESTS:
        raise Unsupported(digest)
    kind = _key_kind(info)
    if algorithm is not None:
        stated_kind, stated_digest = _stated(algorithm)
        if stated_kind == "rsassa_pss":
            return _pss(info, kind, digest, algorithm)
        if stated_kind != kind:
            raise Mismatch(f"{stated_kind} signature by a {kind} key")
        if stated_digest and stated_digest != digest:
            raise Mismatch(f"{stated_digest} in the algorithm, {digest} beside it")
    if kind in GOST_FAMILIES:
        family, bound = GOST_FAMILIES[kind]
        if digest != bound:
            raise Mismatch(f"{digest} with a {kind} key")
        return Scheme(family=family, digest=digest)
    if kind == "rsassa_pkcs1v15":
        return Scheme(family="rsa", digest=digest)
    if kind == "rsassa_pss":
        # A key bound to PSS may not sign PKCS#1 v1.5 (RFC 4055, section 1.2).
        if algorithm is not None:
            raise Mismatch("PKCS#1 v1.5 signature by a key bound to PSS")
        return Scheme(family="rsa-pss", digest=digest)
    if kind in EDWARDS:
        return Scheme(family=kind, digest=digest)
    assert kind == "ecdsa", kind
    plain = algorithm is not None and algorithm["algorithm"].native in PLAIN
    return Scheme(family="ecdsa", digest=digest, encoding="raw" if plain else "der")


def digest_name(algorithm: algos.DigestAlgorithm) -> str:
    """Return the name of the digest that a message states.

    SHAKE256 of a stated length is the one we know where that is 512 bits (RFC 8419, 2.3).
    """
    name = str(algorithm["algorithm"].native)
    if name == "shake256_len" and algorithm["parameters"].native == SHAKE256_BITS:
        return "shake256"
    return name


def scheme_of_certificate_signature(
    key: bytes | keys.PublicKeyInfo, algorithm: algos.SignedDigestAlgorithm
) -> Scheme:
    """Return the scheme of a certificate's, CRL's or OCSP response's signature.

    `key` is the issuer's SubjectPublicKeyInfo; here the algorithm must state its digest.
    Raises Mismatch and Unsupported as `scheme_for`.
    """
    kind, digest = _stated(algorithm)
    if kind == "rsassa_pss":
        digest = str(_pss_parameters(algorithm)["hash_algorithm"]["algorithm"].native)
    digest = digest or EDWARDS.get(kind, "")
    if not digest:
        raise Mismatch(f"{kind} without a digest")
    return scheme_for(key, digest, algorithm)


def signature_algorithm(family: str, digest: str) -> algos.SignedDigestAlgorithm:
    """Return the AlgorithmIdentifier that certificates and CRLs state for a key family."""
    name = {
        "gost256": "gost2012_256_streebog256",
        "gost512": "gost2012_512_streebog512",
        "rsa": f"{digest}_rsa",
        "ecdsa": f"{digest}_ecdsa",
    }[family]
    identifier: dict[str, Any] = {"algorithm": name}
    if family == "rsa":
        identifier["parameters"] = core.Null()
    return algos.SignedDigestAlgorithm(identifier)


def _parsed(key: bytes | keys.PublicKeyInfo) -> keys.PublicKeyInfo:
    if not isinstance(key, bytes):
        return key
    try:
        return keys.PublicKeyInfo.load(key, strict=True)
    except MALFORMED as error:
        raise Mismatch("not a public key") from error


def _key_kind(info: keys.PublicKeyInfo) -> str:
    try:
        name = str(info["algorithm"]["algorithm"].native)
    except MALFORMED as error:
        raise Mismatch("not a public key") from error
    if name in GOST_FAMILIES or name in EDWARDS or name == "rsassa_pss":
        return name
    kinds = {"rsa": "rsassa_pkcs1v15", "ec": "ecdsa"}
    if name not in kinds:
        raise Unsupported(name)
    return kinds[name]


def _stated(algorithm: algos.SignedDigestAlgorithm) -> tuple[str, str]:
    """Return (key kind, digest or empty) that a signature algorithm states."""
    name = str(algorithm["algorithm"].native)
    if name in _RUSSIAN:
        return _RUSSIAN[name]
    try:
        kind = str(algorithm.signature_algo)
    except ValueError as error:
        raise Unsupported(name) from error
    if kind not in ("rsassa_pkcs1v15", "rsassa_pss", "ecdsa", *EDWARDS):
        raise Unsupported(name)
    if kind == "rsassa_pss" or kind in EDWARDS:
        return kind, ""
    try:
        digest = str(algorithm.hash_algo)
    except ValueError:
        digest = ""
    if digest and digest not in DIGESTS:
        raise Unsupported(name)
    return kind, digest


def _pss(
    info: keys.PublicKeyInfo, kind: str, digest: str, algorithm: algos.SignedDigestAlgorithm
) -> Scheme:
    if kind not in ("rsassa_pkcs1v15", "rsassa_pss"):
        raise Mismatch(f"rsassa_pss signature by a {kind} key")
    parameters = _pss_parameters(algorithm)
    stated, mask, salt = _pss_numbers(parameters)
    if stated != digest:
        raise Mismatch(f"{stated} in the PSS parameters, {digest} beside them")
    if mask not in DIGESTS:
        raise Unsupported(f"rsassa_pss with mask digest {mask}")
    if parameters["trailer_field"].native != "trailer_field_bc":
        raise Unsupported("rsassa_pss with a trailer of its own")
    bound = info["algorithm"]["parameters"]
    if kind == "rsassa_pss" and isinstance(bound, algos.RSASSAPSSParams):
        # The key may allow these parameters alone, and longer salts (RFC 4055, section 3.3).
        only, only_mask, salt_min = _pss_numbers(bound)
        if (stated, mask) != (only, only_mask) or salt < salt_min:
            raise Mismatch("PSS parameters that the key does not allow")
    return Scheme(
        family="rsa-pss",
        digest=digest,
        salt_length=salt,
        mask_digest="" if mask == digest else mask,
    )


def _pss_numbers(parameters: algos.RSASSAPSSParams) -> tuple[str, str, int]:
    """Return (digest, digest of the mask, length of the salt).  Raises Unsupported."""
    mask = parameters["mask_gen_algorithm"]
    if mask["algorithm"].native != "mgf1":
        raise Unsupported("rsassa_pss with a mask of its own")
    return (
        str(parameters["hash_algorithm"]["algorithm"].native),
        str(mask["parameters"]["algorithm"].native),
        int(parameters["salt_length"].native),
    )


def _pss_parameters(algorithm: algos.SignedDigestAlgorithm) -> algos.RSASSAPSSParams:
    parameters = algorithm["parameters"]
    if not isinstance(parameters, algos.RSASSAPSSParams):
        raise Mismatch("rsassa_pss without parameters")
    return parameters


_RUSSIAN = {name: (kind, digest) for name, kind, digest in SIGNATURE_OIDS.values()}


def _register() -> None:
    """Add our identifiers to asn1crypto's tables; asn1crypto has no public way to do so."""
    if getattr(keys, "_gateway_registered", False):
        return
    for oid, name in KEY_OIDS.items():
        keys.PublicKeyAlgorithmId._map[oid] = name
        keys.PublicKeyAlgorithm._oid_specs[name] = GostParameters
        keys.PrivateKeyAlgorithmId._map[oid] = name
        keys.PrivateKeyAlgorithm._oid_specs[name] = GostParameters
    for oid, (name, _, _) in SIGNATURE_OIDS.items():
        algos.SignedDigestAlgorithmId._map[oid] = name
    for oid, name in DIGEST_OIDS.items():
        algos.DigestAlgorithmId._map[oid] = name
    for oid, name in SUBJECT_OIDS.items():
        x509.NameType._map[oid] = name
        # NumericString by the rules, UTF8String in the wild: take what is there.
        x509.NameTypeAndValue._oid_specs[name] = core.Any
    for table in (
        algos.SignedDigestAlgorithmId,
        algos.DigestAlgorithmId,
        keys.PublicKeyAlgorithmId,
        keys.PrivateKeyAlgorithmId,
        x509.NameType,
    ):
        table._reverse_map = None
    _teach_keys()
    _teach_signatures()
    keys._gateway_registered = True


def _teach_keys() -> None:
    of_public = keys.PublicKeyInfo._public_key_spec
    of_private = keys.PrivateKeyInfo._private_key_spec

    def public_spec(self: keys.PublicKeyInfo) -> Any:
        if self["algorithm"]["algorithm"].native in KEY_OIDS.values():
            return core.OctetBitString, None
        return of_public(self)

    def private_spec(self: keys.PrivateKeyInfo) -> Any:
        if self["private_key_algorithm"]["algorithm"].native in KEY_OIDS.values():
            # A GOST scalar is raw octets: there is nothing in them to parse.
            return None
        return of_private(self)

    keys.PublicKeyInfo._public_key_spec = public_spec
    keys.PublicKeyInfo._spec_callbacks = {"public_key": public_spec}
    keys.PrivateKeyInfo._private_key_spec = private_spec
    keys.PrivateKeyInfo._spec_callbacks = {"private_key": private_spec}


def _teach_signatures() -> None:
    known_kind = algos.SignedDigestAlgorithm.signature_algo.fget
    known_digest = algos.SignedDigestAlgorithm.hash_algo.fget

    def kind(self: algos.SignedDigestAlgorithm) -> Any:
        name = self["algorithm"].native
        return _RUSSIAN[name][0] if name in _RUSSIAN else known_kind(self)

    def digest(self: algos.SignedDigestAlgorithm) -> Any:
        name = self["algorithm"].native
        if name not in _RUSSIAN:
            return known_digest(self)
        if not _RUSSIAN[name][1]:
            raise ValueError(f"{name} states no digest")
        return _RUSSIAN[name][1]

    algos.SignedDigestAlgorithm.signature_algo = property(kind)
    algos.SignedDigestAlgorithm.hash_algo = property(digest)


_register()
