"""CPU time of reading and checking one bundle: 25 resources, as a laboratory sends them.

    python benchmarks/structure.py [ROUNDS]

The budget is 1 ms per bundle for both together (process time, one core).
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable
from decimal import Decimal

from gateway.fhir import bundle, text
from gateway.formats import fhir_json
from gateway.model import Assurance, Json, JsonValue, SignedContent

OBSERVATIONS = 18


def laboratory_bundle() -> bytes:
    """Return a transaction of 25 resources, about 30 KB, with no patient in the world in it."""
    names = ("patient", "laboratory", "clinic", "doctor", "order", "specimen")
    urls = {name: f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name)}" for name in names}
    to: dict[str, JsonValue] = {name: {"reference": url} for name, url in urls.items()}
    who: dict[str, Json] = {
        "patient": {
            "resourceType": "Patient",
            "identifier": [{"system": "urn:oid:1.2.643.100.3", "value": "00000000000"}],
            "name": [{"family": "Образцова", "given": ["Проба", "Тестовна"]}],
            "gender": "female",
            "birthDate": "1980-02-29",
        },
        "laboratory": {"resourceType": "Organization", "name": "Лаборатория"},
        "clinic": {"resourceType": "Organization", "name": "Поликлиника"},
        "doctor": {"resourceType": "Practitioner", "name": [{"family": "Врачёв"}]},
        "order": {
            "resourceType": "ServiceRequest",
            "status": "active",
            "intent": "order",
            "subject": to["patient"],
            "requester": to["clinic"],
        },
        "specimen": {
            "resourceType": "Specimen",
            "subject": to["patient"],
            "collection": {"collectedDateTime": "2026-11-20T08:10:00+03:00"},
        },
    }
    entries: list[JsonValue] = [_entry(urls[name], who[name]) for name in names]
    results: list[JsonValue] = []
    for number in range(OBSERVATIONS):
        url = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, str(number))}"
        results.append({"reference": url})
        entries.append(_entry(url, _observation(number, to)))
    report: Json = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "Общий анализ крови"},
        "subject": to["patient"],
        "basedOn": [to["order"]],
        "specimen": [to["specimen"]],
        "performer": [to["laboratory"]],
        "issued": "2026-11-21T10:00:00+03:00",
        "result": results,
    }
    entries.append(_entry(f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, 'report')}", report))
    return text.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def _entry(url: str, resource: Json) -> Json:
    request: Json = {"method": "POST", "url": resource["resourceType"]}
    return {"fullUrl": url, "resource": resource, "request": request}


def _observation(number: int, to: dict[str, JsonValue]) -> Json:
    unit: Json = {"unit": "г/л", "system": "http://unitsofmeasure.org", "code": "g/L"}
    terms = "http://terminology.hl7.org/CodeSystem"
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:oid:1.2.643.9", "value": f"77-104-{number}"}],
        "status": "final",
        "category": [
            {"coding": [{"system": f"{terms}/observation-category", "code": "laboratory"}]}
        ],
        "code": {
            "coding": [
                {"system": "http://loinc.org", "code": "718-7", "display": "Hemoglobin"},
                {"system": "urn:oid:1.2.643.5.1.13.13.11.1080", "code": "1017000"},
            ],
            "text": "Гемоглобин общий",
        },
        "subject": to["patient"],
        "effectiveDateTime": "2026-11-20T08:10:00+03:00",
        "issued": "2026-11-21T09:30:00.000+03:00",
        "performer": [to["doctor"], to["laboratory"]],
        "valueQuantity": {"value": Decimal("135.10"), **unit},
        "interpretation": [
            {"coding": [{"system": f"{terms}/v3-ObservationInterpretation", "code": "N"}]}
        ],
        "specimen": to["specimen"],
        "referenceRange": [
            {"low": {"value": Decimal("120.0"), **unit}, "high": {"value": 160, **unit}}
        ],
    }


def measure(work: Callable[[], object], rounds: int) -> float:
    """Return the CPU time of one `work()`, in ms: the best of five runs of `rounds`."""
    work()
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        for _ in range(rounds):
            work()
        best = min(best, (time.process_time() - start) / rounds)
    return best * 1000


def main() -> None:
    """Print the CPU time of each step."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    octets = laboratory_bundle()
    tree = text.loads(octets)
    assert bundle.problems(tree) == ()
    content = SignedContent(
        octets=octets, media_type="application/fhir+json", assurance=Assurance.SIGNED, report=None
    )
    print(f"bundle: {len(octets)} bytes, {OBSERVATIONS + 7} resources")
    steps: dict[str, Callable[[], object]] = {
        "text.loads": lambda: text.loads(octets),
        "bundle.problems": lambda: bundle.problems(tree),
        "fhir_json.parse": lambda: fhir_json.parse(content),
        "text.dumps": lambda: text.dumps(tree),
    }
    for name, work in steps.items():
        print(f"{name:<16} {measure(work, rounds):.3f} ms")


if __name__ == "__main__":
    main()
