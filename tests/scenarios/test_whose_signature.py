"""Whose signature it is, from the door to the end of the line (semantics, rules 5 and 15)."""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.app import Gateway, open_gateway
from gateway.fhir import text
from gateway.model import Identifier, Indication, Json, Part, Problem, SignatureReport, Status
from gateway.sandbox import home as sandbox_home
from gateway.sandbox import pki
from gateway.sandbox.fresh import fresh
from gateway.settings import Settings
from gateway.signatures.sign import Form, sign, sign_bundle
from tests import databases
from tests.sandboxes import GOST, SAMPLES

JSON = (SAMPLES / "01-transaction-gost256" / "result.json").read_bytes()
XML = (SAMPLES / "03-lab-xml-gost256" / "result.xml").read_bytes()
PATIENT = Identifier(system="urn:oid:1.2.643.100.3", value="21043160289")
FHIR, LAB = "application/fhir+json", "application/xml"
POLARIS, MERIDIAN = pki.POLARIS.ogrn, pki.MERIDIAN.ogrn


@dataclass(frozen=True)
class Laboratory:
    client: str
    organization: str


@dataclass(frozen=True)
class Ended:
    """How a submission ended."""

    status: Status
    problems: tuple[Problem, ...]
    report: SignatureReport | None

    @property
    def codes(self) -> list[str]:
        return [problem.code for problem in self.problems if not problem.warning]

    @property
    def warnings(self) -> list[str]:
        return [problem.code for problem in self.problems if problem.warning]


class House:
    """A sandbox home whose line is worked by hand."""

    def __init__(self, gateway: Gateway, keys: pki.Pki) -> None:
        self.gateway = gateway
        self.keys = keys

    def signed(self, name: str, octets: bytes, form: Form = "cades") -> bytes:
        """Return the signature beside `octets`, or for XML the signed document."""
        signer = self.keys.signer(name)
        return sign(
            octets,
            key=signer.private_key(),
            chain=signer.chain(),
            algorithms=GOST,
            form=form,
            detached=True,
            at=datetime.now(UTC),
        )

    def inside(self, name: str, octets: bytes, form: Form = "jws") -> bytes:
        """Return a bundle signed inside."""
        signer = self.keys.signer(name)
        return sign_bundle(
            octets,
            key=signer.private_key(),
            chain=signer.chain(),
            algorithms=GOST,
            form=form,
            at=datetime.now(UTC),
        )

    def sent(
        self, octets: bytes, *signatures: bytes, media_type: str = FHIR, by: str = "polaris"
    ) -> Ended:
        """Hand a document in and take it to the end of the line."""
        parts = (
            Part(name="document", media_type=media_type, body=octets),
            *(
                Part(name="signature", media_type="application/octet-stream", body=one)
                for one in signatures
            ),
        )
        store = self.gateway.store
        kept = self.gateway.line.keep(Laboratory(by, by), "multipart/form-data", parts)
        (order,) = store.claim("submission", 1, timedelta(seconds=60))
        self.gateway.line.work(order)
        view = store.view(kept.submission, None)
        assert view is not None
        problems = [*view.problems, *(p for d in view.documents for p in d.problems)]
        stored = store.signatures(kept.submission)
        return Ended(view.status, tuple(problems), stored.report if stored else None)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as environment:
        if request.param == "sqlite":
            yield from _opened(home)
            return
        with databases.on_server(request.getfixturevalue("postgres_url")) as url:
            environment.setenv("GATEWAY_DATABASE_URL", url)
            yield from _opened(home)


def _opened(home: Path) -> Iterator[House]:
    made = sandbox_home.prepare(
        home, "http://127.0.0.1:1", "http://127.0.0.1:2", (), datetime.now(UTC)
    )
    gateway = open_gateway(Settings.load(home, os.environ))
    try:
        yield House(gateway, made.keys)
    finally:
        gateway.close()


@pytest.fixture
def bundle() -> bytes:
    return fresh(JSON, datetime.now(UTC), _uuid)


@pytest.fixture
def lab_xml() -> bytes:
    return fresh(XML, datetime.now(UTC), _uuid)


def _uuid() -> str:
    return str(uuid.uuid4())


def test_doctor_and_organisation_are_told_apart_and_accepted(house: House, bundle: bytes) -> None:
    ended = house.sent(
        bundle,
        house.signed("gost256-doctor", bundle),
        house.signed("gost256-organisation", bundle),
    )
    assert (ended.status, ended.codes) == (Status.ACCEPTED, [])
    assert ended.report is not None
    assert [f.signer.role for f in ended.report.signatures if f.signer] == [
        "doctor",
        "organisation",
    ]
    assert {check.status.value for check in ended.report.bindings} == {"PASSED"}


def test_a_strangers_perfect_signature_is_rejected_naming_both(house: House, bundle: bytes) -> None:
    """Day 24: X's report signed by Y's doctor and organisation."""
    ended = house.sent(
        bundle,
        house.signed("gost512-doctor", bundle),
        house.signed("gost512-organisation", bundle),
    )
    assert ended.report is not None
    assert ended.report.indication is Indication.TOTAL_PASSED
    assert (ended.status, set(ended.codes)) == (Status.REJECTED, {"SIG-210"})
    told = [f"{p.detail['found']} / {p.detail['expected']}" for p in ended.problems]
    assert any(MERIDIAN in text and POLARIS in text for text in told), told


def test_a_client_does_not_send_anothers_report_though_rightly_signed(
    house: House, bundle: bytes
) -> None:
    ended = house.sent(bundle, house.signed("gost256-doctor", bundle), by="meridian")
    assert (ended.status, ended.codes) == (Status.REJECTED, ["SIG-210"])


def test_a_doctors_signature_sent_again_as_the_organisations_is_rejected(
    house: House, bundle: bytes
) -> None:
    doctors = house.signed("gost256-doctor", bundle)
    ended = house.sent(bundle, doctors, doctors)
    assert (ended.status, ended.codes) == (Status.REJECTED, ["SIG-220"])


def test_a_bundle_signed_inside_with_a_doctor_claimed_to_be_an_organisation_is_rejected(
    house: House, bundle: bytes
) -> None:
    read = text.loads(house.inside("gost256-doctor", bundle))
    assert isinstance(read["signature"], dict)
    who: Json = {
        "type": "Organization",
        "identifier": {"system": "urn:oid:1.2.643.100.1", "value": POLARIS},
    }
    read["signature"]["who"] = who
    ended = house.sent(text.dumps(read))
    assert (ended.status, ended.codes) == (Status.REJECTED, ["SIG-220"])


@pytest.mark.parametrize("form", ["jws", "cades"])
def test_a_bundle_signed_inside_is_stored_digit_by_digit(
    house: House, bundle: bytes, form: Form
) -> None:
    """Rule 15: RFC 8785 signs 5, the card says 5.00, and the difference is told."""
    ended = house.sent(house.inside("gost256-doctor", bundle, form))
    assert (ended.status, ended.codes) == (Status.ACCEPTED, [])
    assert "SIG-221" in ended.warnings
    assert ended.report is not None
    (finding,) = ended.report.signatures
    assert any(hint.startswith("precision_not_signed") for hint in finding.hints)
    patient = house.gateway.store.patients_by_identifier(PATIENT)[0]
    assert b'"value":5.00' in b"".join(map(text.dumps, house.gateway.store.everything(patient)))


@pytest.mark.parametrize("form", ["jws", "cades"])
def test_a_value_changed_inside_a_signed_bundle_is_rejected(
    house: House, bundle: bytes, form: Form
) -> None:
    ended = house.sent(house.inside("gost256-doctor", bundle, form).replace(b"5.00", b"9.00"))
    assert ended.status is Status.REJECTED
    assert ended.codes == [{"jws": "SIG-203", "cades": "SIG-202"}[form]]


def test_a_good_signature_of_another_bundle_is_rejected_with_a_code_of_its_own(
    house: House, bundle: bytes
) -> None:
    """A forged Bundle.signature: genuine, by the right doctor, over another bundle."""
    other = fresh(JSON.replace(b"5.00", b"9.00"), datetime.now(UTC), _uuid)
    signer = house.keys.signer("gost256-doctor")
    attached = sign(
        other,
        key=signer.private_key(),
        chain=signer.chain(),
        algorithms=GOST,
        form="jws",
        detached=False,
        at=datetime.now(UTC),
    )
    read = text.loads(house.inside("gost256-doctor", bundle))
    assert isinstance(read["signature"], dict)
    read["signature"]["data"] = base64.b64encode(attached).decode()
    ended = house.sent(text.dumps(read))
    assert (ended.status, ended.codes) == (Status.REJECTED, ["SIG-219"])


def test_a_jws_beside_the_file_signs_its_precision_too(house: House, bundle: bytes) -> None:
    ended = house.sent(bundle, house.signed("gost256-doctor", bundle, "jws"))
    assert (ended.status, ended.codes, ended.warnings) == (Status.ACCEPTED, [], [])
    changed = bundle.replace(b"5.00", b"5.0")
    ended = house.sent(changed, house.signed("gost256-doctor", bundle, "jws"))
    assert (ended.status, ended.codes) == (Status.REJECTED, ["SIG-203"])


def test_xades_is_taken_on_the_line(house: House, lab_xml: bytes) -> None:
    octets = house.signed("gost256-doctor", lab_xml, "xades")
    ended = house.sent(octets, media_type=LAB)
    assert (ended.status, ended.codes) == (Status.ACCEPTED, [])
    assert ended.report is not None
    assert [f.format for f in ended.report.signatures] == ["XAdES"]
    changed = octets.replace(b"<value>71", b"<value>17", 1)
    ended = house.sent(changed, media_type=LAB)
    assert (ended.status, ended.codes) == (Status.REJECTED, ["SIG-202"])


def test_a_stranger_signs_xml_no_better(house: House, lab_xml: bytes) -> None:
    ended = house.sent(house.signed("gost512-doctor", lab_xml, "xades"), media_type=LAB)
    assert (ended.status, set(ended.codes)) == (Status.REJECTED, {"SIG-210"})
