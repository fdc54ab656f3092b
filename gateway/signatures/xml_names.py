"""The names XML signatures are written in: namespaces and algorithm URIs.

Source: W3C XMLDSig 1.1, clause 6; RFC 9231 (additional URIs); CryptoPro's cpxmlsec names for
GOST as RU implementations write them, with and without the last dash.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.xml import c14n

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
ENVELOPED = DS + "enveloped-signature"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_MORE_2007 = "http://www.w3.org/2007/05/xmldsig-more#"
_ENC = "http://www.w3.org/2001/04/xmlenc#"
_CP = "urn:ietf:params:xml:ns:cpxmlsec:algorithms:"

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
    **{f"{_MORE}ecdsa-sha{n}": ("ecdsa", f"sha{n}") for n in (1, 224, 256, 384, 512)},
    **{f"{_MORE_2007}sha{n}-rsa-MGF1": ("rsa-pss", f"sha{n}") for n in (224, 256, 384, 512)},
}
"""Signature method → (key family, digest).  No HMAC: a public key must never become a secret."""

KNOWN = frozenset(
    (
        *DIGESTS,
        *SIGNATURES,
        *c14n.METHODS,
        ENVELOPED,
        XPATH,
        "http://www.w3.org/2002/06/xmldsig-filter2",
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        DS + "base64",
        DS + "dsa-sha1",
        DS + "hmac-sha1",
        *(f"{_MORE}hmac-sha{n}" for n in (224, 256, 384, 512)),
        *(f"{_MORE_2007}sha3-{n}" for n in (224, 256, 384, 512)),
        _MORE + "md5",
        _MORE + "rsa-md5",
        _ENC + "ripemd160",
        _MORE_2007 + "rsa-pss",
        _MORE_2007 + "eddsa-ed25519",
    )
)
"""Names a report may repeat: the standards chose them, understood here or not."""
