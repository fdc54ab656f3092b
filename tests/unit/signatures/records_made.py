"""Evidence records made as an archive would and put into CMS files, and what is found of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.model import CheckedSignature, CheckedTimestamp, Indication
from gateway.sandbox.pki import Pki
from gateway.signatures import evidence_records as records
from gateway.signatures.cms_attributes import EVIDENCE_RECORDS
from gateway.signatures.evidence_records import Record
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.cms_made import adding, attribute, authority

INTERNAL, EXTERNAL = EVIDENCE_RECORDS

Stamping = Callable[[str, bytes, datetime], bytes]
"""Returns a token over a root by a digest, at a time."""


@dataclass(frozen=True)
class Step:
    """One archive time stamp of a record."""

    at: datetime
    digest: str = "sha256"
    tree: bool = False
    """A new tree over the objects, not only a stamp over the stamp before."""


ONCE = (Step(NOW),)


def by(pki: Pki, name: str = "gost256-tsa") -> Stamping:
    return authority(pki, name).token


def record_over(
    objects: Sequence[bytes], stamping: Stamping, *steps: Step, others: int = 3
) -> Record:
    """Return a record over a group of objects, `others` beside it under the same stamps."""
    made: Record | None = None
    for step in steps or ONCE:

        def digest(octets: bytes, name: str = step.digest) -> bytes:
            return ALGORITHMS.digest(name, octets)

        if made is None:
            leaf = records.first_leaf(objects, digest)
        elif step.tree:
            leaf = records.tree_renewed(made, objects, (), digest)
        else:
            leaf = records.stamp_renewed(made, (), digest)
        beside = [records.first_leaf([b"other %d" % n], digest) for n in range(others)]
        top, ways = records.planted([*beside, leaf], digest)
        token = stamping(step.digest, top, step.at)
        made = records.stamped(leaf, ways[-1], step.digest, token)
    assert made is not None
    return made


def carrying(file: bytes, *several: Record | bytes, kind: str = INTERNAL) -> bytes:
    """Return a CMS file with records in one attribute of its first signer."""
    values = (records.write(one) if isinstance(one, Record) else one for one in several)
    return adding(file, attribute(kind, *values))


def archived(file: bytes, stamping: Stamping, *steps: Step, content: bytes | None = None) -> bytes:
    """Return a CMS file with a record over it, and over `content` if that is elsewhere."""
    objects = (file,) if content is None else (file, content)
    kind = INTERNAL if content is None else EXTERNAL
    return carrying(file, record_over(objects, stamping, *steps), kind=kind)


def archives(one: CheckedSignature) -> list[CheckedTimestamp]:
    return [stamp for stamp in one.timestamps if stamp.kind == "archive"]


def told(one: CheckedSignature) -> list[tuple[Indication, str | None]]:
    """Return what came of the stamps of its records."""
    return [(stamp.indication, stamp.sub_indication) for stamp in archives(one)]
