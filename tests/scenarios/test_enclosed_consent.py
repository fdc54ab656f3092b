"""A consent sent with its document and really signed, beside or inside (semantics, rule 9)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gateway, open_gateway
from gateway.model import Grant, Identifier, Part
from gateway.sandbox import certificates as made
from gateway.sandbox import home as sandbox_home
from gateway.sandbox import pki
from gateway.sandbox.certificates import Period
from gateway.sandbox.fresh import fresh
from gateway.settings import Settings
from gateway.signatures.sign import Form, sign
from gateway.store.values import SubmissionView
from tests.sandboxes import GOST, SAMPLES

SAMPLE = (SAMPLES / "01-transaction-gost256" / "result.json").read_bytes()
SNILS = "urn:oid:1.2.643.100.3"
PATIENT = "21043160289"
FHIR, CMS = "application/fhir+json", "application/pkcs7-mime"
DOCTOR, ORGANISATION = "gost256-doctor", "gost256-organisation"


@dataclass(frozen=True)
class Sender:
    client: str = "polaris"
    organization: str = "polaris"


@dataclass(frozen=True)
class Signer:
    key: bytes
    chain: tuple[bytes, ...]

    def signed(self, octets: bytes, *, form: Form = "cades", detached: bool = True) -> bytes:
        return sign(
            octets,
            key=self.key,
            chain=self.chain,
            algorithms=GOST,
            form=form,
            detached=detached,
            at=datetime.now(UTC),
        )


class House:
    """A sandbox home whose line is worked by hand; its laboratories must sign."""

    def __init__(self, gateway: Gateway, keys: pki.Pki) -> None:
        self.gateway = gateway
        self.keys = keys
        self.document = fresh(SAMPLE, datetime.now(UTC), lambda: str(uuid.uuid4()))

    def signer(self, name: str) -> Signer:
        files = self.keys.signer(name)
        return Signer(files.private_key(), files.chain())

    def patient(self) -> Signer:
        """Return somebody with the patient's СНИЛС in a certificate everybody trusts."""
        authority = pki.load_authority(self.keys.folder, "gost256-ca")
        key, public = GOST.generate("gost256")
        now = datetime.now(UTC)
        period = Period(begins=now - pki.DAY, ends=now + pki.DAY)
        name = made.name(("country_name", "RU"), ("snils", PATIENT), ("common_name", "Пациент"))
        extensions = made.signing_extensions(period, "gost256-ca")
        one = made.certify(name, public, extensions, period, GOST, issuer=authority)
        return Signer(key, (one.dump(), authority.certificate.dump()))

    def sent(self, *parts: Part) -> SubmissionView:
        """Hand the document in with `parts` around it, and take it to the end of the line."""
        store = self.gateway.store
        document = Part(name="document", media_type=FHIR, body=self.document)
        kept = self.gateway.line.keep(Sender(), "multipart/form-data", (document, *parts))
        (order,) = store.claim("submission", 1, timedelta(seconds=60))
        self.gateway.line.work(order)
        view = store.view(kept.submission, None)
        assert view is not None
        return view

    def grants(self) -> tuple[Grant, ...]:
        store = self.gateway.store
        found = store.patients_by_identifier(Identifier(system=SNILS, value=PATIENT))
        return store.grants(found[0]) if found else ()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def house(home: Path) -> Iterator[House]:
    made = sandbox_home.prepare(
        home, "http://127.0.0.1:1", "http://127.0.0.1:2", (), datetime.now(UTC)
    )
    gateway = open_gateway(Settings.load(home, {}))
    try:
        yield House(gateway, made.keys)
    finally:
        gateway.close()


def consent(recipient: str = "meridian") -> bytes:
    return json.dumps(
        {
            "resourceType": "Consent",
            "status": "active",
            "scope": {"coding": [{"system": "urn:x", "code": "patient-privacy"}]},
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": {"identifier": {"system": SNILS, "value": PATIENT}},
            "dateTime": "2026-01-20",
            "policyRule": {"text": "323"},
            "provision": {
                "type": "permit",
                "actor": [
                    {
                        "role": {"coding": [{"code": "IRCP"}]},
                        "reference": {"reference": f"Organization/{recipient}"},
                    }
                ],
            },
        }
    ).encode()


def beside(octets: bytes) -> Part:
    return Part(name="signature", media_type="application/octet-stream", body=octets)


def enclosed(octets: bytes, media_type: str = FHIR) -> Part:
    return Part(name="consent", media_type=media_type, body=octets)


def refusals(view: SubmissionView) -> list[tuple[str, str]]:
    """Return why the consent was not taken: code and the check behind it."""
    (document,) = view.documents
    problems = [one for one in document.problems if one.code.startswith("CON-306")]
    assert all(one.warning for one in problems)
    return [(one.code, one.detail["check"]) for one in problems]


def test_a_consent_in_the_doctors_own_signature_is_taken(house: House) -> None:
    doctor = house.signer(DOCTOR)
    forms: tuple[tuple[Form, str], ...] = (("cades", CMS), ("jws", "application/jose"))
    for number, (form, media_type) in enumerate(forms):
        house.document = fresh(SAMPLE, datetime.now(UTC), lambda: str(uuid.uuid4()))
        carried = doctor.signed(consent(), form=form, detached=False)
        view = house.sent(beside(doctor.signed(house.document)), enclosed(carried, media_type))
        assert (view.status, refusals(view)) == ("accepted", [])
        assert len(house.grants()) == number + 1


@pytest.mark.parametrize("first", ["document", "consent"])
@pytest.mark.parametrize("form", ["cades", "jws"])
def test_a_signature_beside_is_known_for_the_consents_by_what_it_is_over(
    house: House, first: str, form: Form
) -> None:
    """Both come as `signature`; the order they come in says nothing."""
    signatures = [
        beside(house.signer(DOCTOR).signed(house.document)),
        beside(house.signer(ORGANISATION).signed(consent(), form=form)),
    ]
    view = house.sent(
        *(signatures if first == "document" else signatures[::-1]), enclosed(consent())
    )
    assert (view.status, refusals(view)) == ("accepted", [])
    (grant,) = house.grants()
    assert (grant.recipient, grant.state) == ("meridian", "active")
    stored = house.gateway.store.signatures(view.id)
    assert stored is not None
    roles = [one.signer.role for one in stored.report.signatures if one.signer]
    assert roles == ["doctor"], "the organisation signed the consent and not the document"


def test_a_patient_may_sign_the_consent_himself(house: House) -> None:
    view = house.sent(
        beside(house.signer(DOCTOR).signed(house.document)),
        enclosed(consent()),
        beside(house.patient().signed(consent())),
    )
    assert (view.status, refusals(view)) == ("accepted", [])
    assert len(house.grants()) == 1


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("stranger", "SIG-206"),
        ("gost512-doctor", "SIG-210"),
        ("gost512-organisation", "SIG-210"),
        ("gost256-expired", "SIG-204"),
    ],
)
@pytest.mark.parametrize("detached", [True, False])
def test_a_consent_signed_by_a_stranger_is_not_taken(
    house: House, name: str, check: str, detached: bool
) -> None:
    """The result is sound and stays; nobody else gets to open a card by his own good name."""
    signed = house.signer(name).signed(consent(), detached=detached)
    parts = (enclosed(consent()), beside(signed)) if detached else (enclosed(signed, CMS),)
    view = house.sent(beside(house.signer(DOCTOR).signed(house.document)), *parts)
    if check == "SIG-204":
        (document,) = view.documents
        found = [(one.code, one.detail["check"]) for one in document.problems]
        assert (view.status, found) == ("needs_info", [("CON-306", check)])
    else:
        assert (view.status, refusals(view)) == ("accepted", [("CON-306", check)])
    assert house.grants() == ()


def test_a_consent_changed_after_signing_is_not_taken(house: House) -> None:
    doctor = house.signer(DOCTOR)
    carried = doctor.signed(consent(), detached=False)
    assert b"Organization/meridian" in carried
    changed = carried.replace(b"Organization/meridian", b"Organization/strakhov")
    view = house.sent(beside(doctor.signed(house.document)), enclosed(changed, CMS))
    assert (view.status, refusals(view)) == ("accepted", [("CON-306", "SIG-202")])
    assert house.grants() == ()


def test_a_signature_over_neither_document_nor_consent_refuses_the_document(house: House) -> None:
    """A consent changed beside its signature: nobody can say which of the two was tampered with."""
    doctor = house.signer(DOCTOR)
    view = house.sent(
        beside(doctor.signed(house.document)),
        enclosed(consent("clinic")),
        beside(doctor.signed(consent())),
    )
    assert view.status == "rejected"
    assert [one.code for one in view.problems] == ["SIG-202"]
    assert house.grants() == ()


def test_a_signature_over_the_document_is_none_over_the_consent(house: House) -> None:
    signed = beside(house.signer(DOCTOR).signed(house.document))
    view = house.sent(signed, enclosed(consent()))
    assert (view.status, refusals(view)) == ("accepted", [("CON-306", "SIG-201")])
    assert house.grants() == ()


def test_a_signature_over_the_consent_is_none_over_the_document(house: House) -> None:
    view = house.sent(enclosed(consent()), beside(house.signer(DOCTOR).signed(consent())))
    assert view.status == "rejected"
    assert [one.code for one in view.problems] == ["SIG-201"]
    assert house.grants() == ()


def test_a_consent_whose_signature_cannot_be_judged_yet_makes_its_document_wait(
    home: Path, house: House
) -> None:
    """Never a soft pass: the list of its authority is not to be had (semantics, rule 4)."""
    house.gateway.close()
    (home / "trust" / "ecdsa-ca.crl.pem").unlink()
    gateway = open_gateway(Settings.load(home, {}))
    try:
        again = House(gateway, house.keys)
        view = again.sent(
            beside(again.signer(DOCTOR).signed(again.document)),
            enclosed(consent()),
            beside(again.signer("ecdsa-organisation").signed(consent())),
        )
        waits: Any = gateway.store.events(view.id)[-1]
        assert (waits.name, waits.detail["code"]) == ("postponed", "SIG-207")
        assert again.grants() == ()
    finally:
        gateway.close()
