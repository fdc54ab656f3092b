"""The page of a report for who reads Russian: nothing of what was found is left in English."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.model import Attached, Check, CheckStatus, Part, SignatureReport
from gateway.sandbox.pki import Pki
from gateway.sentences import table
from gateway.signature_report.as_json import to_json
from gateway.signature_report.page import page_of
from gateway.signature_report.render import render
from gateway.verification import with_powers
from tests.pki.build import NOW
from tests.unit.qualification.test_attorney import attorney
from tests.unit.signatures import made_json, made_xml, pdf_made
from tests.unit.signatures.cms_made import adding, attribute, stamp
from tests.unit.signatures.made import BUNDLE, XML, beside, document, signed, verifier

SIGNATURE_TIME_STAMP = "1.2.840.113549.1.9.16.2.14"
LATIN = re.compile("[a-z]{3,}")
SENTENCES = {english: russian for group in table().values() for english, russian in group.items()}
ENGLISH = set(LATIN.findall(" ".join(SENTENCES))) - set(LATIN.findall(" ".join(SENTENCES.values())))
"""Words of the English sentences that no Russian one has."""

Made = Callable[[Pki], SignatureReport]


def judged(pki: Pki, octets: bytes, *signatures: bytes, days: int = 0) -> SignatureReport:
    at = NOW + timedelta(days=days)
    return verifier(pki).verify(document(octets), beside(*signatures), at)


def stamped_elsewhere(pki: Pki) -> bytes:
    """Return a signature with a time-stamp of other octets."""
    value = attribute(SIGNATURE_TIME_STAMP, stamp(pki, b"other octets"))
    return adding(signed(pki), value)


def changed_xml(pki: Pki) -> bytes:
    octets = signed(pki, form="xmldsig", octets=XML, detached=False)
    return octets.replace(b"5,10", b"5,11")


def pointing_nowhere(pki: Pki) -> bytes:
    whole = made_xml.WHOLE.replace("<b>", '<b Id="b">')
    octets = made_xml.signed_xml(pki, whole, made_xml.Ref(uri="#b", transforms=""))
    return octets.replace(b'<b Id="b">', b"<b>")


def changed_pdf(pki: Pki) -> bytes:
    file = pdf_made.pdf_signed(pki)
    return pdf_made.appended(file, {pdf_made.CONTENT: pdf_made.stream(pdf_made.FORGED)})


def without_powers(pki: Pki) -> SignatureReport:
    """Return a person's signature under a power of attorney that somebody else signed."""
    power = Part(name="attorney", media_type="application/xml", body=attorney())
    foreign = beside(signed(pki, "gost256-doctor", octets=power.body))
    unread = replace(power, body=b"<a/>")
    report = judged(pki, BUNDLE, signed(pki, "gost256-person"))
    both = (Attached(attorney=power, signatures=foreign), Attached(attorney=unread, signatures=()))
    return with_powers(report, both, verifier(pki), NOW, kept=True)


def by_key(pki: Pki, name: str, **header: object) -> bytes:
    return made_json.compact(made_json.signing(name), name, lambda own: own.update(header))


FAILING: dict[str, Made] = {
    "changed after signing": lambda pki: judged(pki, BUNDLE + b"\n", signed(pki)),
    "of another document": lambda pki: judged(pki, b"{}", signed(pki, "rsa-doctor")),
    "expired": lambda pki: judged(pki, BUNDLE, signed(pki, "gost256-expired")),
    "revoked": lambda pki: judged(pki, BUNDLE, signed(pki, "gost256-revoked")),
    "by a stranger": lambda pki: judged(pki, BUNDLE, signed(pki, "stranger")),
    "without a current list": lambda pki: judged(pki, BUNDLE, signed(pki), days=90),
    "by a time-stamping authority": lambda pki: judged(pki, BUNDLE, signed(pki, "gost256-tsa")),
    "of no known form": lambda pki: judged(pki, BUNDLE, b"nothing"),
    "cut short": lambda pki: judged(pki, BUNDLE, signed(pki)[:-9]),
    "stamped elsewhere": lambda pki: judged(pki, BUNDLE, stamped_elsewhere(pki)),
    "XML changed": lambda pki: judged(pki, changed_xml(pki)),
    "XML pointing nowhere": lambda pki: judged(pki, pointing_nowhere(pki)),
    "PDF changed": lambda pki: judged(pki, changed_pdf(pki)),
    "JWS by a key of its own": lambda pki: judged(pki, BUNDLE, by_key(pki, "ES256", crit=["x"])),
    "JWS that proves nothing": lambda pki: judged(pki, BUNDLE, b"eyJhbGciOiJIUzI1NiJ9..AA"),
    "without powers": without_powers,
}


@pytest.mark.parametrize("name", FAILING)
def test_the_page_of_a_failing_signature_has_no_english_left(pki: Pki, name: str) -> None:
    report = FAILING[name](pki)
    page = page_of(report, BUNDLE, "ru")
    told = [row.detail for part in page.signatures for row in (*part.checks, *part.conditions)]
    told += [hint for part in page.signatures for hint in part.hints]
    told += [part.verdict for part in page.signatures]
    assert re.search("[а-яё]", " ".join(told))
    assert {text for text in told if ENGLISH.intersection(LATIN.findall(text))} == set()


@pytest.mark.parametrize("name", FAILING)
def test_the_answer_for_machines_stays_english(pki: Pki, name: str) -> None:
    """The page is made of the same report, and nothing of that is changed."""
    report = FAILING[name](pki)
    before = json.dumps(to_json(report), ensure_ascii=False)
    render("html", report, BUNDLE, "ru")
    assert json.dumps(to_json(report), ensure_ascii=False) == before
    details = [check.detail for one in report.signatures for check in one.checks]
    assert [check["detail"] for one in _signatures(report) for check in one["checks"]] == details
    known = [one for one in details if SENTENCES.get(one, one) != one]
    assert all(re.search("[a-z]", one) for one in known)


@pytest.mark.parametrize("name", FAILING)
def test_the_page_in_english_says_what_the_checks_say(pki: Pki, name: str) -> None:
    report = FAILING[name](pki)
    page = page_of(report, BUNDLE, "en")
    for part, one in zip(page.signatures, report.signatures, strict=False):
        assert {row.detail for row in part.checks} == {check.detail for check in one.checks}
        assert part.hints == one.hints


def test_html_and_pdf_are_drawn_of_the_russian_page(pki: Pki) -> None:
    report = FAILING["changed after signing"](pki)
    html = render("html", report, BUNDLE, "ru").octets.decode()
    assert "хеш streebog256 не совпадает" in html
    assert "после подписания изменены концы строк" in html
    assert "differs" not in html
    english = render("pdf", report, BUNDLE, "en").octets
    assert render("pdf", report, BUNDLE, "ru").octets != english


def test_what_a_stranger_wrote_stays_text_in_a_russian_sentence(pki: Pki) -> None:
    report = judged(pki, BUNDLE, signed(pki))
    evil = Check(name="format", status=CheckStatus.FAILED, detail="<script>1</script> differs")
    hint = "not signed: <script>, {page}, {{ page }}"
    first = replace(report.signatures[0], checks=(evil,), hints=(hint,))
    html = render("html", replace(report, signatures=(first,)), BUNDLE, "ru").octets.decode()
    assert "хеш &lt;script&gt;1&lt;/script&gt; не совпадает" in html
    assert "не подписано: &lt;script&gt;, {page}, {{ page }}" in html
    assert "<script>" not in html


def _signatures(report: SignatureReport) -> list[dict[str, list[dict[str, str]]]]:
    return to_json(report)["signatures"]  # type: ignore[return-value]
