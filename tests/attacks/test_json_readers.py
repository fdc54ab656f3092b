"""JSON that two readers understand differently never passes for what one of them reads.

I1 to I5 name the classes of attack; each test says in its name what is tried.
"""

from __future__ import annotations

import pytest

from gateway.fhir import canonical, text
from gateway.model import Indication
from gateway.sandbox.pki import Pki
from gateway.signatures.sign import Form
from gateway.verification import Verifier, signed_octets
from tests.attacks.signed_json import (
    BUNDLE,
    FORMS,
    TYPE,
    refusal,
    sealed,
)
from tests.pki.build import NOW
from tests.unit.signatures.made import document, passes_whole, verifier


@pytest.fixture(scope="module")
def judge(pki: Pki) -> Verifier:
    return verifier(pki)


@pytest.mark.parametrize(
    ("written", "doubled"),
    [
        (b'"value":5.00', b'"value":9.00,"value":5.00'),
        (b'"value":5.00', b'"value":5.00,"value":9.00'),
        (b'"value":5.00', b'"value":5.00,"v\\u0061lue":9.00'),
        (b'"type":"collection"', b'"type":"collection","type":"collection"'),
        (b'"signature":', b'"signature":null,"signature":'),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_i1_a_name_twice_never_passes(
    pki: Pki, judge: Verifier, form: Form, written: bytes, doubled: bytes
) -> None:
    octets = sealed(pki, form=form)
    assert written in octets
    report = judge.verify(document(octets.replace(written, doubled, 1), TYPE), (), NOW)
    assert report.indication is Indication.TOTAL_FAILED


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("written", [b"5", b"5.0", b"5e0", b"0.5E1", b"50e-1", b"5.00"])
def test_i2_another_way_to_write_a_number_is_the_same_value_with_its_own_digits(
    pki: Pki, judge: Verifier, form: Form, written: bytes
) -> None:
    """What was signed is the number; the digits are the sender's, and are told as such."""
    part = document(sealed(pki, form=form).replace(b"5.00", written), TYPE)
    report = judge.verify(part, (), NOW)
    assert report.indication is Indication.TOTAL_PASSED
    octets, _ = signed_octets(report, part)
    assert b'"value":' + written + b"," in octets
    assert canonical.canonical(text.loads(octets)) == report.signatures[0].covered[0].octets


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "written", [b"5.00000000000000000001", b"5.000000000000000444", b"1e400", b"9.9e308", b"NaN"]
)
def test_i2_a_number_that_a_double_changes_never_passes(
    pki: Pki, judge: Verifier, form: Form, written: bytes
) -> None:
    octets = sealed(pki, form=form).replace(b"5.00", written)
    assert refusal(judge, octets) in ("SIG-209", "SIG-203")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "written", [b"\\ud800", b"\\udc00\\ud800", b"\\u0000", b"\xed\xa0\x80", b"\xff", b"\xc0\xaf"]
)
def test_i3_text_that_is_no_unicode_never_passes(
    pki: Pki, judge: Verifier, form: Form, written: bytes
) -> None:
    octets = sealed(pki, form=form).replace(b"mmol/L", written)
    report = judge.verify(document(octets, TYPE), (), NOW)
    assert report.indication is Indication.TOTAL_FAILED


@pytest.mark.parametrize("form", FORMS)
def test_i3_text_that_looks_alike_is_not_the_same(pki: Pki, judge: Verifier, form: Form) -> None:
    """Canonical JSON normalises no letters: composed and decomposed are two texts."""
    octets = sealed(pki, BUNDLE.replace(b"mmol/L", "Å".encode()), form)
    alike = octets.replace("Å".encode(), "A\u030a".encode())
    assert judge.verify(document(alike, TYPE), (), NOW).indication is Indication.TOTAL_FAILED


@pytest.mark.parametrize("declared", [m for m in canonical.METHODS if m != canonical.JSON])
def test_i4_only_the_declared_canonicalisation_is_tried(
    pki: Pki, judge: Verifier, declared: str
) -> None:
    """Who tries them all lets a forger choose which members nobody signed."""
    octets = sealed(pki, BUNDLE.replace(b"{", b'{"id":"1","meta":{},"text":{},', 1), "cades")
    report = judge.verify(
        document(octets.replace(canonical.JSON.encode(), declared.encode()), TYPE), (), NOW
    )
    assert report.indication is Indication.TOTAL_FAILED
    assert any("verifies under json," in hint for hint in report.signatures[0].hints)


def test_i4_a_signed_declaration_is_not_outvoted_by_an_unsigned_one(
    pki: Pki, judge: Verifier
) -> None:
    octets = sealed(pki)
    declared = f"canonicalization={canonical.JSON}".encode()
    assert declared in octets
    report = judge.verify(document(octets.replace(declared, declared + b"#static"), TYPE), (), NOW)
    assert report.indication is Indication.INDETERMINATE


@pytest.mark.parametrize("form", FORMS)
def test_i5_only_the_bundles_own_signature_is_left_out(
    pki: Pki, judge: Verifier, form: Form
) -> None:
    """A member of that name further in, or of a name like it, is signed as any other."""
    deep = BUNDLE.replace(b'"valueQuantity"', b'"signature":{"data":"AAAA"},"valueQuantity"')
    octets = sealed(pki, deep, form)
    assert passes_whole(judge.verify(document(octets, TYPE), (), NOW))
    for change in (
        (b'"data":"AAAA"', b'"data":"BBBB"'),
        (b'"signature":{"data":"AAAA"},', b""),
        (b'{"resourceType":"Bundle"', b'{"Signature":1,"resourceType":"Bundle"'),
        (b'{"resourceType":"Bundle"', b'{"_signature":{},"resourceType":"Bundle"'),
    ):
        assert change[0] in octets
        report = judge.verify(document(octets.replace(*change, 1), TYPE), (), NOW)
        assert report.indication is not Indication.TOTAL_PASSED, change
