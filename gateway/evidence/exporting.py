"""A submission's evidence in one file, for whoever checks it with tools of their own.

evidence-record.er      EvidenceRecord (RFC 4998), DER
timestamp-1.tst …       its tokens, each over the root that manifest.json gives
objects/…               all that the record covers: the octets that came, certificates,
                        lists, answers, what was said of authorities, the rules
manifest.json           each object with its digest, and which stamp is the first to cover it
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.algorithms.interface import Algorithms
from gateway.model import Submission
from gateway.signatures import evidence_records
from gateway.verification import KeptRecord

FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""The date of every file in it: the same evidence gives the same octets."""


@dataclass(frozen=True)
class _Object:
    kind: str
    octets: bytes
    covered_by: int | None
    """The number of the first stamp over it, from 1; None for what no stamp covers yet."""


def exported(submission: Submission, kept: KeptRecord, algorithms: Algorithms) -> bytes:
    """Return the evidence of a submission as a ZIP file.

    Raises NotARecord and Flaw for a record that does not cover what is kept.
    """
    record = evidence_records.read(kept.record)
    roots = evidence_records.roots(record, kept.objects(), kept.materials(), algorithms)
    files = {"evidence-record.er": kept.record}
    stamps = []
    for number, (stamp, root) in enumerate(zip(record.stamps, roots, strict=True), 1):
        name = f"timestamp-{number}.tst"
        files[name] = stamp.token
        stamps.append({"file": name, "digest": stamp.digest, "root": root.hex()})
    objects = []
    for number, one in enumerate(_objects(submission, kept), 1):
        name = f"objects/{number:03}-{one.kind}.bin"
        files[name] = one.octets
        objects.append(
            {
                "file": name,
                "kind": one.kind,
                "sha256": hashlib.sha256(one.octets).hexdigest(),
                "covered_by": one.covered_by,
            }
        )
    manifest = {
        "submission": submission.id,
        "kept_at": submission.kept_at.isoformat(),
        "timestamps": stamps,
        "objects": objects,
    }
    files["manifest.json"] = json.dumps(manifest, indent=1).encode()
    return _zipped(files)


def _objects(submission: Submission, kept: KeptRecord) -> Iterator[_Object]:
    for part in submission.parts:
        yield _Object(part.name, part.body, 1)
    stamps = len(kept.material) - 1
    for number, objects in enumerate(kept.material):
        for kind, blob in objects:
            # What the verdict on a stamp rests on is covered by the next.
            yield _Object(kind, blob, number + 1 if number < stamps else None)


def _zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, octets in files.items():
            archive.writestr(zipfile.ZipInfo(name, FIRST_DAY), octets)
    return stream.getvalue()
