"""A laboratory, a clinic and the gateway between them, for tests of what reports mean.

The gateway is whole and in this process, its clock stands until it is moved; the clinic is
the sandbox's, behind a real socket.  Documents are unsigned: the door lets this one through.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

from gateway.app import Gateway, open_gateway
from gateway.fhir import text
from gateway.model import Destination, Identifier, Json, JsonValue, Part, Receipt
from gateway.sandbox.clinic import Clinic, create_clinic
from gateway.settings import Settings
from gateway.store.values import DocumentView, Organization, SubmissionView
from tests import databases

OGRN = "urn:oid:1.2.643.100.1"
SNILS = "urn:oid:1.2.643.100.3"
POLARIS, SIRIUS, CLINIC = "1267700000116", "1267700000226", "1267700000336"
FHIR = "application/fhir+json"
HBA1C = "4548-4"


@dataclass(frozen=True)
class Person:
    snils: str
    family: str
    born: str = "1984-03-17"


ANNA = Person("21043160289", "Верещагинская")
BORIS = Person("22445766068", "Златоустов", "1991-07-25")


@dataclass(frozen=True)
class Report:
    """What a laboratory says in one document."""

    number: str = "000017"
    version: int | None = 1
    status: str = "final"
    values: Mapping[str, str] = field(default_factory=lambda: {HBA1C: "5.10"})
    """LOINC code → value in percent."""

    patient: Person = ANNA
    performer: str = POLARIS
    ordering: str = CLINIC
    order: str | None = "77-104"
    issued: datetime = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)

    def but(self, **changes: Any) -> Report:
        return replace(self, **changes)

    def octets(self) -> bytes:
        """Return the Bundle, exported afresh: new ids, same content."""
        return text.dumps(self._bundle())

    def _bundle(self) -> dict[str, Any]:
        urn = {name: f"urn:uuid:{uuid.uuid4()}" for name in ("p", "o", "c", "q", "s", "r")}
        subject = {"reference": urn["p"]}
        performer = [{"reference": urn["o"]}]
        results = {
            f"urn:uuid:{uuid.uuid4()}": {
                "resourceType": "Observation",
                "status": "entered-in-error" if self.status == "entered-in-error" else "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
                "subject": subject,
                "specimen": {"reference": urn["s"]},
                "effectiveDateTime": "2026-11-20T08:15:00+03:00",
                "performer": performer,
                "valueQuantity": {
                    "value": Decimal(value),
                    "unit": "%",
                    "system": "http://unitsofmeasure.org",
                    "code": "%",
                },
            }
            for code, value in self.values.items()
        }
        resources: dict[str, Any] = {
            urn["p"]: {
                "resourceType": "Patient",
                "identifier": [{"system": SNILS, "value": self.patient.snils}],
                "name": [{"family": self.patient.family, "given": ["Имя"]}],
                "gender": "female",
                "birthDate": self.patient.born,
            },
            urn["o"]: _organization(self.performer),
            urn["s"]: {
                "resourceType": "Specimen",
                "identifier": [{"system": "urn:barcode", "value": f"46{self.number}"}],
                "subject": subject,
            },
            **results,
            urn["r"]: {
                "resourceType": "DiagnosticReport",
                "identifier": [{"system": "urn:number", "value": self.number}],
                "status": self.status,
                "code": {"coding": [{"system": "http://loinc.org", "code": "11502-2"}]},
                "subject": subject,
                "issued": self.issued.isoformat(),
                "performer": performer,
                "result": [{"reference": one} for one in results],
            },
        }
        report = resources[urn["r"]]
        if self.version is not None:
            extension = {"url": "urn:gateway:report-version", "valueString": str(self.version)}
            report["extension"] = [extension]
        if self.order is not None:
            resources[urn["c"]] = _organization(self.ordering)
            resources[urn["q"]] = {
                "resourceType": "ServiceRequest",
                "identifier": [{"system": "urn:orders", "value": self.order}],
                "status": "completed",
                "intent": "order",
                "subject": subject,
                "requester": {"reference": urn["c"]},
            }
            report["basedOn"] = [{"reference": urn["q"]}]
        entries = [
            {
                "fullUrl": name,
                "resource": resource,
                "request": {"method": "POST", "url": resource["resourceType"]},
            }
            for name, resource in resources.items()
        ]
        return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _organization(ogrn: str) -> dict[str, Any]:
    return {
        "resourceType": "Organization",
        "identifier": [{"system": OGRN, "value": ogrn}],
        "name": f"Организация {ogrn}",
    }


def batch(*reports: Report) -> bytes:
    """Return one batch Bundle that holds each report's Bundle as an entry."""
    entries: list[JsonValue] = []
    for one in reports:
        inner = text.loads(one.octets())
        entries.append(
            {
                "fullUrl": f"urn:uuid:{uuid.uuid4()}",
                "resource": inner
                | {
                    "type": "collection",
                    "entry": [
                        {"fullUrl": e["fullUrl"], "resource": e["resource"]} for e in inner["entry"]
                    ],
                },
                "request": {"method": "POST", "url": "Bundle"},
            }
        )
    return text.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries})


@dataclass
class Day:
    """One day in the life of a gateway."""

    gateway: Gateway
    clinics: dict[str, Clinic]
    now: list[datetime]

    def at(self, clock: str) -> None:
        """Move the clock to `10:02` of the day."""
        hour, minute = (int(part) for part in clock.split(":"))
        self.now[0] = self.now[0].replace(hour=hour, minute=minute)

    def keep(self, report: Report | bytes, sender: str = "polaris") -> str:
        octets = report if isinstance(report, bytes) else report.octets()
        part = Part(name="document", media_type=FHIR, body=octets)
        return self.gateway.line.keep(_Sender(sender), FHIR, (part,)).submission

    def send(self, report: Report | bytes, sender: str = "polaris") -> str:
        """Send a report and take everything to its end; return the submission's id."""
        id = self.keep(report, sender)
        self.work()
        return id

    def work(self) -> None:
        """Work the line and the deliveries until nothing is due."""
        self.line()
        self.deliver()

    def line(self) -> None:
        store, lease = self.gateway.store, self.gateway.settings.work.lease
        while orders := store.claim("submission", 1, lease):
            for order in orders:
                self.gateway.line.work(order)

    def deliver(self) -> None:
        store, lease = self.gateway.store, self.gateway.settings.work.lease
        while orders := store.claim("delivery", 1, lease):
            for order in orders:
                self.gateway.deliverer.work(order)

    def consent(self, person: Person = ANNA, recipient: str = "clinic") -> str:
        """Record that a patient lets `recipient` have everything; return the consent's id."""
        now = self.gateway.clock()
        resource: Json = {"resourceType": "Consent", "status": "active"}
        identifiers = (Identifier(system=SNILS, value=person.snils),)
        store = self.gateway.store
        return store.add_grant(identifiers, recipient, "TREAT", now, None, resource, "anna").id

    def view(self, submission: str) -> SubmissionView:
        found = self.gateway.store.view(submission, None)
        assert found is not None
        return found

    def document(self, submission: str) -> DocumentView:
        (one,) = self.view(submission).documents
        return one

    def status(self, submission: str) -> str:
        return str(self.view(submission).status)

    def codes(self, submission: str) -> list[str]:
        view = self.view(submission)
        found = [*view.problems, *(p for one in view.documents for p in one.problems)]
        return [problem.code for problem in found]

    def receipts(self, submission: str) -> list[Receipt]:
        return [row.receipt for row in self.gateway.store.receipts(submission)]

    def card(self, person: Person = ANNA) -> tuple[Json, ...]:
        """Return everything of a patient, as a clinic would read it."""
        identifier = Identifier(system=SNILS, value=person.snils)
        found = self.gateway.store.patients_by_identifier(identifier)
        return self.gateway.store.everything(found[0]) if found else ()

    def results(self, person: Person = ANNA) -> dict[str, str]:
        """Return LOINC code → value of every result that stands on a card."""
        return {_code(one): _value(one) for one in _of(self.card(person), "Observation")}

    def reports(self, person: Person = ANNA) -> list[Json]:
        return _of(self.card(person), "DiagnosticReport")

    def versions(self, resource: Json) -> tuple[Json, ...]:
        """Return every version of a resource."""
        return self.gateway.store.history(str(resource["resourceType"]), str(resource["id"]))

    def received(self, clinic: str = "clinic") -> list[dict[str, str]]:
        """Return what a clinic took, in order: for each delivery, code → status and value."""
        return list(_received(self.clinics[clinic]))

    def holds(self, clinic: str = "clinic") -> dict[str, str]:
        """Return what a clinic shows its doctors: results that are not entered in error."""
        resources = self.clinics[clinic].resources.values()
        return {
            _code(one): _value(one)
            for one in resources
            if one["resourceType"] == "Observation" and one["status"] != "entered-in-error"
        }


@dataclass(frozen=True)
class _Sender:
    organization: str

    @property
    def client(self) -> str:
        return f"{self.organization}-lis"


class _Recorder(Clinic):
    """A clinic that remembers what came, bundle by bundle."""

    def take(self, bundle: Json, key: str) -> Json:
        known = key in self.answers
        answer = super().take(bundle, key)
        if not known:
            self.bundles.append(bundle)
        return answer

    bundles: list[Json]


def _received(clinic: Clinic) -> Iterator[dict[str, str]]:
    assert isinstance(clinic, _Recorder)
    for bundle in clinic.bundles:
        entries: Any = bundle["entry"]
        resources = [entry["resource"] for entry in entries]
        said = {"report": str(_of(resources, "DiagnosticReport")[0]["status"])}
        for one in _of(resources, "Observation"):
            said[_code(one)] = _value(one)
        yield said


def _of(resources: Any, kind: str) -> list[Json]:
    return [one for one in resources if one["resourceType"] == kind]


def _code(observation: Any) -> str:
    codings = observation["code"]["coding"]
    return next(str(c["code"]) for c in codings if c["system"] == "http://loinc.org")


def _value(observation: Any) -> str:
    quantity = observation.get("valueQuantity")
    return str(observation["status"]) if quantity is None else str(quantity["value"])


@contextmanager
def day(
    folder: Path,
    *,
    database: str | None = None,
    clinics: Mapping[str, Mapping[str, str]] | None = None,
    settings: str = "",
) -> Iterator[Day]:
    """Open a gateway with two laboratories and its clinics (name → options) in `folder`.

    `settings` are further lines of its gateway.toml.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trust").mkdir(exist_ok=True)
    wanted = {"clinic": {}} if clinics is None else clinics
    routes = "".join(f'[[routes]]\nto = "{name}"\n' for name in wanted)
    (folder / "gateway.toml").write_text(
        f'url = "http://gateway.test"\n{routes}{settings}', "utf-8"
    )
    if database is None:
        databases.put_into(folder)
    environ = (
        {}
        if database is None
        else {
            "GATEWAY_DATABASE_URL": database,
            "GATEWAY_KEYSTORE_URL": database,
        }
    )
    now = [datetime(2026, 11, 21, 10, 0, tzinfo=UTC)]
    gateway = open_gateway(Settings.load(folder, environ), lambda: _ticking(now))
    running = {name: _clinic() for name in wanted}
    try:
        for id, ogrn in (("polaris", POLARIS), ("sirius", SIRIUS), ("clinic", CLINIC)):
            gateway.store.put_organization(
                Organization(
                    id=id,
                    name=id,
                    kind="clinic" if id == "clinic" else "laboratory",
                    identifiers=(Identifier(system=OGRN, value=ogrn),),
                    allow_unsigned=True,
                )
            )
        for name, options in wanted.items():
            url = f"http://127.0.0.1:{running[name][1].port}/fhir"
            gateway.store.put_destination(
                Destination(
                    name=name,
                    kind="fhir_rest",
                    organization="clinic",
                    options={"url": url, **options},
                )
            )
        yield Day(gateway, {name: one for name, (one, _) in running.items()}, now)
    finally:
        gateway.close()
        for _, server in running.values():
            server.shutdown()
            server.server_close()


def _ticking(now: list[datetime]) -> datetime:
    """Two moments are never the same, as on a real machine."""
    now[0] += timedelta(microseconds=1)
    return now[0]


def _clinic() -> tuple[Clinic, Any]:
    clinic = _Recorder()
    clinic.bundles = []
    server = make_server("127.0.0.1", 0, create_clinic(clinic), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return clinic, server
