"""The names XML signatures are written in: namespaces and algorithm URIs.

Source: W3C XMLDSig 1.1, clause 6; RFC 9231 (additional URIs); CryptoPro's cpxmlsec names for
GOST as RU implementations write them, with and without the last dash; ETSI EN 319 132-1;
OASIS WS-Security 1.1 (X.509 token profile).
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.xml import c14n

DS = "http://www.w3.org/2000/09/xmldsig#"
DS11 = "http://www.w3.org/2009/xmldsig11#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
XADES_141 = "http://uri.etsi.org/01903/v1.4.1#"
XADES_ALL = (XADES, "http://uri.etsi.org/01903/v1.2.2#", "http://uri.etsi.org/01903/v1.1.1#")
"""Namespaces of QualifyingProperties; what 1.4.1 adds stands inside those of 1.3.2."""

SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
SIGNED_PROPERTIES_ALL = frozenset(
    (SIGNED_PROPERTIES, *(f"{uri}SignedProperties" for uri in (*XADES_ALL, XADES_141)))
)
COUNTERSIGNED = "http://uri.etsi.org/01903#CountersignedSignature"
MANIFEST = DS + "Manifest"

ENVELOPED = DS + "enveloped-signature"
BASE64 = DS + "base64"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
FILTER2 = "http://www.w3.org/2002/06/xmldsig-filter2"
SMEV = "urn://smev-gov-ru/xmldsig/transform"

STR_TRANSFORM = (
    "http://docs.oasis-open.org/wss/2004/01/"
    "oasis-200401-wss-soap-message-security-1.0#STR-Transform"
)

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
SOAP = frozenset(
    ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")
)

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_MORE_2007 = "http://www.w3.org/2007/05/xmldsig-more#"
_MORE_2021 = "http://www.w3.org/2021/04/xmldsig-more#"
_ENC = "http://www.w3.org/2001/04/xmlenc#"
_CP = "urn:ietf:params:xml:ns:cpxmlsec:algorithms:"
RSA_PSS = _MORE_2007 + "rsa-pss"
MGF1 = _MORE_2007 + "MGF1"

DIGESTS: Mapping[str, str] = {
    DS + "sha1": "sha1",
    _MORE + "sha224": "sha224",
    _ENC + "sha256": "sha256",
    _MORE + "sha384": "sha384",
    _ENC + "sha512": "sha512",
    _CP + "gostr34112012-256": "streebog256",
    _CP + "gostr34112012-512": "streebog512",
    _CP + "gostr34112012256": "streebog256",
    _CP + "gostr34112012512": "streebog512",
    _CP + "gostr3411": "gost94",
    _MORE + "gostr3411": "gost94",
    _MORE + "md5": "md5",
    **{f"{_MORE_2007}sha3-{n}": f"sha3_{n}" for n in (224, 256, 384, 512)},
}

SIGNATURES: Mapping[str, tuple[str, str]] = {
    _CP + "gostr34102012-gostr34112012-256": ("gost256", "streebog256"),
    _CP + "gostr34102012-gostr34112012-512": ("gost512", "streebog512"),
    _CP + "gostr34102012-gostr34112012256": ("gost256", "streebog256"),
    _CP + "gostr34102012-gostr34112012512": ("gost512", "streebog512"),
    _CP + "gostr34102001-gostr3411": ("gost2001", "gost94"),
    _MORE + "gostr34102001-gostr3411": ("gost2001", "gost94"),
    DS + "rsa-sha1": ("rsa", "sha1"),
    **{f"{_MORE}rsa-sha{n}": ("rsa", f"sha{n}") for n in (224, 256, 384, 512)},
    _MORE + "rsa-md5": ("rsa", "md5"),
    **{f"{_MORE}ecdsa-sha{n}": ("ecdsa", f"sha{n}") for n in (1, 224, 256, 384, 512)},
    **{f"{_MORE_2021}ecdsa-sha3-{n}": ("ecdsa", f"sha3_{n}") for n in (224, 256, 384, 512)},
    **{f"{_MORE_2007}sha{n}-rsa-MGF1": ("rsa-pss", f"sha{n}") for n in (1, 224, 256, 384, 512)},
    **{f"{_MORE_2007}sha3-{n}-rsa-MGF1": ("rsa-pss", f"sha3_{n}") for n in (224, 256, 384, 512)},
    _MORE_2021 + "eddsa-ed25519": ("ed25519", "sha512"),
    _MORE_2021 + "eddsa-ed448": ("ed448", "shake256"),
}
"""Signature method → (key family, digest).  No HMAC: a public key must never become a secret."""

KNOWN = frozenset(
    (
        *DIGESTS,
        *SIGNATURES,
        *c14n.METHODS,
        ENVELOPED,
        XPATH,
        FILTER2,
        SMEV,
        BASE64,
        RSA_PSS,
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/2001/04/decrypt#",
        "http://www.w3.org/2001/04/xmldsig-more/xptr",
        "http://schemas.openxmlformats.org/package/2006/RelationshipTransform",
        STR_TRANSFORM,
        DS + "dsa-sha1",
        DS11 + "dsa-sha256",
        DS + "hmac-sha1",
        *(f"{_MORE}hmac-sha{n}" for n in (224, 256, 384, 512)),
        _MORE + "hmac-md5",
        _MORE + "hmac-ripemd160",
        _MORE + "rsa-ripemd160",
        _MORE_2007 + "ecdsa-ripemd160",
        _MORE_2007 + "whirlpool",
        _MORE_2007 + "rsa-whirlpool",
        _MORE_2007 + "ecdsa-whirlpool",
        _ENC + "ripemd160",
        *(f"{_MORE_2021}eddsa-ed{n}" for n in ("25519ctx", "25519ph", "448ph")),
        *(
            f"http://www.aleksey.com/xmlsec/2025/12/xmldsig-more#{kind}"
            for kind in (
                *(f"ml-dsa-{n}" for n in (44, 65, 87)),
                *(f"slh-dsa-sha2-{n}{speed}" for n in (128, 192, 256) for speed in "fs"),
            )
        ),
    )
)
"""Names a report may repeat: the standards chose them, understood here or not."""
