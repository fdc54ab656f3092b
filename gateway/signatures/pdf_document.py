"""The signatures and document time stamps of one PDF file, put together.

Source: ISO 32000-2, clauses 12.8.1 (dictionaries), 12.8.3.3 (CMS) and 12.8.5 (document time
stamps); ETSI EN 319 142-1, clauses 5.4 and 6.3 (levels).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pyhanko.pdf_utils import generic

from gateway.algorithms.interface import Algorithms
from gateway.model import (
    CheckedSignature,
    CheckedTimestamp,
    CheckStatus,
    Covered,
    Indication,
    Part,
)
from gateway.signatures import cades, cms_file, findings, pdf_changes, pdf_file, pdf_ranges
from gateway.signatures import pdf_store as stores
from gateway.signatures.allowance import Allowance
from gateway.signatures.cms_signer import Signer
from gateway.signatures.directory import Directory
from gateway.signatures.findings import (
    CRYPTO_CONSTRAINTS_FAILURE,
    FORMAT_FAILURE,
    HASH_FAILURE,
    MALFORMED,
    SIG_CONSTRAINTS_FAILURE,
    Checks,
    Flaw,
    failed,
    not_done,
    undecided,
)
from gateway.signatures.pdf_file import Field, Reader
from gateway.signatures.pdf_ranges import Extent
from gateway.signatures.timestamps import UNREAD, check_token

MEDIA_TYPE = "application/pdf"
PLAIN, ADES = "PDF", "PAdES"

DETACHED = ("/ETSI.CAdES.detached", "/adbe.pkcs7.detached")
DIGESTED = "/adbe.pkcs7.sha1"
"""Its CMS signs content of its own: the SHA-1 of the byte range (clause 12.8.3.3.1)."""

WEAK = "/adbe.x509.rsa_sha1"
"""No CMS, and SHA-1 by definition."""

COVERED_BYTES_MAX = 128 * 1024 * 1024
"""Octets that all signatures of one file cover together."""

REVOCATION_ARCHIVAL = "1.2.840.113583.1.1.8"


def signatures_in(
    octets: bytes, algorithms: Algorithms, directory: Directory
) -> tuple[CheckedSignature, ...]:
    """Check every signature of a PDF file.

    One that cannot be read has none, unless it says that it has some.
    """
    try:
        reader = pdf_file.opened(octets)
        fields = pdf_file.fields(reader)
        with pdf_file.reading("format", "signatures not readable"):
            return _Document(reader, algorithms, directory).checked(fields)
    except Flaw as flaw:
        # A signature dictionary is never compressed, for its place in the file counts.
        if b"/ByteRange" not in octets:
            return ()
        return (findings.refused("document", flaw, PLAIN),)


@dataclass(frozen=True, kw_only=True)
class _Found:
    """One signature dictionary, read or flawed."""

    field: Field
    extent: Extent | None = None
    flaw: Flaw | None = None

    @property
    def is_stamp(self) -> bool:
        return pdf_file.is_stamp(self.field.value)

    @property
    def begins(self) -> int:
        return self.extent.ranges.gap[0] if self.extent else -1


@dataclass(frozen=True, kw_only=True)
class _Stamp:
    """A document time stamp that was checked."""

    extent: Extent
    checked: CheckedTimestamp


class _Document:
    """The signatures of one file."""

    def __init__(self, reader: Reader, algorithms: Algorithms, directory: Directory) -> None:
        self.reader = reader
        self.directory = directory
        self.algorithms = algorithms
        self.allowance = Allowance()
        self.store = stores.Store()
        self.store_flaw: Flaw | None = None
        try:
            self.store = stores.store_of(reader)
        except Flaw as flaw:
            self.store_flaw = flaw

    def checked(self, fields: Sequence[Field]) -> tuple[CheckedSignature, ...]:
        covered = 0
        found: list[_Found] = []
        for field in fields:
            one = self._read(field)
            covered += len(one.extent.octets) if one.extent else 0
            if covered > COVERED_BYTES_MAX:
                detail = "signatures that cover more together than any need to"
                raise undecided("format", SIG_CONSTRAINTS_FAILURE, detail)
            found.append(one)
        found.sort(key=lambda one: one.begins)
        stamps = [
            self._stamp(one.field, one.extent) for one in found if one.is_stamp and one.extent
        ]
        places = [f"document/signature[{position}]" for position in range(len(found))]
        signatures = tuple(
            self._signature(one, place, stamps)
            for one, place in zip(found, places, strict=True)
            if not (one.is_stamp and one.extent)
        )
        if signatures or not stamps:
            return signatures
        return (_stamped_only(stamps, self.store),)

    def _read(self, field: Field) -> _Found:
        try:
            return _Found(field=field, extent=pdf_ranges.extent_of(self.reader, field))
        except Flaw as flaw:
            return _Found(field=field, flaw=flaw)

    # --- signatures --------------------------------------------------------------------

    def _signature(self, found: _Found, place: str, stamps: Sequence[_Stamp]) -> CheckedSignature:
        try:
            if found.extent is None:
                assert found.flaw is not None
                raise found.flaw
            form = _claimed_form(found.field.value)
            signer = self._signer(found.extent, form)
        except Flaw as flaw:
            return findings.refused(place, flaw, PLAIN)
        extent = found.extent
        checked = signer.check(place)
        if form == DIGESTED:
            checked = self._digested(signer, checked, extent)
        if checked.claimed_at is None:
            checked = replace(checked, claimed_at=_written_at(found.field.value))
        with signer.checks.recording():
            if extent.flaw is not None:
                raise extent.flaw
            signer.checks.passed("byte_range", extent.reference)
            if not extent.whole:
                pdf_changes.check_later(self.reader, found.field, extent, signer.checks)
        checked = cades.with_additions(signer, checked, self.allowance)
        return self._with_document(signer, checked, extent, stamps)

    def _signer(self, extent: Extent, form: str) -> Signer:
        signed = cms_file.opened(extent.signature)
        if signed.content is not None and form in DETACHED:
            # Its digest would be of that content, and the document would be nobody's.
            raise failed("format", FORMAT_FAILURE, "a signature over content of its own")
        if signed.content is None and form == DIGESTED:
            raise failed("format", FORMAT_FAILURE, "a signature without the digest it signs")
        if len(signed.signers) != 1:
            raise failed("format", FORMAT_FAILURE, f"{len(signed.signers)} signers, not one")
        document = Part(name="document", media_type=MEDIA_TYPE, body=extent.octets)
        beside = document if signed.content is None else None
        return Signer(
            signed, signed.signers[0], beside, self.algorithms, {}, directory=self.directory
        )

    def _digested(
        self, signer: Signer, checked: CheckedSignature, extent: Extent
    ) -> CheckedSignature:
        """Check that what is signed is the SHA-1 of the byte range; return what that covers."""
        covered: tuple[Covered, ...] = ()
        with signer.checks.recording():
            digest = findings.digest(self.algorithms, "sha1", extent.octets, "byte_range")
            if signer.signed.content != digest:
                raise failed("byte_range", HASH_FAILURE, "sha1 differs")
            covered = tuple(
                replace(one, octets=extent.octets, media_type=MEDIA_TYPE) for one in checked.covered
            )
            findings.strong_digest(self.algorithms, "sha1", "crypto_policy")
        return replace(checked, covered=covered)

    def _with_document(
        self,
        signer: Signer,
        checked: CheckedSignature,
        extent: Extent,
        stamps: Sequence[_Stamp],
    ) -> CheckedSignature:
        """Return a signature with what the document adds to it: stamps and material."""
        checks = signer.checks
        if self.store_flaw is not None:
            checks.flawed(self.store_flaw)
        archived = _archived(signer)
        revocations = (*checked.revocations, *archived, *self.store.revocations)
        own = bool(checked.revocations or archived)
        inside = checked.timestamps
        timestamps = (*inside, *self._around(extent, stamps, own, inside))
        is_ades = checked.format == "CAdES"
        return replace(
            checked,
            format=ADES if is_ades else PLAIN,
            level=cades.level("B" if is_ades else "", timestamps, revocations),
            covered=tuple(_covered(one, extent) for one in checked.covered),
            other_certificates=tuple(
                dict.fromkeys((*checked.other_certificates, *self.store.certificates))
            ),
            revocations=tuple(dict.fromkeys(revocations)),
            timestamps=timestamps,
            checks=checks.made,
            indication=checks.indication,
            sub_indication=checks.sub_indication,
        )

    # --- document time stamps ----------------------------------------------------------

    def _stamp(self, field: Field, extent: Extent) -> _Stamp:
        """Check a document time stamp; what is wrong with its range or after it breaks it."""
        known = self.store.certificates
        checked = check_token(
            extent.signature,
            extent.octets,
            "archive",
            self.algorithms,
            known,
            directory=self.directory,
        )
        checks = Checks()
        with checks.recording():
            if field.value.get("/Type") != "/DocTimeStamp":
                raise failed("format", FORMAT_FAILURE, "not a document time stamp by its type")
            if extent.flaw is not None:
                raise extent.flaw
            if not extent.whole:
                pdf_changes.check_later(self.reader, field, extent, checks)
        for flaw in checks.flaws:
            checked = _flawed(checked, flaw)
        return _Stamp(extent=extent, checked=checked)

    def _around(
        self,
        extent: Extent,
        stamps: Sequence[_Stamp],
        own: bool,
        inside: Sequence[CheckedTimestamp],
    ) -> list[CheckedTimestamp]:
        """Return the time stamps over a signature, and those it was made over.

        One over the signature proves that it existed, and for the long term when it covers
        the material to judge it by: the store's, or what the signature has of its `own`.
        It covers the tokens `inside` the signature, and the stamps before its own.
        """
        found: list[CheckedTimestamp] = []
        since = self.store.since
        for one in stamps:
            if one.extent.ranges.gap[0] >= extent.ranges.end:
                lasting = own or (since is not None and since <= one.extent.revision)
                before = [
                    s.checked for s in stamps if s.extent.ranges.end <= one.extent.ranges.gap[0]
                ]
                covers = frozenset(token.sha256 for token in (*inside, *before))
                kind = "archive" if lasting else "signature"
                found.append(replace(one.checked, kind=kind, covers=covers))
            elif one.extent.ranges.end <= extent.ranges.gap[0]:
                found.append(replace(one.checked, kind="content"))
        return found


def _claimed_form(dictionary: Any) -> str:
    """Return the form (SubFilter); raises the flaw of one that is not claimed here."""
    kind = dictionary.get("/Type", "/Sig")
    form = dictionary.get("/SubFilter")
    if kind != "/Sig":
        raise failed("format", FORMAT_FAILURE, "not a signature by its type")
    if not isinstance(form, generic.NameObject):
        raise failed("format", FORMAT_FAILURE, "no SubFilter")
    if form == WEAK:
        detail = f"{form[1:]} rests on SHA-1 and is not claimed"
        raise undecided("format", CRYPTO_CONSTRAINTS_FAILURE, detail)
    if form not in (*DETACHED, DIGESTED):
        shown = findings.shown(str(form), DETACHED, "SubFilter")
        raise not_done("format", SIG_CONSTRAINTS_FAILURE, shown)
    return str(form)


def _covered(covered: Covered, extent: Extent) -> Covered:
    return replace(
        covered,
        scope="FULL" if extent.whole else "PARTIAL",
        covers_enclosing=extent.whole,
        reference=extent.reference,
    )


def _written_at(dictionary: Any) -> datetime | None:
    """Return the time of signing that the dictionary claims (M); one without a zone is none."""
    try:
        moment = generic.parse_pdf_date(dictionary["/M"], strict=False)
    except pdf_file.UNREADABLE:
        return None
    return moment.astimezone(UTC) if moment.tzinfo is not None else None


def _archived(signer: Signer) -> list[tuple[str, bytes]]:
    """Return the revocation objects in Adobe's signed attribute (ISO 32000-2, 12.8.3.3.2)."""
    found: list[tuple[str, bytes]] = []
    try:
        for value in signer.attributes.get(REVOCATION_ARCHIVAL, ()):
            for crl in value["crl"] or ():
                found.append(("crl", crl.dump()))
            for answer in value["ocsp"] or ():
                found.append(("ocsp", cms_file.whole_answer(answer.dump())))
    except MALFORMED:
        return []
    return found[: cades.VALUES_MAX]


def _flawed(checked: CheckedTimestamp, flaw: Flaw) -> CheckedTimestamp:
    """Return a time stamp that does not hold for a reason outside its token."""
    if checked.indication is Indication.TOTAL_FAILED:
        return checked
    broken = flaw.check.status is CheckStatus.FAILED
    return replace(
        checked,
        checks=(*checked.checks, flaw.check),
        indication=Indication.TOTAL_FAILED if broken else Indication.INDETERMINATE,
        sub_indication=flaw.sub_indication,
    )


def _stamped_only(stamps: Sequence[_Stamp], store: stores.Store) -> CheckedSignature:
    """Return what is to be said of a document that is stamped and that nobody signed."""
    detail = "document time stamps alone: nobody signed"
    flaw = undecided("format", SIG_CONSTRAINTS_FAILURE, detail)
    return replace(
        findings.refused("document", flaw, PLAIN),
        other_certificates=store.certificates,
        revocations=store.revocations,
        timestamps=tuple(one.checked for one in stamps if one.checked.at != UNREAD),
    )
