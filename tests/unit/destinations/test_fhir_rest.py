"""Delivery by FHIR REST, over a real socket to the sandbox clinic."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import requests
from werkzeug.serving import BaseWSGIServer, make_server

from gateway.destinations import fhir_rest
from gateway.errors import TryLater
from gateway.fhir import text
from gateway.model import Delivery, DeliveryState, Json
from gateway.sandbox.clinic import Clinic, create_clinic
from gateway.settings import Settings

PATIENT = "0b5c0e54-5d04-5a3e-9a3c-0a4f6d6f0001"
REPORT = "0b5c0e54-5d04-5a3e-9a3c-0a4f6d6f0002"
OBSERVATION = "0b5c0e54-5d04-5a3e-9a3c-0a4f6d6f0003"
PROVENANCE = "0b5c0e54-5d04-5a3e-9a3c-0a4f6d6f0004"
STRANGER = "0b5c0e54-5d04-5a3e-9a3c-0a4f6d6f0005"


@pytest.fixture
def clinic() -> Clinic:
    return Clinic()


@pytest.fixture
def url(clinic: Clinic) -> Iterator[str]:
    with serving(make_server("127.0.0.1", 0, create_clinic(clinic), threaded=True)) as address:
        yield address


class serving:
    """A server in a thread for as long as a test needs it."""

    def __init__(self, server: BaseWSGIServer) -> None:
        self.server = server
        self.thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.server.port}/fhir"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def resources() -> tuple[Json, ...]:
    return (
        {"resourceType": "Patient", "id": PATIENT, "meta": {"versionId": "3"}},
        {
            "resourceType": "Observation",
            "id": OBSERVATION,
            "identifier": [{"system": "urn:oid:1.2.3", "value": "7"}],
            "subject": {"reference": f"Patient/{PATIENT}"},
            "encounter": {"reference": f"Encounter/{STRANGER}"},
            "valueQuantity": {"value": Decimal("5.00"), "unit": "mmol/L"},
        },
        {
            "resourceType": "DiagnosticReport",
            "id": REPORT,
            "subject": {"reference": f"Patient/{PATIENT}"},
            "result": [{"reference": f"Observation/{OBSERVATION}"}],
        },
        {
            "resourceType": "Provenance",
            "id": PROVENANCE,
            "target": [{"reference": f"DiagnosticReport/{REPORT}"}],
        },
    )


def delivery() -> Delivery:
    return Delivery(
        id="delivery-1",
        document="document-1",
        submission="submission-1",
        destination="clinic",
        patient=PATIENT,
        basis="consent",
        attempt=1,
        resources=resources(),
    )


def options(url: str, **others: str) -> dict[str, str]:
    return fhir_rest.check_options({"url": url, "timeout_seconds": "2", **others})


def test_delivers_a_record_under_the_receivers_own_ids(url: str, clinic: Clinic) -> None:
    """The clinic's id of the report is what both sides quote later."""
    answer = fhir_rest.send(delivery(), options(url))
    assert answer.state is DeliveryState.DELIVERED
    assert answer.reference.startswith("DiagnosticReport/mis-")
    assert text.loads(answer.evidence)["type"] == "transaction-response"
    assert {place.split("/")[0] for place in clinic.resources} == {
        "Patient",
        "Observation",
        "DiagnosticReport",
        "Provenance",
    }


def test_references_lead_to_the_receivers_resources(url: str, clinic: Clinic) -> None:
    fhir_rest.send(delivery(), options(url))
    observation = _one(clinic, "Observation")
    assert observation["subject"]["reference"] in clinic.resources
    assert "reference" not in observation["encounter"]
    assert observation["encounter"]["identifier"]["value"] == f"urn:uuid:{STRANGER}"


def test_a_value_arrives_with_the_digits_it_was_written_with(url: str, clinic: Clinic) -> None:
    """5.00 tells the doctor the precision; 5.0 is another statement."""
    fhir_rest.send(delivery(), options(url))
    place = next(place for place in clinic.resources if place.startswith("Observation/"))
    assert b'"value":5.00' in requests.get(f"{url}/{place}", timeout=2, verify=True).content


def test_a_repeat_makes_no_second_record(url: str, clinic: Clinic) -> None:
    first = fhir_rest.send(delivery(), options(url))
    second = fhir_rest.send(delivery(), options(url))
    assert second.reference == first.reference
    assert len(clinic.resources) == 4


def test_an_answer_lost_on_the_way_is_repeated_without_doubles(url: str, clinic: Clinic) -> None:
    """The work was done there, but we cannot know: the repeat must find it."""
    clinic.mode = "lose"
    with pytest.raises(TryLater):
        fhir_rest.send(delivery(), options(url))
    clinic.mode = "up"
    assert fhir_rest.send(delivery(), options(url)).state is DeliveryState.DELIVERED
    assert len(clinic.resources) == 4


def test_a_new_delivery_of_the_same_report_updates_it(url: str, clinic: Clinic) -> None:
    """A correction is another delivery; the clinic must not hold two reports after it."""
    fhir_rest.send(delivery(), options(url))
    corrected = fhir_rest.send(replace(delivery(), id="delivery-2"), options(url))
    assert corrected.state is DeliveryState.DELIVERED
    kinds = sorted(place.split("/")[0] for place in clinic.resources)
    assert kinds.count("DiagnosticReport") == 1
    assert kinds.count("Provenance") == 2


@pytest.mark.parametrize(("mode", "code"), [("down", "DLV-102"), ("lose", "DLV-102")])
def test_a_receiver_in_trouble_is_tried_later(
    url: str, clinic: Clinic, mode: str, code: str
) -> None:
    clinic.mode = mode
    with pytest.raises(TryLater) as caught:
        fhir_rest.send(delivery(), options(url))
    assert caught.value.problems[0].code == code


def test_a_refusal_is_an_answer_and_not_an_error(url: str, clinic: Clinic) -> None:
    clinic.mode = "refuse"
    answer = fhir_rest.send(delivery(), options(url))
    assert answer.state is DeliveryState.REFUSED
    assert b"OperationOutcome" in answer.evidence


def test_a_receiver_too_slow_is_tried_later(url: str, clinic: Clinic) -> None:
    clinic.mode, clinic.delay_seconds = "slow", 1.0
    with pytest.raises(TryLater) as caught:
        fhir_rest.send(delivery(), options(url, timeout_seconds="0.2"))
    assert caught.value.problems[0].code == "DLV-101"


def test_a_receiver_slow_within_the_timeout_is_waited_for(url: str, clinic: Clinic) -> None:
    clinic.mode, clinic.delay_seconds = "slow", 0.2
    assert fhir_rest.send(delivery(), options(url)).state is DeliveryState.DELIVERED


def test_a_receiver_whose_answer_drips_is_tried_later() -> None:
    """An octet now and then is in time for each read of the socket."""

    def drip() -> Iterator[bytes]:
        for _ in range(50):
            yield b" "
            time.sleep(0.1)

    def answer(environ: object, start: Callable[..., object]) -> Iterator[bytes]:
        start("200 OK", [("Content-Length", "50"), ("Content-Type", "application/fhir+json")])
        return drip()

    started = time.monotonic()
    server = make_server("127.0.0.1", 0, answer, threaded=True)
    with serving(server) as address, pytest.raises(TryLater) as caught:
        fhir_rest.send(delivery(), options(address, timeout_seconds="0.5"))
    assert caught.value.problems[0].code == "DLV-101"
    assert time.monotonic() - started < 3


def test_nobody_listening_is_tried_later() -> None:
    with pytest.raises(TryLater) as caught:
        fhir_rest.send(delivery(), options("http://127.0.0.1:9/fhir"))
    assert caught.value.problems[0].code == "DLV-101"
    assert PATIENT not in str(caught.value.problems[0])


@pytest.mark.parametrize(
    "body",
    [b"<html>welcome</html>", b"{}", b'{"resourceType":"Bundle","type":"transaction-response"}'],
    ids=["a proxy's page", "an empty object", "fewer entries than sent"],
)
def test_two_hundred_without_a_transaction_response_is_not_delivered(body: bytes) -> None:
    """A captive portal says 200 to everything."""
    with (
        serving(make_server("127.0.0.1", 0, _always(body), threaded=True)) as address,
        pytest.raises(TryLater) as caught,
    ):
        fhir_rest.send(delivery(), options(address))
    assert caught.value.problems[0].code == "DLV-103"


def test_a_redirect_is_not_followed(clinic: Clinic) -> None:
    """A patient's record goes where the operator said, nowhere else."""

    def elsewhere(environ, start_response):  # type: ignore[no-untyped-def]
        start_response("307 Temporary Redirect", [("Location", "http://127.0.0.1:9/")])
        return [b""]

    with (
        serving(make_server("127.0.0.1", 0, elsewhere, threaded=True)) as address,
        pytest.raises(TryLater) as caught,
    ):
        fhir_rest.send(delivery(), options(address))
    assert caught.value.problems[0].code == "DLV-102"


def test_an_endless_answer_is_cut() -> None:
    endless = b" " * (fhir_rest.ANSWER_BYTES_MAX + 1)
    with (
        serving(make_server("127.0.0.1", 0, _always(endless), threaded=True)) as address,
        pytest.raises(TryLater) as caught,
    ):
        fhir_rest.send(delivery(), options(address))
    assert caught.value.problems[0].code == "DLV-101"


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({}, "url"),
        ({"url": "ftp://clinic.example/fhir"}, "url"),
        ({"url": "http://clinic.example/fhir"}, "plain_http"),
        ({"url": "https://user:secret@clinic.example/fhir"}, "password"),
        ({"url": "https://clinic.example", "timeout_seconds": "0"}, "timeout_seconds"),
        ({"url": "https://clinic.example", "timeout_seconds": "nan"}, "timeout_seconds"),
        ({"url": "https://clinic.example", "ca_file": "/no/such/file"}, "ca_file"),
        ({"url": "https://clinic.example", "verify": "no"}, "verify"),
    ],
)
def test_names_the_option_that_is_wrong(given: dict[str, str], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        fhir_rest.check_options(given)


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    certificate = tmp_path / "client.pem"
    certificate.write_text("x")
    with pytest.raises(ValueError, match="key_file"):
        fhir_rest.check_options({"url": "https://clinic.example", "cert_file": str(certificate)})


@pytest.mark.parametrize(
    "given",
    [
        {"url": "https://clinic.example/fhir"},
        {"url": "http://127.0.0.1:8081/fhir"},
        {"url": "http://clinic.example/fhir", "plain_http": "yes"},
    ],
)
def test_fills_in_the_timeout(given: dict[str, str]) -> None:
    assert fhir_rest.check_options(given)["timeout_seconds"] == "20.0"


def _one(clinic: Clinic, kind: str) -> Json:
    (found,) = (r for place, r in clinic.resources.items() if place.startswith(f"{kind}/"))
    return found


def _always(body: bytes):  # type: ignore[no-untyped-def]
    def answer(environ, start_response):  # type: ignore[no-untyped-def]
        start_response("200 OK", [("Content-Type", "text/html")])
        return [body]

    return answer


def test_the_default_patience_fits_the_default_claim() -> None:
    """A claim that ended while we still send would let a revocation pass us by."""
    options = fhir_rest.check_options({"url": "https://clinic.example/fhir"})
    lease = Settings.load(None, {"GATEWAY_HOME": "/nowhere"}).work.lease
    assert fhir_rest.patience(options) < lease
    slow = fhir_rest.check_options({"url": "https://clinic.example/fhir", "timeout_seconds": "300"})
    assert fhir_rest.patience(slow) > lease
