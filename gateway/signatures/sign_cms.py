"""Makes CMS files with one signer: CAdES-BES, and the tokens of a sandbox time-stamping authority.

Source: RFC 5652; RFC 5035; ETSI EN 319 122-1, clause 5; RFC 9385 (GOST in CMS).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from asn1crypto import algos, cms, core, tsp, x509

from gateway.algorithms import asn1
from gateway.algorithms.interface import Algorithms, Scheme
from gateway.signatures.stamping import Stamp

_DIGESTS = {"gost256": "streebog256", "gost512": "streebog512", "rsa": "sha256", "ecdsa": "sha256"}
_KEY_KINDS = {
    "gost2012_256": "gost256",
    "gost2012_512": "gost512",
    "rsa": "rsa",
    "ec": "ecdsa",
}


def scheme_of(certificate: x509.Certificate) -> Scheme:
    """Return how a key of this kind signs here.  Raises ValueError for other kinds."""
    kind = str(certificate.public_key["algorithm"]["algorithm"].native)
    if kind not in _KEY_KINDS:
        raise ValueError(
            f"This form is made with GOST R 34.10-2012, RSA and ECDSA keys, not with {kind};"
            " JWS takes Ed25519 and Ed448 as well."
        )
    return asn1.scheme_for(certificate.public_key, _DIGESTS[_KEY_KINDS[kind]])


def file(
    octets: bytes,
    *,
    key: bytes,
    chain: Sequence[bytes],
    algorithms: Algorithms,
    detached: bool,
    at: datetime | None,
    content_type: str = "data",
    stamp: Stamp | None = None,
) -> bytes:
    """Return a SignedData (DER) over `octets` with one signer.

    `key` is PKCS#8 DER; `chain` is DER, the signer's certificate first.  `at` becomes the
    claimed signing time; None claims none.  `content_type` is
    asn1crypto's name of it (`data`, `tst_info`).  `stamp` gives a time-stamp token over the
    signature's value, and with it level T; what it raises passes through.
    """
    certificate = x509.Certificate.load(chain[0], strict=True)
    scheme = scheme_of(certificate)
    attributes = _signed_attributes(octets, certificate, algorithms, scheme, at, content_type)
    digest = algos.DigestAlgorithm({"algorithm": scheme.digest})
    signer = cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                "issuer_and_serial_number",
                cms.IssuerAndSerialNumber(
                    {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
                ),
            ),
            "digest_algorithm": digest,
            "signed_attrs": attributes,
            "signature_algorithm": _signature_algorithm(scheme),
            "signature": algorithms.sign(key, scheme, attributes.dump()),
        }
    )
    if stamp is not None:
        token = cms.ContentInfo.load(stamp(signer["signature"].native))
        signer["unsigned_attrs"] = [{"type": "signature_time_stamp_token", "values": [token]}]
    signed = cms.SignedData(
        {
            "version": "v1" if content_type == "data" else "v3",
            "digest_algorithms": [digest],
            "encap_content_info": {
                "content_type": content_type,
                **({} if detached else {"content": _content(octets, content_type)}),
            },
            "certificates": [x509.Certificate.load(one) for one in chain],
            "signer_infos": [signer],
        }
    )
    made = cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump()
    assert isinstance(made, bytes)
    return made


def _content(octets: bytes, content_type: str) -> bytes | core.ParsableOctetString:
    # asn1crypto reads a version 1 file's content as another class than a version 3 file's.
    return octets if content_type == "data" else core.ParsableOctetString(octets)


def _signed_attributes(
    octets: bytes,
    certificate: x509.Certificate,
    algorithms: Algorithms,
    scheme: Scheme,
    at: datetime | None,
    content_type: str,
) -> cms.CMSAttributes:
    named = tsp.ESSCertIDv2(
        {
            "hash_algorithm": {"algorithm": scheme.digest},
            "cert_hash": algorithms.digest(scheme.digest, certificate.dump()),
        }
    )
    claimed = [{"type": "signing_time", "values": [_time(at)]}] if at is not None else []
    return cms.CMSAttributes(
        [
            {"type": "content_type", "values": [content_type]},
            *claimed,
            {"type": "message_digest", "values": [algorithms.digest(scheme.digest, octets)]},
            {"type": "signing_certificate_v2", "values": [{"certs": [named]}]},
        ]
    )


def _time(at: datetime) -> cms.Time:
    moment = at.astimezone(UTC).replace(microsecond=0)
    # UTCTime ends with 2049 (RFC 5652, clause 11.3).
    return cms.Time("utc_time" if moment.year < 2050 else "general_time", moment)


def _signature_algorithm(scheme: Scheme) -> algos.SignedDigestAlgorithm:
    """Return the SignerInfo's algorithm: GOST states the key's alone (RFC 9385 usage)."""
    name = {
        "gost256": "gost2012_256",
        "gost512": "gost2012_512",
        "rsa": f"{scheme.digest}_rsa",
        "ecdsa": f"{scheme.digest}_ecdsa",
    }[scheme.family]
    if scheme.family == "rsa":
        return algos.SignedDigestAlgorithm({"algorithm": name, "parameters": core.Null()})
    return algos.SignedDigestAlgorithm({"algorithm": name})
