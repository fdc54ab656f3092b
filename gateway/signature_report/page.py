"""What the page for people says: one value, drawn as HTML or as PDF.

It names the document by its digest, never by what it says: a report may travel further than
the document (no patient's data is in it beyond what a certificate tells of the signer).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from gateway import sentences
from gateway.model import (
    Covered,
    SignatureFinding,
    SignatureReport,
    Signer,
    TimestampFinding,
)
from gateway.sentences import moment
from gateway.signature_report import attorneys
from gateway.signature_report.parts import TONES, CheckRow, Row, SignaturePart, check_rows, place_of
from gateway.signature_report.words import Words

__all__ = ["CheckRow", "Page", "Row", "SignaturePart", "page_of"]

SIGNATURES_MAX = 64
"""On one page; beyond it the JSON is for machines."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """The whole page, in one language."""

    words: Words
    title: str
    tone: str
    verdict: str
    rows: tuple[Row, ...]
    signatures: tuple[SignaturePart, ...]
    """The document's, and after them the powers of attorney that came with it."""


def page_of(report: SignatureReport, document: bytes | None, language: str) -> Page:
    """Return the page on `report` about `document`, in `language` (`ru` or `en`).

    None stands for a document that is not kept any more.
    """
    words = Words(language=language)
    judge = report.judge
    certified = words("page", "certified" if judge.certified else "uncertified")
    size = "—" if document is None else f"{len(document)} {words('page', 'bytes')}"
    digest = "—" if document is None else hashlib.sha256(document).hexdigest()
    rows = (
        (words("page", "document"), size),
        (words("page", "sha256"), digest),
        (words("page", "engine"), f"{judge.engine or '—'}; {certified}"),
        (words("page", "policy"), f"{judge.policy or '—'} {judge.policy_sha256[:16]}"),
    )
    parts = tuple(_parts(report.signatures, words, words("page", "signature")))
    return Page(
        words=words,
        title=words("page", "title"),
        tone=TONES[report.indication],
        verdict=words("together", report.indication.value)
        if parts
        else words("page", "no_signatures"),
        rows=rows,
        signatures=(
            *parts[:SIGNATURES_MAX],
            *(attorneys.part(one, words) for one in report.attorneys),
        ),
    )


def _parts(
    findings: tuple[SignatureFinding, ...], words: Words, title: str
) -> Iterator[SignaturePart]:
    for number, finding in enumerate(findings, start=1):
        own = f"{title} {number}"
        yield _part(finding, words, own)
        counter = f"{own}: {words('page', 'counter').lower()}"
        yield from _parts(finding.counter_signatures, words, counter)


def _part(finding: SignatureFinding, words: Words, title: str) -> SignaturePart:
    verdict = words("indication", finding.indication.value)
    if finding.sub_indication:
        verdict += f": {words('sub_indication', finding.sub_indication)}"
    return SignaturePart(
        title=title,
        tone=TONES[finding.indication],
        verdict=verdict,
        rows=tuple(_rows(finding, words)),
        checks=check_rows(finding.checks, words),
        conditions=check_rows(finding.qualification_checks, words),
        hints=tuple(sentences.say(hint, words.language) for hint in finding.hints),
    )


def _rows(finding: SignatureFinding, words: Words) -> Iterator[Row]:
    def row(key: str, text: str) -> Row:
        return words("page", key), text

    if finding.signer is not None:
        yield row("signer", _named(finding.signer))
        if finding.signer.organization:
            yield row("organization", _organization(finding.signer))
        yield row("issuer", finding.signer.issuer)
        yield row("serial", finding.signer.serial)
    yield row("qualification", words("qualification", finding.qualification))
    yield row("code", ", ".join(filter(None, (finding.indication.value, finding.sub_indication))))
    yield row("format", f"{finding.format} {finding.level}".strip() or "—")
    yield row("place", place_of(finding.place, words) if finding.place else "—")
    for covered in finding.covered:
        yield row("covered", _covered(covered, words))
    best = finding.times.best
    yield row("best", moment(best) if best else words("page", "unproven"))
    if finding.times.claimed:
        yield row("claimed", moment(finding.times.claimed))
    yield row("validation", moment(finding.times.validation))
    if finding.claimed is not None:
        yield row("claimed_signer", words("claim", finding.claimed_signer))
    for stamp in finding.timestamps:
        yield row("timestamps", _stamp(stamp, words))


def _named(signer: Signer) -> str:
    numbers = (("СНИЛС", signer.snils), ("ИНН", signer.inn))
    told = [f"{name} {number}" for name, number in numbers if number]
    return ", ".join([signer.common_name or signer.subject, *told])


def _organization(signer: Signer) -> str:
    ogrn = f", ОГРН {signer.ogrn}" if signer.ogrn else ""
    return f"{signer.organization}{ogrn}"


def _covered(covered: Covered, words: Words) -> str:
    digest = hashlib.sha256(covered.octets).hexdigest()
    size = f"{len(covered.octets)} {words('page', 'bytes')}"
    scope = "PARTIAL" if covered.covers_enclosing is False else covered.scope
    return f"{words('scope', scope)}, {size}, SHA-256 {digest[:16]}…"


def _stamp(stamp: TimestampFinding, words: Words) -> str:
    verdict = words("indication", stamp.indication.value)
    if stamp.sub_indication:
        # Some mean another thing here: a token over something else tells of no change of the
        # document, and whose certificate ended is the authority's.
        own = words.knows("timestamp", stamp.sub_indication)
        group = "timestamp" if own else "sub_indication"
        verdict = words(group, stamp.sub_indication)
    authority = stamp.authority.common_name if stamp.authority else "—"
    return f"{words('timestamp', stamp.kind)}, {moment(stamp.at)}, {authority}: {verdict}"
