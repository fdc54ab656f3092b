"""Evidence records made as an archive would, and put into XAdES signatures."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import datetime

from lxml import etree

from gateway.sandbox.pki import Pki
from gateway.sandbox.timestamping import TimestampAuthority
from gateway.signatures import xml_names as names
from gateway.xml import c14n
from gateway.xml.parser import parse
from tests.pki.build import ALGORITHMS, DAY, NOW
from tests.unit.signatures.test_xml_xades import DS, advanced, with_unsigned

PLACE = '<e:SealingEvidenceRecords xmlns:e="http://uri.etsi.org/19132/v1.1.1#">{}</e:SealingEvidenceRecords>'
ERS = "urn:ietf:params:xml:ns:ers"
URIS = {name: uri for uri, name in names.DIGESTS.items()}


def group(file: bytes) -> list[bytes]:
    """Return the objects that a record in the last property is over."""
    root = parse(file)
    signature = next(root.iter(f"{DS}Signature"))

    def canonical(found: etree._Element) -> bytes:
        return c14n.canonical(found, method)

    method = next(root.iter(f"{DS}CanonicalizationMethod")).get("Algorithm") or ""
    (holder,) = root.iter("{*}UnsignedSignatureProperties")
    return [
        c14n.canonical_document(root, c14n.C14N_10, omit=[signature]),
        c14n.canonical(next(root.iter("{*}SignedProperties")), c14n.EXCLUSIVE),
        *(
            canonical(next(root.iter(f"{DS}{name}")))
            for name in ("SignedInfo", "SignatureValue", "KeyInfo")
        ),
        *map(canonical, list(holder)[:-1]),
    ]


def digest_of(name: str, objects: Sequence[bytes]) -> bytes:
    hashes = sorted(ALGORITHMS.digest(name, one) for one in objects)
    return ALGORITHMS.digest(name, b"".join(hashes))


def coded(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def tree(*levels: Sequence[bytes]) -> str:
    """Return a HashTree."""
    return "<HashTree>{}</HashTree>".format(
        "".join(
            f'<Sequence Order="{number}">'
            + "".join(f"<DigestValue>{coded(one)}</DigestValue>" for one in sorted(level))
            + "</Sequence>"
            for number, level in enumerate(levels, 1)
        )
    )


def ats(order: int, token: bytes, hashes: str = "") -> str:
    return (
        f'<ArchiveTimeStamp Order="{order}">{hashes}<TimeStamp>'
        f'<TimeStampToken Type="RFC3161">{coded(token)}</TimeStampToken></TimeStamp>'
        "</ArchiveTimeStamp>"
    )


def chain(order: int, digest: str, *stamps: str, method: str = c14n.EXCLUSIVE) -> str:
    return (
        f'<ArchiveTimeStampChain Order="{order}"><DigestMethod Algorithm="{URIS[digest]}"/>'
        f'<CanonicalizationMethod Algorithm="{method}"/>{"".join(stamps)}</ArchiveTimeStampChain>'
    )


def sequence(*chains: str, version: str = "1.0") -> str:
    return (
        f'<EvidenceRecord xmlns="{ERS}" Version="{version}"><ArchiveTimeStampSequence>'
        f"{''.join(chains)}</ArchiveTimeStampSequence></EvidenceRecord>"
    )


def asn1(octets: bytes) -> str:
    return f"<e:ASN1EvidenceRecord>{coded(octets)}</e:ASN1EvidenceRecord>"


class Maker:
    """Makes records in XML over one file, as an archive would."""

    def __init__(self, pki: Pki, *before: str) -> None:
        self.pki = pki
        self.signed = advanced(pki)
        self.before = before
        self.objects = group(self.with_record(""))

    def with_record(self, *several: str) -> bytes:
        return with_unsigned(self.signed, *self.before, PLACE.format("".join(several)))

    def token(self, digest: str, top: bytes, at: datetime = NOW) -> bytes:
        # Nothing signs certificates beside the authority's own: a change there is no matter.
        files = self.pki.signer("gost256-tsa")
        authority = TimestampAuthority(
            key=files.private_key(), chain=files.chain()[:1], algorithms=ALGORITHMS
        )
        return authority.token(digest, top, at)

    def first(self, objects: Sequence[bytes] | None = None, at: datetime = NOW) -> str:
        """Return a first stamp, the group's digest among others in its tree."""
        own = digest_of("sha256", objects or self.objects)
        other = ALGORITHMS.digest("sha256", b"other")
        top = ALGORITHMS.digest("sha256", b"".join(sorted((own, other))))
        return ats(1, self.token("sha256", top, at), tree([own], [other]))

    def written(self, record: str, find: Callable[[etree._Element], etree._Element]) -> bytes:
        """Return the canonical form of a part of a record where it stands."""
        return c14n.canonical(find(parse(self.with_record(record))), c14n.EXCLUSIVE)

    def renewed(self, first: str, at: datetime = NOW + DAY, over: bytes | None = None) -> str:
        """Return a second stamp of the chain, over the element of the first, without a tree."""
        octets = over or self.written(
            sequence(chain(1, "sha256", first)), lambda root: next(root.iter(f"{{{ERS}}}TimeStamp"))
        )
        return ats(2, self.token("sha256", ALGORITHMS.digest("sha256", octets), at))

    def another(
        self,
        *chains: str,
        objects: Sequence[bytes] | None = None,
        alone: bool = False,
        bare: bool = False,
    ) -> str:
        """Return a chain of another digest, over the objects and the chains before it."""
        before = self.written(
            sequence(*chains), lambda root: next(root.iter(f"{{{ERS}}}ArchiveTimeStampSequence"))
        )
        hashes = [ALGORITHMS.digest("sha512", before)]
        hashes += [] if alone else [digest_of("sha512", objects or self.objects)]
        top = ALGORITHMS.digest("sha512", b"".join(sorted(hashes)))
        at = NOW + 2 * DAY
        token = self.token("sha512", top, at)
        return chain(len(chains) + 1, "sha512", ats(1, token, "" if bare else tree(hashes)))
