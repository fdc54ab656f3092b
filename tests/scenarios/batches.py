"""Many reports in one message, for tests: FHIR batches made of a laboratory's reports."""

from __future__ import annotations

from typing import Any

from gateway.fhir import text
from tests.scenarios.laboratory import Person, Report

Bundle = dict[str, Any]


def snils(number: int) -> str:
    """Return a СНИЛС whose check digits hold."""
    digits = f"{220_000_000 + number:09}"
    total = sum(int(digit) * (9 - place) for place, digit in enumerate(digits)) % 101
    return f"{digits}{total % 100:02}"


def person(number: int) -> Person:
    family = "".join("абвгдежзик"[int(digit)] for digit in f"{number:04}")
    return Person(snils(number), f"Ф{family}")


def bundle(report: Report) -> Bundle:
    """Return a report's Bundle, exported afresh."""
    read: Any = text.loads(report.octets())
    return dict(read)


def nested(*bundles: Bundle) -> bytes:
    """Return a batch with a Bundle in every entry."""
    request = {"method": "POST", "url": "Bundle"}
    entries: Any = [{"resource": one, "request": request} for one in bundles]
    return text.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries})


def flat(*bundles: Bundle, kind: str = "batch") -> bytes:
    """Return one Bundle of all their entries, as a server's bulk export has them."""
    entries: Any = [entry for one in bundles for entry in one["entry"]]
    return text.dumps({"resourceType": "Bundle", "type": kind, "entry": entries})


def resources(one: Bundle, kind: str) -> list[dict[str, Any]]:
    found = [entry["resource"] for entry in one["entry"]]
    return [resource for resource in found if resource["resourceType"] == kind]
