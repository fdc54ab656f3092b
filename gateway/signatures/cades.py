"""What CAdES adds to a CMS signature: time stamps, certificates, revocation, counter-signatures.

Nothing of it is under the signature (the content time stamp aside), so every part proves
itself: a token by its imprint, a certificate and a list by their own signatures, which are
trust's to judge.

Source: ETSI EN 319 122-1, clauses 5 and A (unsigned attributes); ETSI TS 101 733, 6.2-6.5
(older archive time stamps); RFC 5652, 11.4 (counter-signatures); RFC 5126, 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from asn1crypto import cms

from gateway.algorithms.interface import Algorithms
from gateway.model import CheckedSignature, CheckedTimestamp, Indication
from gateway.signatures import archive, ber, certificates, cms_file
from gateway.signatures.allowance import Allowance
from gateway.signatures.cms_attributes import (
    ARCHIVE_V2,
    ARCHIVE_V3,
    CERTIFICATE_REFERENCES,
    CERTIFICATE_VALUES,
    CONTENT_TIME_STAMP,
    COUNTER_SIGNATURE,
    EVIDENCE_RECORDS,
    LONG_TERM,
    REFERENCES_TIME_STAMP,
    REVOCATION_REFERENCES,
    REVOCATION_VALUES,
    SIGNATURE_POLICY,
    SIGNATURE_TIME_STAMP,
    VALIDATION_TIME_STAMP,
    Unsigned,
    values_of,
)
from gateway.signatures.cms_signer import COUNTERSIGNED, Signer
from gateway.signatures.embedded_records import EmbeddedRecords
from gateway.signatures.findings import (
    CRYPTO_CONSTRAINTS_FAILURE,
    FORMAT_FAILURE,
    MALFORMED,
    Flaw,
    failed,
    undecided,
)
from gateway.signatures.timestamps import check_token, digest_of

COUNTER_DEPTH_MAX = 4
VALUES_MAX = 128
"""Certificates or revocation objects that one signature may bring."""

ARCHIVES_MAX = 16
"""Archive time stamps of one signature: renewed every few years, they last a century."""


def with_additions(
    signer: Signer,
    checked: CheckedSignature,
    allowance: Allowance,
    depth: int = 0,
    records: EmbeddedRecords | None = None,
) -> CheckedSignature:
    """Return a checked signature with what its attributes bring beyond the baseline.

    `signer` has made its checks; `allowance` is the file's, and so are `records`: those are over
    all its signatures.  What cannot be read is a flaw of the signature (FORMAT_FAILURE), and so
    is more than anybody needs.
    """
    if not signer.is_read:
        return checked
    additions = _Additions(signer, checked, allowance, depth, records)
    with signer.checks.recording():
        try:
            additions.read()
        except MALFORMED as error:
            detail = "unsigned attributes not readable"
            raise failed("unsigned_attributes", FORMAT_FAILURE, detail) from error
    return additions.result()


def level(
    basic: str,
    timestamps: Sequence[CheckedTimestamp],
    revocations: Sequence[tuple[str, bytes]],
) -> str:
    """Return the level the form amounts to; what is believed of it is not known here.

    `basic` is the level without additions; a signature that has none gets none.
    """
    kinds = {one.kind for one in timestamps if one.indication is Indication.TOTAL_PASSED}
    if not basic or not kinds & {"signature", "archive"}:
        return basic
    if not revocations:
        return "T"
    return "LTA" if "archive" in kinds else "LT"


class _Additions:
    def __init__(
        self,
        signer: Signer,
        checked: CheckedSignature,
        allowance: Allowance,
        depth: int,
        records: EmbeddedRecords | None,
    ) -> None:
        self.signer = signer
        self.records = records
        self.allowance = allowance
        self.checked = checked
        self.depth = depth
        self.hints = list(checked.hints)
        self.certificates: list[bytes] = list(checked.other_certificates)
        self.revocations: list[tuple[str, bytes]] = list(signer.signed.revocations)
        self.timestamps: list[CheckedTimestamp] = []
        self.counter_signatures: list[CheckedSignature] = []

    def read(self) -> None:
        unsigned = Unsigned.of(self.signer.info)
        self._values(unsigned)
        self._tokens(unsigned)
        self._archives(unsigned)
        for position, written in enumerate(unsigned.values(COUNTER_SIGNATURE)):
            self._counter(written, position)
        if SIGNATURE_POLICY in self.signer.attributes:
            self.hints.append("signature policy named, not processed")
        if self.records is not None:
            self._records(self.records)
        elif any(map(unsigned.values, EVIDENCE_RECORDS)):
            self.hints.append("evidence records are not checked")

    def result(self) -> CheckedSignature:
        checks = self.signer.checks
        return replace(
            self.checked,
            level=level(self.checked.level, self.timestamps, self.revocations),
            other_certificates=tuple(dict.fromkeys(self.certificates)),
            checks=checks.made,
            indication=checks.indication,
            sub_indication=checks.sub_indication,
            hints=tuple(self.hints),
            timestamps=tuple(self.timestamps),
            revocations=tuple(dict.fromkeys(self.revocations)),
            counter_signatures=tuple(self.counter_signatures),
        )

    # --- parts -------------------------------------------------------------------------

    def _values(self, unsigned: Unsigned) -> None:
        """Collect the certificates and revocation objects beside the signature."""
        for written in unsigned.values(CERTIFICATE_VALUES):
            self.certificates.extend(ber.elements(ber.contents(written)))
        for written in unsigned.values(REVOCATION_VALUES):
            self.revocations.extend(_revocation_values(written))
        for written in unsigned.values(LONG_TERM):
            self._long_term(written)
        if max(len(self.certificates), len(self.revocations)) > VALUES_MAX:
            raise failed("unsigned_attributes", FORMAT_FAILURE, "too many validation values")

    def _long_term(self, written: bytes) -> None:
        """Read extraCertificates [0] and extraRevocation [1] (EN 319 122-1, A.2.3)."""
        for part in ber.elements(ber.contents(written))[1:]:
            inner = ber.elements(ber.contents(part)) if part[:1] in (b"\xa0", b"\xa1") else []
            if part[:1] == b"\xa0":
                self.certificates.extend(one for one in inner if certificates.read(one))
            else:
                self.revocations.extend(("crl", one) for one in inner if one[:1] == b"\x30")

    def _tokens(self, unsigned: Unsigned) -> None:
        value = self.signer.info["signature"].native
        content = self.signer.attributes.get(CONTENT_TIME_STAMP)
        if content is not None and self.signer.octets is not None:
            for written in values_of(content):
                self._token(written, self.signer.octets, "content", self.signer.digests)
        for written in unsigned.values(SIGNATURE_TIME_STAMP):
            self._token(written, value, "signature")
        references = unsigned.contents(CERTIFICATE_REFERENCES, REVOCATION_REFERENCES)
        for written in unsigned.values(REFERENCES_TIME_STAMP):
            self._token(written, references, "references")
        stamped = value + unsigned.contents(SIGNATURE_TIME_STAMP) + references
        for written in unsigned.values(VALIDATION_TIME_STAMP):
            self._token(written, stamped, "references")

    def _archives(self, unsigned: Unsigned) -> None:
        if len(unsigned.values(ARCHIVE_V2)) + len(unsigned.values(ARCHIVE_V3)) > ARCHIVES_MAX:
            raise failed("unsigned_attributes", FORMAT_FAILURE, "too many archive time stamps")
        for kind in (ARCHIVE_V2, ARCHIVE_V3):
            for written in unsigned.values(kind):
                if kind == ARCHIVE_V2:
                    self.allowance.take(archive.version_2_size(self.signer))
                try:
                    stamped = archive.stamped_by(kind, written, self.signer, unsigned)
                except Flaw as flaw:
                    # No imprint is of nothing, so the token does not hold; the hint says why.
                    stamped = archive.Stamped(octets=b"", values=())
                    self.hints.append(f"archive time stamp: {flaw.check.detail}")
                self._token(written, stamped.octets, "archive")
                covers = frozenset(map(digest_of, stamped.values))
                archived = replace(self.timestamps[-1], covers=covers)
                self.timestamps[-1] = _by_index(archived, stamped.index, self.signer.algorithms)

    def _token(
        self, written: bytes, stamped: bytes, kind: str, digests: dict[str, bytes] | None = None
    ) -> None:
        self.allowance.take()
        known = self.certificates[: certificates.CERTIFICATES_MAX]
        at_hand, algorithms = self.signer.directory, self.signer.algorithms
        one = check_token(written, stamped, kind, algorithms, known, digests, directory=at_hand)
        self._stamped(one, written)

    def _records(self, records: EmbeddedRecords) -> None:
        """Count the stamps of the file's evidence records as archive time stamps.

        All but the records was there when the first came: nothing else stands in the file.
        """
        there = frozenset(one.sha256 for one in self.timestamps)
        for one, token in records.checked():
            self._stamped(replace(one, covers=one.covers | there), token)

    def _stamped(self, checked: CheckedTimestamp, token: bytes) -> None:
        self.timestamps.append(checked)
        brought, revocations = _in_token(token)
        self.certificates.extend(brought)
        self.revocations.extend(revocations)

    def _counter(self, written: bytes, position: int) -> None:
        """Check a signature over this one's value, and those over it in turn."""
        if self.depth >= COUNTER_DEPTH_MAX:
            raise failed("unsigned_attributes", FORMAT_FAILURE, "counter-signatures too deep")
        self.allowance.take()
        signed = replace(
            self.signer.signed,
            content=self.signer.info["signature"].native,
            content_type=COUNTERSIGNED,
            certificates=certificates.read_all(
                [*_own(self.checked), *dict.fromkeys(self.certificates)]
            ),
        )
        info = cms.SignerInfo.load(written, strict=True)
        counter = Signer(
            signed,
            info,
            None,
            self.signer.algorithms,
            {},
            COUNTERSIGNED,
            directory=self.signer.directory,
        )
        place = f"{self.checked.place}/counter-signature[{position}]"
        checked = with_additions(counter, counter.check(place), self.allowance, self.depth + 1)
        self.counter_signatures.append(checked)


def _by_index(archived: CheckedTimestamp, digest: str, algorithms: Algorithms) -> CheckedTimestamp:
    """Return an archive time stamp, less its pass if its index rests on a digest too weak."""
    reason = algorithms.refused(digest) if digest else None
    if reason is None or archived.indication is not Indication.TOTAL_PASSED:
        return archived
    flaw = undecided("archive_index", CRYPTO_CONSTRAINTS_FAILURE, reason)
    return replace(
        archived,
        checks=(*archived.checks, flaw.check),
        indication=Indication.INDETERMINATE,
        sub_indication=flaw.sub_indication,
    )


def _own(checked: CheckedSignature) -> list[bytes]:
    return [checked.certificate] if checked.certificate is not None else []


def _in_token(written: bytes) -> tuple[list[bytes], list[tuple[str, bytes]]]:
    """Return the certificates and revocation objects that a token brings for its authority."""
    try:
        token = cms_file.opened(written)
        unsigned = Unsigned.of(token.signers[0])
        found = [one.dump() for one in token.certificates]
        for values in unsigned.values(CERTIFICATE_VALUES):
            found.extend(ber.elements(ber.contents(values)))
        revocations = list(token.revocations)
        for values in unsigned.values(REVOCATION_VALUES):
            revocations.extend(_revocation_values(values))
    except (Flaw, *MALFORMED):
        return [], []  # check_token has said what is wrong with it
    return found, revocations


def _revocation_values(written: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what RevocationValues holds: lists [0] and answers [1] (EN 319 122-1, A.1.1.2)."""
    for part in ber.elements(ber.contents(written)):
        (several,) = ber.elements(ber.contents(part))
        for one in ber.elements(ber.contents(several)):
            if part[:1] == b"\xa0":
                yield "crl", one
            elif part[:1] == b"\xa1":
                yield "ocsp", cms_file.whole_answer(one)
