"""JWS by its own rules: who signed stands in x5c, and what is not understood never passes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.model import CheckedSignature, Indication, Part
from gateway.sandbox.pki import Pki, SignerFiles
from gateway.signatures import jose, jws
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import BUNDLE, FAMILIES, beside, document, signed

PASSED, FAILED, UNKNOWN = (
    Indication.TOTAL_PASSED,
    Indication.TOTAL_FAILED,
    Indication.INDETERMINATE,
)
Header = dict[str, Any]
SCHEMES = {"gost256": "GOST3410_2012_256", "rsa": "RS256", "ecdsa": "ES256"}


def made(
    signer: SignerFiles,
    change: Callable[[Header], None] = lambda header: None,
    *,
    payload: bytes = b"",
    content: bytes = BUNDLE,
    raw: bool = False,
) -> bytes:
    """Sign with whatever header `change` makes; the value is right for what it says."""
    family = next(name for name in SCHEMES if signer.name.startswith(name))
    chain = [base64.b64encode(one).decode() for one in signer.chain()]
    header: Header = {"alg": SCHEMES[family], "x5c": chain}
    change(header)
    scheme = jose.ALGORITHMS.get(header.get("alg", ""), jose.ALGORITHMS[SCHEMES[family]])[0]
    head = jose.encoded(json.dumps(header).encode())
    signing = head + b"." + (content if raw else jose.encoded(content))
    value = ALGORITHMS.sign(signer.private_key(), scheme, signing)
    return b".".join((head, payload, jose.encoded(value)))


def one(octets: bytes, over: bytes = BUNDLE) -> CheckedSignature:
    (found,) = jws.check(document(over, "application/fhir+json"), beside(octets), ALGORITHMS)
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_a_detached_signature_covers_the_document_octet_by_octet(pki: Pki, family: str) -> None:
    octets = signed(pki, f"{family}-doctor", "jws", octets=BUNDLE)
    good = one(octets)
    assert (good.indication, good.format, good.level) == (PASSED, "JWS", "B")
    assert (good.claimed_at, good.certificate) == (NOW, pki.signer(f"{family}-doctor").chain()[0])
    assert [(c.octets, c.scope, c.covers_enclosing) for c in good.covered] == [
        (BUNDLE, "FULL", True)
    ]
    bad = one(octets, BUNDLE + b" ")
    assert (bad.indication, bad.sub_indication) == (FAILED, "SIG_CRYPTO_FAILURE")
    assert bad.covered == ()


def test_an_attached_signature_is_the_document(pki: Pki) -> None:
    octets = signed(pki, form="jws", detached=False, octets=BUNDLE)
    (found,) = jws.check(document(octets, "application/jose"), (), ALGORITHMS)
    assert found.indication is PASSED
    assert [c.octets for c in found.covered] == [BUNDLE]


def test_content_of_its_own_beside_a_document_does_not_cover_it(pki: Pki) -> None:
    octets = signed(pki, form="jws", detached=False, octets=b"{}")
    found = one(octets)
    assert [(c.octets, c.covers_enclosing) for c in found.covered] == [(b"{}", False)]


def test_detached_with_nothing_beside_is_undecided(pki: Pki) -> None:
    octets = signed(pki, form="jws", octets=BUNDLE)
    (found,) = jws.check(document(octets), (), ALGORITHMS)
    assert (found.indication, found.sub_indication) == (UNKNOWN, "SIGNED_DATA_NOT_FOUND")


@pytest.mark.parametrize("name", ["none", "None", "HS256", "HS512"])
def test_an_algorithm_anybody_can_compute_proves_nothing(pki: Pki, name: str) -> None:
    found = one(made(pki.signer("rsa-doctor"), lambda h: h.update(alg=name)))
    assert (found.indication, found.sub_indication) == (FAILED, "FORMAT_FAILURE")


@pytest.mark.parametrize("name", ["ES256K", "RS1", "ML-DSA-65", ""])
def test_an_unknown_algorithm_is_undecided_by_name(pki: Pki, name: str) -> None:
    found = one(made(pki.signer("rsa-doctor"), lambda h: h.update(alg=name)))
    assert (found.indication, found.sub_indication) == (UNKNOWN, "CRYPTO_CONSTRAINTS_FAILURE")


@pytest.mark.parametrize(
    ("signer", "name"),
    [
        ("ecdsa-doctor", "RS256"),
        ("rsa-doctor", "ES256"),
        ("ecdsa-doctor", "ES384"),
        ("ecdsa-doctor", "BP256R1"),
        ("rsa-doctor", "EdDSA"),
        ("ecdsa-doctor", "Ed25519"),
        ("gost256-doctor", "GOST3410_2012_512"),
    ],
)
def test_an_algorithm_that_is_not_the_keys_fails(pki: Pki, signer: str, name: str) -> None:
    octets = signed(pki, signer, "jws", octets=BUNDLE)
    head, payload, value = octets.split(b".")
    header = json.loads(jose.decoded(head, ""))
    header["alg"] = name
    forged = b".".join((jose.encoded(json.dumps(header).encode()), payload, value))
    found = one(forged)
    assert (found.indication, found.sub_indication) == (FAILED, "SIG_CRYPTO_FAILURE")


def test_pss_by_an_ordinary_rsa_key_passes(pki: Pki) -> None:
    assert one(made(pki.signer("rsa-doctor"), lambda h: h.update(alg="PS256"))).indication is PASSED


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "Ivanov"},
        {"crit": ["Ivanov"], "Ivanov": 1},
    ],
)
def test_free_text_in_the_header_is_not_repeated(pki: Pki, change: dict[str, object]) -> None:
    """A check's detail goes into problems; a sender could put a patient's name there."""
    found = one(made(pki.signer("ecdsa-doctor"), lambda h: h.update(change)))
    assert found.indication is not PASSED
    assert "Ivanov" not in repr(found.checks)
    assert hashlib.sha256(b"Ivanov").hexdigest()[:16] in repr(found.checks)


def test_what_is_critical_must_be_understood(pki: Pki) -> None:
    signer = pki.signer("ecdsa-doctor")
    unknown = one(made(signer, lambda h: h.update(crit=["exp"], exp=1)))
    assert (unknown.indication, unknown.sub_indication) == (UNKNOWN, "SIG_CONSTRAINTS_FAILURE")
    assert any("exp" in check.detail for check in unknown.checks)
    known = one(made(signer, lambda h: h.update(crit=["sigT"], sigT="2026-11-21T12:00:00Z")))
    assert (known.indication, known.claimed_at) == (PASSED, NOW)


@pytest.mark.parametrize(
    "crit", [[], "b64", ["absent"], ["alg"], ["sigT", "sigT"], [1], {"sigT": True}]
)
def test_a_malformed_crit_fails(pki: Pki, crit: object) -> None:
    change = {"crit": crit, "sigT": "2026-11-21T12:00:00Z"}
    found = one(made(pki.signer("ecdsa-doctor"), lambda h: h.update(change)))
    assert (found.indication, found.sub_indication) == (FAILED, "FORMAT_FAILURE")


def test_unencoded_content_is_taken_when_declared_critical(pki: Pki) -> None:
    signer = pki.signer("gost256-doctor")
    good = made(signer, lambda h: h.update(b64=False, crit=["b64"]), raw=True)
    assert one(good).indication is PASSED
    encoded = made(signer, lambda h: h.update(b64=False, crit=["b64"]))
    assert one(encoded).indication is FAILED
    unlisted = one(made(signer, lambda h: h.update(b64=False), raw=True))
    assert (unlisted.indication, unlisted.sub_indication) == (FAILED, "FORMAT_FAILURE")
    also_encoded = made(
        signer, lambda h: h.update(b64=False, crit=["b64"]), raw=True, payload=jose.encoded(BUNDLE)
    )
    assert one(also_encoded).indication is FAILED


def test_a_key_offered_in_the_header_is_never_used(pki: Pki) -> None:
    """An attacker's jwk fits the attacker's signature; without x5c there is no signer."""
    signer = pki.signer("ecdsa-doctor")
    found = one(made(signer, lambda h: (h.pop("x5c"), h.update(jwk={"kty": "EC"}))[0]))
    assert (found.indication, found.sub_indication) == (UNKNOWN, "NO_SIGNING_CERTIFICATE_FOUND")
    beside_x5c = one(made(signer, lambda h: h.update(jku="https://evil.example/keys")))
    assert beside_x5c.indication is PASSED
    assert beside_x5c.hints == ("jku not used",)


def test_another_certificate_in_x5c_fails(pki: Pki) -> None:
    other = [base64.b64encode(c).decode() for c in pki.signer("ecdsa-organisation").chain()]
    found = one(made(pki.signer("ecdsa-doctor"), lambda h: h.update(x5c=other)))
    assert (found.indication, found.sub_indication) == (FAILED, "SIG_CRYPTO_FAILURE")


@pytest.mark.parametrize("x5c", [[], "text", [1], ["!!!"], ["AAAA"], [""], {}])
def test_an_unreadable_x5c_fails(pki: Pki, x5c: object) -> None:
    found = one(made(pki.signer("ecdsa-doctor"), lambda h: h.update(x5c=x5c)))
    assert found.indication is FAILED


def test_a_thumbprint_must_be_the_certificates(pki: Pki) -> None:
    found = one(made(pki.signer("ecdsa-doctor"), lambda h: h.update({"x5t#S256": "AAAA"})))
    assert (found.indication, found.sub_indication) == (FAILED, "SIG_CRYPTO_FAILURE")


def test_a_name_twice_in_the_header_fails(pki: Pki) -> None:
    octets = signed(pki, "rsa-doctor", "jws", octets=BUNDLE)
    head, payload, value = octets.split(b".")
    doubled = jose.decoded(head, "").replace(b'{"alg"', b'{"alg":"none","alg"', 1)
    found = one(b".".join((jose.encoded(doubled), payload, value)))
    assert (found.indication, found.sub_indication) == (FAILED, "FORMAT_FAILURE")


@pytest.mark.parametrize("octets", [b"ey.", b"eyJ9..", b"eyJhIjoxfQ..AB", b"eyJhIjoxfR..AA"])
def test_a_broken_jws_never_passes_and_never_raises(octets: bytes) -> None:
    for found in jws.check(document(BUNDLE), beside(octets), ALGORITHMS):
        assert found.indication is not PASSED


def test_what_is_no_jws_is_left_to_others(pki: Pki) -> None:
    cades = Part(name="signature", media_type="application/octet-stream", body=signed(pki))
    assert jws.check(document(BUNDLE), (cades,), ALGORITHMS) == ()
