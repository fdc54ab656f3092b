"""CMS files taken apart, changed and put together again, for the tests of CMS and its attacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from asn1crypto import algos, cms, core

from gateway.algorithms.asn1 import scheme_for
from gateway.model import CheckedSignature
from gateway.sandbox.pki import Pki
from gateway.sandbox.timestamping import TimestampAuthority
from gateway.signatures import ber
from gateway.signatures import cms as form
from gateway.signatures.cms_attributes import ARCHIVE_V2, ARCHIVE_V3, COUNTER_SIGNATURE
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import BUNDLE, beside, document, signed


def checked(file: bytes, octets: bytes = BUNDLE) -> CheckedSignature:
    return form.check(document(octets), beside(file), ALGORITHMS)[0]


def opened(file: bytes) -> cms.ContentInfo:
    return cms.ContentInfo.load(file)


def resigned(
    pki: Pki,
    change: Callable[[cms.SignerInfo], None],
    name: str = "gost256-doctor",
    *,
    detached: bool = True,
) -> bytes:
    """Return a CMS file whose signer info was changed and then signed again, rightly."""
    info = opened(signed(pki, name, detached=detached))
    signer = info["content"]["signer_infos"][0]
    change(signer)
    octets = cms.CMSAttributes(list(signer["signed_attrs"])).dump(force=True)
    certificate = info["content"]["certificates"][0].chosen
    digest = str(signer["digest_algorithm"]["algorithm"].native)
    scheme = scheme_for(certificate.public_key, digest)
    signer["signature"] = ALGORITHMS.sign(pki.signer(name).private_key(), scheme, octets)
    return bytes(info.dump(force=True))


def attributes(signer: cms.SignerInfo, keep: Callable[[str], bool]) -> list[object]:
    return [a for a in signer["signed_attrs"] if keep(a["type"].native)]


def tlv(tag: int, contents: bytes) -> bytes:
    return bytes([tag]) + ber.length(len(contents)) + contents


def in_chunks(file: bytes, size: int, *, indefinite: bool) -> bytes:
    """Return an attached CMS file with its content in chunks, of stated lengths or none."""
    kind, explicit = ber.elements(ber.contents(file))
    version, digests, inner, *rest = ber.elements(ber.contents(ber.contents(explicit)))
    data, content = ber.elements(ber.contents(inner))
    octets = ber.contents(ber.contents(content))
    parts = [octets[start : start + size] for start in range(0, len(octets), size)]

    def written(tag: int, contents: bytes) -> bytes:
        if not indefinite:
            return tlv(tag, contents)
        return bytes([tag, 0x80]) + contents + ber.CONTENTS_END

    chunks = written(0x24, b"".join(tlv(0x04, part) for part in parts))
    inner = written(0x30, data + written(0xA0, chunks))
    signed = written(0x30, b"".join((version, digests, inner, *rest)))
    return written(0x30, kind + written(0xA0, signed))


def attribute(kind: str, *values: bytes) -> bytes:
    """Return an Attribute, DER."""
    return tlv(0x30, core.ObjectIdentifier(kind).dump() + tlv(0x31, b"".join(values)))


def value_of(file: bytes) -> bytes:
    """Return the signature value of the first signer."""
    return bytes(opened(file)["content"]["signer_infos"][0]["signature"].native)


def adding(file: bytes, *more: bytes) -> bytes:
    """Return a CMS file whose first signer has further unsigned attributes (Attribute, DER).

    Put together from octets: what is added may be anything.
    """
    kind, content = ber.elements(ber.contents(file))
    *fields, signers = ber.elements(ber.contents(ber.contents(content)))
    first, *others = ber.elements(ber.contents(signers))
    parts = ber.elements(ber.contents(first))
    there = ber.contents(parts.pop()) if parts[-1][:1] == b"\xa1" else b""
    first = tlv(0x30, b"".join(parts) + tlv(0xA1, there + b"".join(more)))
    signers = tlv(0x31, b"".join([first, *others]))
    signed = tlv(0x30, b"".join([*fields, signers]))
    return tlv(0x30, kind + tlv(0xA0, signed))


def authority(pki: Pki, name: str = "gost256-tsa") -> TimestampAuthority:
    files = pki.signer(name)
    return TimestampAuthority(key=files.private_key(), chain=files.chain(), algorithms=ALGORITHMS)


def stamp(pki: Pki, octets: bytes, digest: str = "sha256", at: datetime = NOW) -> bytes:
    return authority(pki).stamp(digest, octets, at)


def counter_signature(pki: Pki, value: bytes, name: str = "gost256-organisation") -> bytes:
    """Return a SignerInfo over another signature's value (RFC 5652, 11.4)."""

    def change(signer: cms.SignerInfo) -> None:
        kept = attributes(signer, lambda kind: kind not in ("content_type", "message_digest"))
        digest = ALGORITHMS.digest(signer["digest_algorithm"]["algorithm"].native, value)
        own = {"type": "message_digest", "values": [digest]}
        signer["signed_attrs"] = cms.CMSAttributes([*kept, own])

    info = opened(resigned(pki, change, name))
    return bytes(info["content"]["signer_infos"][0].dump())


def countersigned(
    pki: Pki, file: bytes, change: Callable[[bytes], bytes] = lambda octets: octets
) -> bytes:
    """Return a file with a counter-signature of the organisation's, and its certificate."""
    info = opened(adding(file, attribute(COUNTER_SIGNATURE, change(_counter(pki, file)))))
    for der in pki.signer("gost256-organisation").chain()[:1]:
        info["content"]["certificates"].append(cms.Certificate.load(der))
    return bytes(info.dump(force=True))


def _counter(pki: Pki, file: bytes) -> bytes:
    return counter_signature(pki, value_of(file))


# --- archive time stamps ---------------------------------------------------------------


def hash_index(file: bytes, version: int, digest: str = "sha256") -> bytes:
    """Return an ATSHashIndex (1, 2 or 3) over everything in the file."""
    content = opened(file)["content"]
    signer = content["signer_infos"][0]
    there = ber.elements(ber.contents(signer["unsigned_attrs"].dump()))
    if version == 3:
        parts = []
        for one in there:
            kind, values = ber.elements(ber.contents(one))
            parts += [kind + value for value in ber.elements(ber.contents(values))]
    else:
        parts = there
    lists = (
        ber.elements(ber.contents(content["certificates"].dump())),
        ber.elements(ber.contents(content["crls"].dump())) if content["crls"].native else [],
        parts,
    )
    name = algos.DigestAlgorithm({"algorithm": digest}).dump()
    shown = b"" if version == 1 and digest == "sha256" else name
    return tlv(0x30, shown + b"".join(_digests(digest, one) for one in lists))


def _digests(name: str, octets: Sequence[bytes]) -> bytes:
    written = (tlv(0x04, ALGORITHMS.digest(name, one)) for one in octets)
    return tlv(0x30, b"".join(written))


INDEX_KINDS = {1: "0.4.0.1733.2.5", 2: "0.4.0.19122.1.4", 3: "0.4.0.19122.1.5"}


def archived_v3(
    pki: Pki, file: bytes, octets: bytes, version: int = 3, digest: str = "sha256"
) -> bytes:
    """Return the file under an archive time stamp of version 3 (EN 319 122-1, 5.5.3).

    `digest` is that of its index.
    """
    index = hash_index(file, version, digest)
    signer = opened(file)["content"]["signer_infos"][0]
    fields = ber.elements(ber.contents(signer.dump()))[:6]
    stamped = b"".join(
        (
            core.ObjectIdentifier("1.2.840.113549.1.7.1").dump(),
            ALGORITHMS.digest("sha256", octets),
            *fields,
            index,
        )
    )
    token = adding(stamp(pki, stamped), attribute(INDEX_KINDS[version], index))
    return adding(file, attribute(ARCHIVE_V3, token))


def archived_v2(
    pki: Pki, file: bytes, octets: bytes, *, at: datetime = NOW, tagged: bool = True
) -> bytes:
    """Return a detached file under an archive time stamp of version 2 (TS 101 733, 6.4.1).

    `tagged` counts tag and length of the unsigned attributes, as versions from 2.2.1 do.
    """
    content = opened(file)["content"]
    signer = content["signer_infos"][0]
    fields = ber.elements(ber.contents(signer.dump()))[:6]
    unsigned = ber.contents(signer["unsigned_attrs"].dump())
    stamped = b"".join(
        (
            content["encap_content_info"].dump(),
            octets,
            content["certificates"].dump(),
            *fields,
            tlv(0xA1, unsigned) if tagged else unsigned,
        )
    )
    return adding(file, attribute(ARCHIVE_V2, stamp(pki, stamped, at=at)))
