"""Signatures inside FHIR XML: over this bundle, in the declared form, as in JSON."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from gateway.fhir import canonical_xml
from gateway.model import CheckedSignature, Indication
from gateway.sandbox.pki import Pki
from gateway.signatures import fhir_signature
from gateway.signatures.sign import Form, sign, sign_bundle
from gateway.verification import signed_octets
from gateway.xml.parser import parse
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import FAMILIES, document, verifier

PASSED, FAILED, UNKNOWN = (
    Indication.TOTAL_PASSED,
    Indication.TOTAL_FAILED,
    Indication.INDETERMINATE,
)
TYPE = "application/fhir+xml"
FORMS: tuple[Form, ...] = ("jws", "cades")
BUNDLE = """<?xml version="1.0" encoding="UTF-8"?>
<Bundle xmlns="http://hl7.org/fhir">
  <!-- a collection -->
  <id value="b1"/>
  <meta><versionId value="1"/></meta>
  <type value="collection"/>
  <entry><resource><Observation>
    <text><status value="generated"/>
      <div xmlns="http://www.w3.org/1999/xhtml">Кровь:  <b>5,00</b></div></text>
    <valueQuantity><value value="5.00"/></valueQuantity>
  </Observation></resource></entry>
</Bundle>""".encode()


def sealed(
    pki: Pki,
    form: Form = "jws",
    name: str = "gost256-doctor",
    octets: bytes = BUNDLE,
    method: str = canonical_xml.XML,
    declared: str | None = None,
    *,
    head: bool = True,
    content: bytes | None = None,
) -> bytes:
    """Return the bundle with a signature over its canonical form, or over `content` inside."""
    files = pki.signer(name)
    with_head, without = canonical_xml.forms(parse(octets), method)
    data = sign(
        content if content is not None else (with_head if head else without),
        key=files.private_key(),
        chain=files.chain(),
        algorithms=ALGORITHMS,
        form=form,
        detached=content is None,
        at=NOW,
    )
    target = f"{TYPE};canonicalization={declared or method}"
    return holding(octets, data, target)


def holding(octets: bytes, data: bytes, target: str = TYPE) -> bytes:
    written = base64.b64encode(data).decode()
    signature = (
        f'<signature><when value="2026-11-21T12:00:00Z"/><who><identifier>'
        f'<system value="urn:oid:1.2.643.100.1"/><value value="1267700000116"/></identifier>'
        f'<type value="Organization"/></who><targetFormat value="{target}"/>'
        f'<sigFormat value="application/jose"/><data value="{written}"/></signature></Bundle>'
    )
    return octets.replace(b"</Bundle>", signature.encode())


def one(octets: bytes) -> CheckedSignature:
    (found,) = fhir_signature.check(document(octets, TYPE), (), ALGORITHMS)
    return found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_bundle_in_xml_carries_its_own_signature(pki: Pki, family: str, form: Form) -> None:
    octets = sealed(pki, form, f"{family}-doctor")
    found = one(octets)
    assert (found.indication, found.place) == (PASSED, "/Bundle/signature"), found.checks
    assert [(c.scope, c.covers_enclosing) for c in found.covered] == [("FULL", True)]
    assert one(octets.replace(b'"5.00"', b'"6.00"')).indication is FAILED


@pytest.mark.parametrize("head", [True, False])
def test_the_standards_two_readings_of_the_declaration_are_one_method(pki: Pki, head: bool) -> None:
    assert one(sealed(pki, head=head)).indication is PASSED


def test_what_is_read_is_what_was_digested(pki: Pki) -> None:
    part = document(sealed(pki), TYPE)
    report = verifier(pki).verify(part, (), NOW)
    assert report.indication is PASSED
    octets, media_type = signed_octets(report, part)
    assert (octets, media_type) == (canonical_xml.forms(parse(BUNDLE), canonical_xml.XML)[0], TYPE)
    assert b'<value value="5.00"></value>' in octets


def test_layout_prefixes_and_comments_are_not_signed(pki: Pki) -> None:
    octets = sealed(pki)
    for change in (
        lambda o: o.replace(b"  <!-- a collection -->\n", b""),
        lambda o: o.replace(b"\n  <type", b"\n\n\t<type"),
        lambda o: o.replace(b"</Bundle>", b"\n</Bundle>"),
        lambda o: o.replace(b"<id value", b"<f:id xmlns:f='http://hl7.org/fhir' value"),
    ):
        assert one(change(octets)).indication is PASSED


@pytest.mark.parametrize(
    "change",
    [
        lambda o: o.replace(b'<type value="collection"/>', b'<type value="batch"/>'),
        lambda o: o.replace(b"<b>5,00</b>", b"<i>5,00</i>"),
        lambda o: o.replace(b"<id ", b"<language value='ru'/><id "),
        lambda o: o.replace(b"</Observation>", b"text</Observation>"),
        lambda o: o.replace(b"<valueQuantity>", b"<valueQuantity id='x'>"),
        lambda o: o.replace(b'<div xmlns="http://www.w3.org/1999/xhtml">', b"<div>"),
    ],
)
def test_every_element_attribute_and_text_is_signed(
    pki: Pki, change: Callable[[bytes], bytes]
) -> None:
    octets = sealed(pki)
    assert change(octets) != octets
    assert one(change(octets)).indication is not PASSED


@pytest.mark.parametrize(
    ("fragment", "left_out"),
    [
        ("#static", b'  <meta><versionId value="1"/></meta>\n'),
        ("#document", b'  <id value="b1"/>\n'),
    ],
)
def test_what_the_declared_form_leaves_out_is_neither_signed_nor_read(
    pki: Pki, fragment: str, left_out: bytes
) -> None:
    octets = sealed(pki, method=canonical_xml.XML + fragment)
    assert one(octets.replace(left_out, b"")).indication is PASSED
    part = document(octets, TYPE)
    read, _ = signed_octets(verifier(pki).verify(part, (), NOW), part)
    assert left_out.split()[0] not in read
    assert one(octets.replace(b'"5.00"', b'"5.0"')).indication is FAILED


def test_only_the_declared_form_is_tried(pki: Pki) -> None:
    """Case I4."""
    found = one(
        sealed(pki, method=f"{canonical_xml.XML}#static", declared=f"{canonical_xml.XML}#data")
    )
    assert (found.indication, found.covered) == (FAILED, ())
    assert "verifies under xml#static, declared is xml#data" in found.hints


def test_the_other_formats_method_is_refused_by_name(pki: Pki) -> None:
    found = one(sealed(pki, declared="http://hl7.org/fhir/canonicalization/json"))
    assert (found.indication, found.sub_indication) == (UNKNOWN, "SIG_CONSTRAINTS_FAILURE")
    assert "canonicalization/json" in found.checks[0].detail


@pytest.mark.parametrize("form", FORMS)
def test_content_inside_is_compared_with_the_bundle_around_it(pki: Pki, form: Form) -> None:
    """Case A18: 53 of 141 published signatures sign another bundle than carries them."""
    own = one(sealed(pki, form, content=BUNDLE.replace(b"\n  <", b"\n<")))
    assert own.indication is PASSED
    assert [(c.scope, c.covers_enclosing) for c in own.covered] == [("FULL", True)]
    other = one(sealed(pki, form, content=BUNDLE.replace(b"5.00", b"9.00")))
    assert (other.indication, other.sub_indication) == (UNKNOWN, "SIG_CONSTRAINTS_FAILURE")
    assert [(c.scope, c.covers_enclosing) for c in other.covered] == [("PARTIAL", False)]


def test_a_signed_bundle_within_another_covers_itself_alone(pki: Pki) -> None:
    """Case A19."""
    inner = sealed(pki).replace(b'<?xml version="1.0" encoding="UTF-8"?>', b"")
    outer = (
        b'<Bundle xmlns="http://hl7.org/fhir"><type value="batch"/><entry><resource>'
        + inner
        + b"</resource></entry></Bundle>"
    )
    found = one(outer)
    assert found.place == "/Bundle/entry[1]/resource/Bundle/signature"
    assert found.indication is PASSED
    assert [(c.scope, c.covers_enclosing) for c in found.covered] == [("PARTIAL", True)]


def test_who_claims_to_have_signed_is_read(pki: Pki) -> None:
    claimed = one(sealed(pki)).claimed
    assert claimed is not None
    assert (claimed.role, claimed.identifiers[0].value) == ("organisation", "1267700000116")


def test_a_time_outside_that_differs_from_the_signed_one_is_told(pki: Pki) -> None:
    octets = sealed(pki)
    hint = "Signature.when differs from the time that is signed"
    assert hint not in one(octets).hints
    assert hint in one(octets.replace(b"12:00:00Z", b"13:00:00Z")).hints


@pytest.mark.parametrize("content", [None, b"<Bundle/>"], ids=["beside", "with its content"])
def test_two_signature_elements_are_refused(pki: Pki, content: bytes | None) -> None:
    """Which of them the canonical form leaves out, nobody says; FHIR has one."""
    octets = sealed(pki, "cades", content=content)
    start, end = octets.index(b"<signature>"), octets.index(b"</signature>") + 12
    doubled = octets[:end] + octets[start:end] + octets[end:]
    found = one(doubled)
    assert (found.indication, found.sub_indication) == (FAILED, "FORMAT_FAILURE")


def test_utf_16_hides_no_signature(pki: Pki) -> None:
    octets = sealed(pki).decode().replace("UTF-8", "UTF-16").encode("utf-16")
    assert one(octets).indication is PASSED


def test_broken_or_unsigned_xml_is_left_to_others_or_fails(pki: Pki) -> None:
    assert fhir_signature.check(document(BUNDLE, TYPE), (), ALGORITHMS) == ()
    assert fhir_signature.check(document(b"<a><signature/></a>", TYPE), (), ALGORITHMS) == ()
    broken = one(sealed(pki)[:-3])
    assert (broken.indication, broken.sub_indication) == (FAILED, "FORMAT_FAILURE")
    entity = sealed(pki).replace(b"<Bundle ", b"<!DOCTYPE x><Bundle ", 1)
    assert one(entity).indication is FAILED
    foreign = sealed(pki).replace(b"<id ", b"<x:y xmlns:x='urn:x'/><id ")
    assert one(foreign).indication is UNKNOWN


def test_a_signed_bundle_among_parameters_covers_itself_alone(pki: Pki) -> None:
    inner = sealed(pki).replace(b'<?xml version="1.0" encoding="UTF-8"?>', b"")
    octets = (
        b'<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="g"/><part>'
        b'<name value="b"/><resource>' + inner + b"</resource></part></parameter></Parameters>"
    )
    found = one(octets)
    assert found.place == "/Parameters/parameter[1]/part[1]/resource/Bundle/signature"
    assert [(c.scope, c.covers_enclosing) for c in found.covered] == [("PARTIAL", True)]


@pytest.mark.parametrize("form", FORMS)
def test_a_bundle_in_xml_is_signed_inside_anew(pki: Pki, form: Form) -> None:
    files = pki.signer("rsa-doctor")
    octets = BUNDLE
    for _ in range(2):  # A second signature takes the place of the first.
        octets = sign_bundle(
            octets,
            key=files.private_key(),
            chain=files.chain(),
            algorithms=ALGORITHMS,
            form=form,
            at=NOW,
        )
        found = one(octets)
        assert (found.indication, found.covered[0].scope) == (PASSED, "FULL")
        assert "Signature.when differs from the time that is signed" not in found.hints


def test_only_a_bundle_in_xml_is_signed_inside(pki: Pki) -> None:
    files = pki.signer("rsa-doctor")
    with pytest.raises(ValueError, match="Bundle"):
        sign_bundle(
            b'<Patient xmlns="http://hl7.org/fhir"/>',
            key=files.private_key(),
            chain=files.chain(),
            algorithms=ALGORITHMS,
            form="jws",
            at=NOW,
        )
