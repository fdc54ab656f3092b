"""A signed document whose proof is renewed for years: authorities that end, lists of each day."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from asn1crypto import x509

from gateway.algorithms.interface import Algorithms
from gateway.model import Indication, Part, RecordFinding, SignatureReport
from gateway.sandbox.certificates import Authority, Period, timestamper_extensions
from gateway.sandbox.timestamping import TimestampAuthority
from gateway.signatures import evidence_records as records
from gateway.signatures.evidence_records import Leaf, Record
from gateway.signatures.sign import sign
from gateway.trust import Trust
from gateway.verification import KeptRecord, Verifier, judge_record, last_by
from gateway.verification.evidence import Objects, gathered, grounds_of
from tests.pki.build import ALGORITHMS, DAY, NOW, Signing, issue, list_of, root
from tests.unit.signatures.made import BUNDLE, beside, document

PASSED, FAILED, UNKNOWN = (
    Indication.TOTAL_PASSED,
    Indication.TOTAL_FAILED,
    Indication.INDETERMINATE,
)
HOUR = timedelta(hours=1)
YEAR = 365 * DAY
SIGNER_ENDS = NOW + YEAR
FIRST_ENDS = NOW + 3 * YEAR
SECOND_ENDS = NOW + 6 * YEAR
STAMPED, RENEWED = NOW + 300 * DAY, NOW + 900 * DAY
LATER = NOW + 4 * YEAR
"""The signer and the first authority have ended, the second has not."""


@dataclass(kw_only=True)
class World:
    """An authority with a signer, another with two time-stampers, one after the other."""

    family: str = "gost256"
    algorithms: Algorithms = ALGORITHMS
    revoked: dict[datetime, list[x509.Certificate]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        life = Period(begins=NOW - YEAR, ends=NOW + 20 * YEAR)
        self.root: Authority = root("Signers", self.family, life)
        self.stampers: Authority = root("Stampers", "gost256", life)
        self.signer = issue(self.root, period=Period(begins=NOW - DAY, ends=SIGNER_ENDS))
        self.first = self.stamper("First", NOW - DAY, FIRST_ENDS)
        self.second = self.stamper("Second", NOW + 2 * YEAR, SECOND_ENDS)

    def stamper(self, title: str, begins: datetime, ends: datetime) -> Signing:
        period = Period(begins=begins, ends=ends)
        return issue(self.stampers, title, timestamper_extensions(), period)

    def trust(self, at: datetime, but: Authority | None = None) -> Trust:
        """Return the trust of a day, with the lists of that day, `but` one authority's own."""
        day = min((day for day in self.revoked if day <= at), default=at)
        known = [one for when, some in self.revoked.items() if when <= at for one in some]
        period = Period(begins=at - HOUR, ends=at + 7 * DAY)
        return Trust(
            [one.certificate.dump() for one in (self.root, self.stampers) if one is not but],
            (),
            [
                list_of(self.root, period=period).dump(),
                list_of(self.stampers, *known, period=period, at=day).dump(),
            ],
            algorithms=self.algorithms,
        )

    def signed(self, octets: bytes = BUNDLE, *, detached: bool = True) -> bytes:
        """Return octets signed at NOW."""
        return sign(
            octets,
            key=self.signer.key,
            chain=(self.signer.der, self.root.certificate.dump()),
            algorithms=ALGORITHMS,
            form="cades",
            detached=detached,
            at=NOW,
        )

    def token(self, root_hash: bytes, digest: str, at: datetime) -> bytes:
        who = self.first if at < NOW + 2 * YEAR else self.second
        chain = (who.der, self.stampers.certificate.dump())
        authority = TimestampAuthority(key=who.key, chain=chain, algorithms=ALGORITHMS)
        return authority.token(digest, root_hash, at)


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A document with its signature, its first verdict and its record so far."""

    world: World
    document: Part
    signatures: tuple[Part, ...]
    stored: SignatureReport
    group: Objects = ()
    record: Record | None = None
    material: tuple[Objects, ...] = ()

    @property
    def parts(self) -> tuple[bytes, ...]:
        return (self.document.body, *(one.body for one in self.signatures))

    @property
    def objects(self) -> tuple[bytes, ...]:
        return (*self.parts, *(blob for _, blob in self.group))

    @property
    def kept(self) -> KeptRecord:
        assert self.record is not None
        octets = records.write(self.record)
        return KeptRecord(record=octets, parts=self.parts, material=(self.group, *self.material))

    def leaf(self, digest: str, at: datetime, kind: str) -> Leaf:
        def compute(octets: bytes) -> bytes:
            return ALGORITHMS.digest(digest, octets)

        if self.record is None:
            return records.first_leaf(self.objects, compute)
        material = [blob for _, blob in self.material[-1]]
        if kind == "tree":
            return records.tree_renewed(self.record, self.objects, material, compute)
        return records.stamp_renewed(self.record, material, compute)

    def judged(self, at: datetime, algorithms: Algorithms = ALGORITHMS) -> RecordFinding | None:
        return judge_record(self.kept, algorithms, at, last_by(self.world.trust(at)))


def paper(world: World, octets: bytes = BUNDLE) -> Paper:
    """Return a document signed and judged at NOW."""
    body = document(octets, "application/fhir+json")
    signatures = beside(world.signed(octets))
    stored = Verifier(world.trust(NOW), world.algorithms).verify(body, signatures, NOW)
    return Paper(world=world, document=body, signatures=signatures, stored=stored)


def stamped(
    *papers: Paper, at: datetime, digest: str = "sha256", kind: str = "stamp"
) -> tuple[Paper, ...]:
    """Return papers with one more time stamp, one for all of them."""
    ready = [_prepared(one, at) for one in papers]
    leaves = [one.leaf(digest, at, kind) for one in ready]
    world = papers[0].world

    def compute(octets: bytes) -> bytes:
        return ALGORITHMS.digest(digest, octets)

    top, ways = records.planted(leaves, compute)
    token = world.token(top, digest, at)
    return tuple(
        replace(
            one,
            record=records.stamped(leaf, way, digest, token),
            material=(*one.material, grounds(world, token, at)),
        )
        for one, leaf, way in zip(ready, leaves, ways, strict=True)
    )


def grounds(world: World, token: bytes, at: datetime) -> Objects:
    """Return what the verdict on a token's authority rests on that day."""
    who = world.first if world.first.der in token else world.second
    finding = world.trust(at).judge(who.der, (), at, purpose="timestamping")
    return grounds_of(finding)


def _prepared(one: Paper, at: datetime) -> Paper:
    if one.record is None:
        verifier = Verifier(one.world.trust(at), one.world.algorithms)
        today = verifier.verify(one.document, one.signatures, at, kept=False)
        found = (*one.stored.signatures, *today.signatures)
        return replace(one, group=gathered(*(finding.evidence for finding in found)))
    token = one.record.stamps[-1].token
    return replace(one, material=(*one.material[:-1], grounds(one.world, token, at)))
