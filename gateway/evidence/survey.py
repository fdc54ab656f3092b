"""Asks of a settled submission when what proves its signatures ages out.

The kept verdict is given again from its evidence, and what the policy of algorithms is asked
meanwhile is what the verdict rests on.
"""

from __future__ import annotations

from datetime import datetime

from gateway.algorithms.interface import Algorithms
from gateway.evidence.ends import Asking, end_of, path_of
from gateway.model import Indication, SignatureFinding, SignatureReport, Submission
from gateway.store import KeyDestroyed, Store
from gateway.store.values import ProofEnd
from gateway.verification import judged_again

CLOSED = "closed"


def surveyed(store: Store, algorithms: Algorithms, id: str) -> ProofEnd:
    """Return how long the proof of a submission lasts: until its newest part ages out.

    Nothing is to be renewed where no signature passed, or where the octets are gone.
    """
    try:
        stored, kept = store.signatures(id), store.submission(id)
    except KeyDestroyed:
        return _nothing(store.clock())
    if stored is None or not kept.parts:
        return _nothing(kept.kept_at)
    asking = Asking(algorithms)
    report = judged_again(
        stored.report,
        kept.document,
        kept.signatures,
        asking,
        kept.kept_at,
        attached=kept.attorneys,
    )
    return _ends(report, kept, asking)


def passed(report: SignatureReport) -> list[SignatureFinding]:
    """Return the signatures that passed."""
    return [one for one in report.signatures if one.indication is Indication.TOTAL_PASSED]


def _ends(report: SignatureReport, kept: Submission, asking: Asking) -> ProofEnd:
    good = passed(report)
    if not good:
        return _nothing(kept.kept_at)
    path = [one for finding in good for one in path_of(_newest(finding), finding.evidence)]
    end = end_of(path, asking.asked, asking.policy, kept.kept_at)
    return ProofEnd(state="waiting", ends_at=end.at, ends_by=end.by, not_before=kept.kept_at)


def _newest(finding: SignatureFinding) -> str:
    """Return whose certificate proves a signature the longest: of its last believed stamp."""
    believed = [
        stamp
        for stamp in finding.timestamps
        if stamp.indication is Indication.TOTAL_PASSED and stamp.authority
    ]
    signer = max(believed, key=lambda one: one.at).authority if believed else finding.signer
    return signer.certificate_sha256 if signer else ""


def _nothing(at: datetime) -> ProofEnd:
    return ProofEnd(state=CLOSED, ends_at=None, ends_by="", not_before=at)
