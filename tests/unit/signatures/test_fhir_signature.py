"""A signature inside a FHIR bundle: over this bundle, in the declared form, and no other."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gateway.errors import Rejected
from gateway.fhir import canonical, text
from gateway.model import CheckedSignature, Indication
from gateway.sandbox.pki import Pki
from gateway.signatures import fhir_signature
from gateway.signatures.sign import Form, sign, sign_bundle
from gateway.verdict import require_passed
from gateway.verification import signed_octets
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import FAMILIES, document, verifier
from tests.unit.signatures.made_json import compact, signing

PASSED, FAILED, UNKNOWN = (
    Indication.TOTAL_PASSED,
    Indication.TOTAL_FAILED,
    Indication.INDETERMINATE,
)
BUNDLE = (
    b'{"resourceType":"Bundle","id":"b1","meta":{"versionId":"1"},"type":"collection",'
    b'"entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Observation",'
    b'"valueQuantity":{"value":5.00}}}]}'
)
FORMS: tuple[Form, ...] = ("jws", "cades")
TYPE = "application/fhir+json"


def made(
    pki: Pki,
    form: Form = "jws",
    name: str = "gost256-doctor",
    octets: bytes = BUNDLE,
    method: str = canonical.JSON,
) -> bytes:
    signer = pki.signer(name)
    return sign_bundle(
        octets,
        key=signer.private_key(),
        chain=signer.chain(),
        algorithms=ALGORITHMS,
        form=form,
        at=NOW,
        method=method,
    )


def holding(pki: Pki, data: bytes, octets: bytes = BUNDLE, **members: Any) -> bytes:
    """Return the bundle with `data` as its signature, whatever it is."""
    signature = {"data": base64.b64encode(data).decode(), "sigFormat": "application/jose"}
    read = text.loads(octets)
    return text.dumps({**read, "signature": {**signature, **members}})


def attached(pki: Pki, form: Form, content: bytes) -> bytes:
    signer = pki.signer("gost256-doctor")
    return sign(
        content,
        key=signer.private_key(),
        chain=signer.chain(),
        algorithms=ALGORITHMS,
        form=form,
        detached=False,
        at=NOW,
    )


def one(octets: bytes) -> CheckedSignature:
    (found,) = fhir_signature.check(document(octets, TYPE), (), ALGORITHMS)
    return found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_bundle_carries_its_own_signature(pki: Pki, family: str, form: Form) -> None:
    octets = made(pki, form, f"{family}-doctor")
    found = one(octets)
    assert (found.indication, found.place) == (PASSED, "/signature")
    assert found.format == {"jws": "JWS", "cades": "CAdES"}[form]
    changed = one(octets.replace(b"5.00", b"6.00"))
    assert changed.indication is FAILED


@pytest.mark.parametrize("form", FORMS)
def test_what_is_read_has_the_digits_that_came_and_the_form_that_was_signed(
    pki: Pki, form: Form
) -> None:
    """Canonical JSON signs 5, the card must say 5.00 (semantics, rule 15)."""
    part = document(made(pki, form), TYPE)
    report = verifier(pki).verify(part, (), NOW)
    octets, media_type = signed_octets(report, part)
    (covered,) = report.signatures[0].covered
    assert (octets, media_type) == (BUNDLE, TYPE)
    assert canonical.canonical(text.loads(octets)) == covered.octets
    assert b'"value":5}' in covered.octets
    assert "precision_not_signed: 1" in report.signatures[0].hints


@pytest.mark.parametrize("form", FORMS)
def test_a_decimal_that_a_double_changes_is_refused_with_its_place(pki: Pki, form: Form) -> None:
    """Case I2: two values with one canonical form could be exchanged under one signature."""
    octets = made(pki, form).replace(b"5.00", b"5.00000000000000000001")
    found = one(octets)
    assert (found.indication, found.sub_indication) == (FAILED, "FORMAT_FAILURE")
    assert "/entry/0/resource/valueQuantity/value" in found.checks[0].detail
    told = "holds over the rounded number: the signer signed another value"
    assert (found.hints, found.covered) == ((told,), ())
    assert one(octets.replace(b"collection", b"searchset ")).hints == ()
    beyond = one(octets.replace(b"5.00000000000000000001", b"9.9e308"))
    assert (beyond.indication, beyond.hints) == (FAILED, ())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("method", "left_out"),
    [("#static", b'"meta":{"versionId":"1"},'), ("#document", b'"id":"b1",')],
)
def test_what_the_declared_form_leaves_out_is_neither_signed_nor_read(
    pki: Pki, form: Form, method: str, left_out: bytes
) -> None:
    octets = made(pki, form, method=canonical.JSON + method)
    without = octets.replace(left_out, b"")
    assert one(without).indication is PASSED
    part = document(octets, TYPE)
    read, _ = signed_octets(verifier(pki).verify(part, (), NOW), part)
    assert left_out not in read
    assert one(octets.replace(b"collection", b"searchset ")).indication is FAILED


def test_only_the_declared_form_is_tried(pki: Pki) -> None:
    """Signed under #static and declared as the whole: trying both would let meta be changed."""
    octets = made(pki, "cades", method=f"{canonical.JSON}#static")
    for declared in ("json", "json#data", "json#document", "json#narrative"):
        found = one(octets.replace(b"json#static", declared.encode()))
        assert (found.indication, found.sub_indication) == (FAILED, "HASH_FAILURE")
        assert f"verifies under json#static, declared is {declared}" in found.hints
        assert found.covered == ()
    foreign = one(octets.replace(b"json#static", b"xml#static"))
    assert (foreign.indication, foreign.sub_indication) == (UNKNOWN, "SIG_CONSTRAINTS_FAILURE")
    assert "xml#static" in foreign.checks[0].detail
    unknown = one(octets.replace(b"json#static", b"json#Ivanov"))
    assert "Ivanov" not in repr(unknown.checks)
    assert "unknown algorithm sha256:" in unknown.checks[0].detail


def test_two_declarations_that_differ_are_undecided(pki: Pki) -> None:
    octets = made(pki, "jws", method=f"{canonical.JSON}#static")
    assert one(octets.replace(b"json#static", b"json#data", 1)).indication is UNKNOWN


@pytest.mark.parametrize("form", FORMS)
def test_a_signature_over_another_bundle_has_a_code_of_its_own(pki: Pki, form: Form) -> None:
    """Its mathematics hold and its signer is known: 53 of 141 published ones are like this."""
    other = BUNDLE.replace(b"5.00", b"9.00")
    octets = holding(pki, attached(pki, form, other))
    report = verifier(pki).verify(document(octets, TYPE), (), NOW)
    assert report.indication is UNKNOWN
    (covered,) = report.signatures[0].covered
    assert (covered.octets, covered.scope, covered.covers_enclosing) == (other, "PARTIAL", False)
    with pytest.raises(Rejected) as caught:
        require_passed(report, NOW)
    assert [problem.code for problem in caught.value.problems] == ["SIG-219"]


@pytest.mark.parametrize("form", FORMS)
def test_a_detached_signature_of_another_bundle_does_not_hold(pki: Pki, form: Form) -> None:
    stolen = text.loads(made(pki, form, octets=BUNDLE.replace(b"b1", b"b2")))["signature"]
    octets = text.dumps({**text.loads(BUNDLE), "signature": stolen})
    assert one(octets).indication is FAILED


@pytest.mark.parametrize("form", FORMS)
def test_content_inside_the_signature_is_read_itself(pki: Pki, form: Form) -> None:
    """Written with other spaces and zeros it is the same bundle, and its octets are signed."""
    own = BUNDLE.replace(b"5.00", b"5.0").replace(b",", b", ")
    part = document(holding(pki, attached(pki, form, own)), TYPE)
    report = verifier(pki).verify(part, (), NOW)
    assert report.signatures[0].hints == ()
    assert report.indication is PASSED
    assert signed_octets(report, part) == (own, TYPE)


def test_content_in_xml_is_not_compared_and_so_undecided(pki: Pki) -> None:
    found = one(holding(pki, attached(pki, "cades", b"<Bundle/>")))
    assert (found.indication, found.sub_indication) == (UNKNOWN, "SIG_CONSTRAINTS_FAILURE")


def test_a_signed_bundle_in_an_unsigned_one_covers_itself_alone(pki: Pki) -> None:
    inner = json.loads(made(pki))
    outer = {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": inner}]}
    part = document(json.dumps(outer).encode(), TYPE)
    report = verifier(pki).verify(part, (), NOW)
    (finding,) = report.signatures
    assert finding.place == "/entry/0/resource/signature"
    assert [(c.scope, c.covers_enclosing) for c in finding.covered] == [("PARTIAL", True)]
    assert "covers its own bundle, not the document around that" in finding.hints
    with pytest.raises(Rejected) as caught:
        signed_octets(report, part)
    assert caught.value.problems[0].code == "SIG-218"


def test_an_escaped_name_hides_no_signature(pki: Pki) -> None:
    octets = made(pki).replace(b'"signature"', b'"sign\\u0061ture"')
    assert one(octets).indication is PASSED


@pytest.mark.parametrize(
    "signature",
    [None, [], "text", {}, {"data": ""}, {"data": "***"}, {"data": 5}, {"data": "QQ="}],
)
def test_what_is_no_signature_never_passes_and_never_raises(signature: object) -> None:
    read = json.loads(BUNDLE)
    found = one(json.dumps({**read, "signature": signature}).encode())
    assert found.indication is not PASSED


def test_a_jws_that_was_not_encoded_once_more_is_named(pki: Pki) -> None:
    """The commonest mistake of senders: Signature.data is base64 of the JWS, not the JWS."""
    read = text.loads(made(pki))
    assert isinstance(read["signature"], dict)
    read["signature"]["data"] = base64.b64decode(str(read["signature"]["data"])).decode()
    found = one(text.dumps(read))
    assert (found.indication, found.sub_indication) == (FAILED, "FORMAT_FAILURE")
    assert found.checks[0].detail == "data is a JWS itself, not its base64"


def test_a_form_that_cannot_stand_inside_is_named(pki: Pki) -> None:
    found = one(holding(pki, b"\xff\xd8\xff\xe0", sigFormat="image/jpeg"))
    assert (found.indication, found.sub_indication) == (UNKNOWN, "SIG_CONSTRAINTS_FAILURE")
    assert "image/jpeg" in found.checks[0].detail
    unknown = one(holding(pki, b"Li4u", sigFormat="Ivanov"))
    assert "Ivanov" not in repr(unknown.checks)


def test_a_name_twice_in_a_signed_bundle_fails(pki: Pki) -> None:
    octets = made(pki).replace(b'"id":"b1"', b'"id":"b1","id":"b2"')
    assert (one(octets).indication, one(octets).sub_indication) == (FAILED, "FORMAT_FAILURE")


def test_who_claims_to_have_signed_is_looked_up_in_the_bundle(pki: Pki) -> None:
    read = text.loads(made(pki))
    assert isinstance(read["signature"], dict)
    read["signature"]["who"] = {
        "type": "Organization",
        "identifier": {"system": "urn:oid:1.2.643.100.1", "value": "1267700000116"},
    }
    found = one(text.dumps(read))
    assert found.claimed is not None
    assert (found.claimed.role, found.claimed.identifiers[0].value) == (
        "organisation",
        "1267700000116",
    )


@pytest.mark.parametrize("octets", [b"{}", b'{"resourceType":"Bundle"}', b"<a/>", b"\x30\x80"])
def test_a_document_without_such_a_signature_is_left_to_others(octets: bytes) -> None:
    assert fhir_signature.check(document(octets, TYPE), (), ALGORITHMS) == ()


def test_only_a_bundle_is_signed_inside_and_only_by_forms_that_fit(pki: Pki) -> None:
    with pytest.raises(ValueError, match="Bundle"):
        made(pki, octets=b'{"resourceType":"Patient"}')
    with pytest.raises(ValueError, match="xades"):
        made(pki, "xades")


@pytest.mark.parametrize("inside", ["resource", "part"])
def test_a_signed_bundle_among_parameters_covers_itself_alone(pki: Pki, inside: str) -> None:
    signed = {"name": "bundle", "resource": json.loads(made(pki))}
    parameter = signed if inside == "resource" else {"name": "group", "part": [signed]}
    octets = json.dumps({"resourceType": "Parameters", "parameter": [parameter]}).encode()
    found = one(octets)
    assert found.indication is PASSED
    assert [(c.scope, c.covers_enclosing) for c in found.covered] == [("PARTIAL", True)]
    assert found.place.endswith("/resource/signature")


def test_an_algorithm_that_only_one_service_uses_declares_its_canonicalisation(pki: Pki) -> None:
    """German e-prescriptions say nowhere how they are canonical; their specification does."""
    signer = signing("BP256R1")
    octets = BUNDLE.replace(b'"type":"collection"', b'"type":"document","text":{"status":"empty"}')

    def carrying(method: str) -> bytes:
        content = canonical.canonical(canonical.restricted(text.loads(octets), method))
        return holding(pki, compact(signer, "BP256R1", content=content), octets)

    good = one(carrying(f"{canonical.JSON}#static"))
    assert good.indication is PASSED
    assert [(c.scope, c.covers_enclosing) for c in good.covered] == [("FULL", True)]
    dropped = one(carrying(f"{canonical.JSON}#static").replace(b'"id":"b1",', b""))
    assert (dropped.indication, dropped.sub_indication) == (FAILED, "SIG_CRYPTO_FAILURE")
    assert "the bundle has no id: it may have been dropped after signing" in dropped.hints
    # What another method would make of it is a hint, and no verdict.
    other = one(carrying(canonical.JSON))
    assert (other.indication, other.sub_indication) == (UNKNOWN, "SIG_CONSTRAINTS_FAILURE")
    assert "not declared: json#static fails, json would hold" in other.checks[0].detail


@pytest.mark.parametrize(("kind", "default"), [(b"document", "#document"), (b"collection", "")])
def test_where_nothing_is_declared_the_standards_default_is_used(
    pki: Pki, kind: bytes, default: str
) -> None:
    octets = BUNDLE.replace(b"collection", kind)
    method = canonical.JSON + default
    content = canonical.canonical(canonical.restricted(text.loads(octets), method))
    found = one(holding(pki, compact(signing("ES256"), "ES256", content=content), octets))
    assert (found.indication, found.covered[0].reference) == (PASSED, method)
