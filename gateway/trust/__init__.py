"""Trust: whether a certificate may be believed at a moment.  Only this room judges them.

`Trust` holds anchors, intermediates, revocation lists and OCSP responses, watches the
folders they came from, and remembers verdicts on paths until the lists they rest on end.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from asn1crypto import x509

from gateway.algorithms.asn1 import MALFORMED
from gateway.algorithms.interface import Algorithms
from gateway.model import Check, CheckStatus, Indication, Signer
from gateway.trust.brought import Lately, Lists, key_of
from gateway.trust.chain import Question, genuine, judge_path
from gateway.trust.definite import octets_of, read_der
from gateway.trust.explain import Verdict
from gateway.trust.finding import (
    Freshness,
    ProviderDescription,
    RevocationList,
    Snapshot,
    TrustFinding,
)
from gateway.trust.fitness import Purpose
from gateway.trust.lists import Accreditation, accreditation_of
from gateway.trust.material import (
    Material,
    fingerprint,
    folders_below,
    material_of,
    read_folders,
    signed_by,
)
from gateway.trust.policy import PathPolicy, read_policy
from gateway.trust.remembered import Span, Verdicts, span_of
from gateway.trust.revocation import answers_about
from gateway.trust.seeking import Seeker
from gateway.trust.signer import read_signer, short_name, signer_of

__all__ = [
    "Accreditation",
    "Freshness",
    "PathPolicy",
    "ProviderDescription",
    "Purpose",
    "Trust",
    "TrustFinding",
    "read_policy",
    "read_signer",
]


SIGNED_MAX = 1024
"""Pairs of certificates of which it is known whether one signed the other."""

ROUNDS_MAX = 6
"""Times something is sought for one verdict: the authorities of a path, then their lists."""


class Trust:
    """Judges certificates.  Safe to use from any number of threads."""

    def __init__(
        self,
        anchors: Sequence[bytes],
        intermediates: Sequence[bytes] = (),
        crls: Sequence[bytes] = (),
        ocsps: Sequence[bytes] = (),
        *,
        algorithms: Algorithms,
        policy: PathPolicy | None = None,
        seeker: Seeker | None = None,
    ) -> None:
        self.algorithms = algorithms
        self.policy = policy or PathPolicy()
        self._seeker = seeker
        self._folders: tuple[Path, ...] = ()
        self._watched: tuple[Path, ...] = ()
        self._fingerprint: tuple[tuple[object, ...], ...] = ()
        self._material = material_of(anchors, intermediates, crls, ocsps)
        self._verdicts, self._lately = Verdicts(), Lately()
        self._signed = OrderedDict[tuple[bytes, bytes], bool]()
        # asn1crypto parses late and in place, so one thread at a time may look at an
        # object; whoever finds a remembered verdict does not come here.
        self._judging = threading.Lock()

    @classmethod
    def load(
        cls,
        folders: Sequence[Path],
        algorithms: Algorithms,
        policy: PathPolicy | None = None,
        seeker: Seeker | None = None,
    ) -> Trust:
        """Return a Trust of all material below `folders`; it follows what changes there.

        Replace files by renaming, so that nobody reads half of one.  What is missing is sought
        on the network only with a `seeker`, whose lists are material too.
        """
        trust = cls((), algorithms=algorithms, policy=policy, seeker=seeker)
        trust._folders = (*folders, *([seeker.folder] if seeker else []))
        trust.reload()
        return trust

    def reload(self) -> bool:
        """Read the folders again if they changed; return whether they had."""
        if not self._folders or self._unchanged():
            return False
        with self._judging:
            if self._unchanged():
                return False
            # Looked at before reading: what changes meanwhile is read again next time.
            watched = folders_below(self._folders)
            seen = fingerprint(watched)
            material = read_folders(self._folders, self.algorithms, self._material.lists)
            # Made anew with the material: a verdict on the old one goes where nobody looks.
            self._material, self._verdicts, self._lately = material, Verdicts(), Lately()
            self._watched, self._fingerprint = watched, seen
        return True

    def judge(
        self,
        certificate: bytes,
        others: Sequence[bytes],
        at: datetime,
        *,
        revocations: Sequence[tuple[str, bytes]] = (),
        purpose: Purpose = "signing",
    ) -> TrustFinding:
        """Return the verdict on `certificate`, used for `purpose` at moment `at`.

        `others` are the certificates that came with the signature, `revocations` the lists
        and OCSP answers (`crl` | `ocsp`, DER); they stand beside our own material.
        """
        assert at.tzinfo is not None, "Times are aware."
        finding = self._judge(certificate, others, at, revocations, purpose)
        if self._seeker is None:
            return finding
        top: bytes | None = certificate
        for _ in range(ROUNDS_MAX):
            if finding.sub_indication == "NO_CERTIFICATE_CHAIN_FOUND" and top is not None:
                top = self._seeker.authority(top)
                others = [top, *others] if top is not None else others
                news = top is not None
            elif finding.sub_indication == "TRY_LATER":
                sought = self._seeker.statuses(finding.chain)
                answers = [answer for answer in sought.answers if answer not in revocations]
                revocations = [*answers, *revocations]
                news = bool(answers) or sought.lists > 0
            else:
                break
            if not news:
                break
            finding = self._judge(certificate, others, at, revocations, purpose)
        return finding

    def _judge(
        self,
        certificate: bytes,
        others: Sequence[bytes],
        at: datetime,
        revocations: Sequence[tuple[str, bytes]],
        purpose: Purpose,
    ) -> TrustFinding:
        self.reload()
        key = key_of(certificate, others, purpose)
        brought = self._lately.lists(revocations) if revocations else None
        verdicts = self._verdicts if brought is None else brought.verdicts
        remembered = verdicts.recall(key, at)
        if remembered is not None:
            return remembered
        read = self._lately.certificates(others)
        with self._judging:
            helping = genuine(read, self._material, self._signed_by)
            # What helps nobody may be different for every time stamp of a file.
            same = key_of(certificate, list(map(octets_of, helping)), purpose)
            span: Span | None = None
            finding = verdicts.recall(same, at)
            if finding is None:
                finding, span = self._found(certificate, helping, at, brought, purpose)
                verdicts.remember(same, finding, span or Span(since=at, until=at))
            verdicts.remember(key, finding, span or Span(since=at, until=at))
        return finding

    def _found(
        self,
        certificate: bytes,
        others: Sequence[x509.Certificate],
        at: datetime,
        brought: Lists | None,
        purpose: Purpose,
    ) -> tuple[TrustFinding, Span | None]:
        """Return the verdict and for how long it holds; None: for this moment."""
        material = self._material
        if brought is not None:
            material = material.beside(brought.crls, brought.ocsps)
        try:
            leaf = read_der(x509.Certificate, certificate)
            signer = signer_of(leaf)
        except MALFORMED:
            return _unreadable(certificate), None
        verdict = self._judged(leaf, others, at, material, purpose)
        finding = TrustFinding(
            status=verdict.indication,
            sub_indication=verdict.sub_indication,
            checks=verdict.checks,
            chain=tuple(c.dump() for c in verdict.path) or (certificate,),
            evidence=_evidence(verdict, at, material),
            signer=signer,
            awaited_issuer=verdict.awaited_issuer,
        )
        # A list brought along may be forged, and how long one holds is asked by name: such a
        # verdict would be remembered for longer than what it really rests on.
        if brought is not None:
            return finding, None
        return finding, span_of(verdict, at, material, self.policy, self.algorithms.policy)

    def _signed_by(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        """Return whether the issuer's key signed a certificate, computed once for a while."""
        pair = (_sha256(certificate), _sha256(issuer))
        if pair not in self._signed:
            self._signed[pair] = signed_by(certificate, issuer, self.algorithms)
            while len(self._signed) > SIGNED_MAX:
                self._signed.popitem(last=False)
        return self._signed[pair]

    def certificates(self) -> tuple[bytes, ...]:
        """Return all certificates at hand (DER), the same object while the folders stay."""
        self.reload()
        with self._judging:
            return self._material.certificates

    def accreditation(self, issuer_certificate: bytes, issued_at: datetime) -> Accreditation:
        """Return whether an authority was accredited when it issued a certificate.

        By the trusted lists in the trust folders; `unknown` without one that can tell.
        """
        self.reload()
        lists = self._material.lists
        return accreditation_of(lists, issuer_certificate, issued_at, self.policy.list_age_max)

    def freshness(self, now: datetime) -> Freshness:
        """Return how fresh the material is at `now`, for `gateway doctor`."""
        self.reload()
        with self._judging:
            material = self._material
            lists = tuple(_described(crl, now) for crl in material.crls)
            authorities = [*material.anchors, *(c for c in material.intermediates if c.ca)]
            current = {
                crl.issuer.hashable
                for crl, one in zip(material.crls, lists, strict=True)
                if not one.stale
            }
            uncovered = tuple(
                dict.fromkeys(
                    short_name(c.subject) for c in authorities if c.subject.hashable not in current
                )
            )
            return Freshness(
                anchors=len(material.anchors),
                intermediates=len(material.intermediates),
                ocsp_responses=len(material.ocsps),
                lists=lists,
                uncovered=uncovered,
                ignored=material.ignored,
                snapshots=_snapshots(material, now, self.policy),
            )

    def providers(self) -> tuple[ProviderDescription, ...]:
        """Return the sources of mathematics in use, and whether they are certified."""
        return tuple(
            ProviderDescription(
                name=provider.NAME, certified=provider.CERTIFIED, families=provider.FAMILIES
            )
            for provider in self.algorithms.providers
        )

    def _unchanged(self) -> bool:
        return bool(self._watched) and fingerprint(self._watched) == self._fingerprint

    def _judged(
        self,
        leaf: x509.Certificate,
        brought: Sequence[x509.Certificate],
        at: datetime,
        material: Material,
        purpose: Purpose,
    ) -> Verdict:
        try:
            question = Question(
                leaf=leaf,
                others=brought,
                at=at,
                purpose=purpose,
                policy=self.policy,
                algorithms=self.algorithms,
            )
            return judge_path(question, material)
        except (NotImplementedError, *MALFORMED) as error:
            # A certificate can be malformed deeper than anybody looks beforehand; that is
            # unknown, never passed.
            check = Check(
                name="certificate_chain",
                status=CheckStatus.INDETERMINATE,
                detail=f"the path could not be read ({type(error).__name__})",
            )
            return Verdict(
                indication=Indication.INDETERMINATE,
                sub_indication="CERTIFICATE_CHAIN_GENERAL_FAILURE",
                checks=(check,),
                path=(leaf,),
            )


def _evidence(verdict: Verdict, at: datetime, material: Material) -> tuple[tuple[str, bytes], ...]:
    path = verdict.path
    found = [("certificate", c.dump()) for c in path]
    issuers = {c.issuer.hashable for c in path[:-1]}
    found += [("crl", octets_of(crl)) for crl in material.crls if crl.issuer.hashable in issuers]
    found += [("ocsp", octets_of(response)) for response in answers_about(material, path)]
    return tuple(found)


def _described(crl: object, now: datetime) -> RevocationList:
    times = crl["tbs_cert_list"]  # type: ignore[index]
    ends = times["next_update"].native
    return RevocationList(
        issuer=short_name(times["issuer"]),
        this_update=times["this_update"].native,
        next_update=ends,
        stale=ends is None or not times["this_update"].native <= now <= ends,
        entries=len(times["revoked_certificates"]),
    )


def _snapshots(material: Material, now: datetime, policy: PathPolicy) -> tuple[Snapshot, ...]:
    newest = {one.source: one for one in sorted(material.lists, key=lambda one: one.issued_at)}
    return tuple(
        Snapshot(
            source=source,
            issued_on=one.issued_at.date(),
            speaks_until=one.speaks_until(policy.list_age_max),
            stale=one.speaks_until(policy.list_age_max) < now,
        )
        for source, one in sorted(newest.items())
    )


def _sha256(certificate: x509.Certificate) -> bytes:
    return hashlib.sha256(octets_of(certificate)).digest()


def _unreadable(certificate: bytes) -> TrustFinding:
    check = Check(name="signing_certificate", status=CheckStatus.FAILED, detail="not a certificate")
    return TrustFinding(
        status=Indication.INDETERMINATE,
        sub_indication="NO_SIGNING_CERTIFICATE_FOUND",
        checks=(check,),
        chain=(),
        evidence=(),
        signer=Signer(subject="", certificate_sha256=hashlib.sha256(certificate).hexdigest()),
    )
