"""Documents of a laboratory for tests of repair and identity, unsigned: the door is enough."""

from __future__ import annotations

import re
from pathlib import Path

from tests.doorway import Doorway

XML = "application/xml"
SAMPLE = (Path(__file__).parents[2] / "samples" / "03-lab-xml-gost256" / "result.xml").read_text(
    "utf-8"
)


def lab_document(
    number: str,
    *,
    code: str = "GLU",
    name: str = "Глюкоза",
    unit: str = "ммоль/л",
    collected: str = "2026-11-20",
    identifiers: str | None = None,
    patient: str | None = None,
    specimen: str = "Кровь венозная",
) -> bytes:
    """Return a laboratory XML of one test under the laboratory's own code."""
    text = SAMPLE.replace("<number>77-105</number>", f"<number>{number}</number>")
    text = re.sub(r"<results>.*</results>", _results(code, name, unit), text, flags=re.DOTALL)
    text = text.replace("2026-11-20T08:15", f"{collected}T08:15")
    text = text.replace(">Кровь венозная<", f">{specimen}<")
    text = text.replace("1267700000116", "1027700000000")
    if identifiers is not None:
        text = re.sub(
            r'<identifier system="snils">.*?</identifier>\s*<identifier system="enp">.*?'
            r"</identifier>",
            identifiers,
            text,
            count=1,
            flags=re.DOTALL,
        )
    if patient is not None:
        text = re.sub(
            r"<name><family>Златоустова.*?</sex>", patient, text, count=1, flags=re.DOTALL
        )
    return text.encode()


def _results(code: str, name: str, unit: str) -> str:
    written = f"<unit>{unit}</unit>" if unit else ""
    return (
        f'<results><test specimen="S1"><code system="local">{code}</code><name>{name}</name>'
        f"<value>5,00</value>{written}</test></results>"
    )


def sent(door: Doorway, body: bytes, client: str = "lab") -> str:
    """Send a document and take it to its end; return the submission's id."""
    answer = door.post("/v1/submissions", body, type=XML, client=client)
    assert answer.status_code in (200, 202), answer.get_data(as_text=True)
    door.work()
    return str(answer.get_json()["id"])


def state(door: Doorway, submission: str, client: str = "lab") -> tuple[str, list[str]]:
    """Return a submission's status and the codes of its problems."""
    view = door.get(f"/v1/submissions/{submission}", client=client).get_json()
    return view["status"], [one["code"] for one in view["problems"]]


def worked(door: Doorway) -> None:
    """Let runs of replays and the line go on until nothing moves."""
    for _ in range(100):
        moved = door.gateway.replays.step()
        door.work()
        if not moved + door.gateway.replays.step():
            return
    raise AssertionError("the replays do not come to an end")
