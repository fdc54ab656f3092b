"""`gateway consent`: record, list, ask about and revoke patients' consents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import click

from gateway.cli import files, local, remote
from gateway.cli.dates import moment
from gateway.cli.output import (
    Exit,
    Output,
    TurnedAway,
    Wrong,
    leave,
    options_before,
    options_to,
    translated,
)
from gateway.errors import Rejected

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.consents import Question
    from gateway.model import Json

Object = dict[str, Any]

RECIPIENT_PLACE = "/provision/actor/0/reference"
"""Where the Consent made from words names its recipient."""

STATES = ("active", "expired", "rejected", "revoked")
LABELS = {
    "ru": {
        "active": "действует",
        "expired": "истекло",
        "rejected": "отказ",
        "revoked": "отозвано",
        "none": "нет",
    },
    "en": {name: name for name in (*STATES, "none")},
}


BASES = {"consent": "согласие", "none": "нет"}


@click.group(
    "consent",
    help=translated(
        "Согласия пациентов: записать, проверить, отозвать, показать.",
        "Patients' consents: record, check, revoke, list.",
    ),
)
@options_before
def command(**before: object) -> None:
    pass


_PATIENT = click.option(
    "--patient",
    metavar="ID",
    help=translated("СНИЛС или «система|номер».", "СНИЛС, or `system|value`."),
)
_RECIPIENT = click.option(
    "--recipient",
    metavar="ORG",
    help=translated("Организация-получатель.", "The organisation that receives."),
)
_PURPOSE = click.option(
    "--purpose",
    default="TREAT",
    show_default=True,
    help=translated("Цель (HL7 ActReason).", "Purpose (HL7 ActReason)."),
)


@command.command(
    "add",
    help=translated(
        "Записать согласие: файл FHIR Consent («-» — со входа) или слова --patient, --recipient.",
        "Record a consent: a FHIR Consent file (`-` for standard input), or --patient and"
        " --recipient.",
    ),
)
@click.argument("file", required=False)
@_PATIENT
@_RECIPIENT
@_PURPOSE
@click.option(
    "--test",
    "tests",
    multiple=True,
    metavar="SYSTEM|CODE",
    help=translated("Только эти исследования.", "These tests only."),
)
@click.option("--deny", is_flag=True, help=translated("Отказ.", "A refusal."))
@click.option(
    "--until",
    metavar="TIME",
    help=translated("До этого момента (ISO 8601).", "Ends at this moment (ISO 8601)."),
)
@options_to
def add(
    out: Output,
    file: str | None,
    patient: str | None,
    recipient: str | None,
    purpose: str,
    tests: tuple[str, ...],
    deny: bool,
    until: str | None,
) -> None:
    from gateway.consents import written
    from gateway.fhir import text

    if file is not None:
        if patient or recipient or tests or deny or until:
            raise Wrong(out.say("файл или слова, не вместе", "a file or words, not both"))
        resource = text.loads(files.content(out, file))
    else:
        resource = written(
            _question(out, patient, recipient, purpose, None),
            deny=deny,
            tests=[_test(out, one) for one in tests],
            start=datetime.now(UTC),
            end=moment(out, "--until", until),
        )
    with _at_desk(out) as desk:
        try:
            stored = desk.record(resource)
        except (Rejected, TurnedAway) as refused:
            # Who gave words, not a file, is told of the word.
            if recipient and RECIPIENT_PLACE in _places(refused):
                local.no_organization(out, recipient)
            raise
    out.data(stored)
    out.text(f"{stored['id']}  {LABELS[out.language][stored['state']]}")


@command.command("list", help=translated("Показать согласия.", "List consents."))
@click.option("--state", type=click.Choice(STATES), help=translated("Состояние.", "State."))
@_RECIPIENT
@options_to
def list_consents(out: Output, state: str | None, recipient: str | None) -> None:
    filters = {"state": state, "recipient": recipient}
    with _at_desk(out) as desk:
        found = list(desk.find({name: value for name, value in filters.items() if value}))
    for one in found:
        out.data(one)
    columns = (
        out.say("Согласие", "Consent"),
        out.say("Состояние", "State"),
        out.say("Получатели", "Recipients"),
        out.say("Исследования", "Tests"),
        out.say("До", "Until"),
    )
    out.table(columns, [_row(out, one) for one in found])


@command.command(
    "check",
    help=translated(
        "Можно ли передавать: 0 — да, 1 — нет.", "May it be sent: 0 for yes, 1 for no."
    ),
)
@_PATIENT
@_RECIPIENT
@_PURPOSE
@click.option(
    "--test", metavar="SYSTEM|CODE", help=translated("Об одном исследовании.", "About one test.")
)
@options_to
def check(
    out: Output, patient: str | None, recipient: str | None, purpose: str, test: str | None
) -> None:
    asked = _question(out, patient, recipient, purpose, _test(out, test) if test else None)
    with _at_desk(out) as desk:
        found = desk.check(asked)
    out.data(found)
    label = LABELS[out.language][found["state"]]
    word = out.say("можно", "may") if found["permitted"] else out.say("нельзя", "may not")
    basis = out.say(f"основание: {BASES[found['basis']]}", f"basis: {found['basis']}")
    out.text(f"{out.mark(found['permitted'])} {word}  {basis}  ({label})")
    out.text(f"  {out.say('Почему', 'Why')}: {found['why']}")
    if found["consent"]:
        out.text(f"  {out.say('Согласие', 'Consent')}: {found['consent']}")
    leave(Exit.GOOD if found["permitted"] else Exit.REFUSED)


@command.command(
    "revoke",
    help=translated(
        "Отозвать согласие и дождаться, пока по нему ничего не передаётся; 3 — не дождались.",
        "Revoke a consent and wait until nothing leaves on it; exit 3 when something still does.",
    ),
)
@click.argument("consent")
@options_to
def revoke(out: Output, consent: str) -> None:
    with _at_desk(out) as desk:
        done = desk.revoke(consent)
    if done is None:
        out.complain(out.say(f"согласия {consent} нет", f"there is no consent {consent}"))
        leave(Exit.REFUSED)
    out.data(done)
    out.text(f"{done['id']}  {LABELS[out.language][done['state']]}")
    out.note(out.say(f"Приостановлено передач: {done['held']}", f"Deliveries held: {done['held']}"))
    if done["in_flight"]:
        out.complain(
            out.say(
                f"ещё передаётся начатое раньше: {done['in_flight']}",
                f"still on the wire, begun before: {done['in_flight']}",
            )
        )
        leave(Exit.UNDECIDED)


class _Desk(Protocol):
    """What these verbs ask a gateway; answers are the JSON of /v1/consents."""

    def record(self, resource: Json) -> Object: ...
    def find(self, filters: dict[str, str]) -> Iterator[Object]: ...
    def check(self, question: Question) -> Object: ...
    def revoke(self, consent: str) -> Object | None: ...


@contextmanager
def _at_desk(out: Output) -> Iterator[_Desk]:
    if out.to is not None:
        yield _Remote(remote.connect(out))
        return
    with local.opened(out) as gateway:
        yield _Local(gateway, out.language)


class _Local:
    """The home on this machine: its operator sees every organisation's consents."""

    def __init__(self, gateway: Gateway, language: str) -> None:
        from gateway.consents import Consents

        self.gateway = gateway
        self.language = language
        self.consents = Consents(gateway.store, gateway.clock)

    def record(self, resource: Json) -> Object:
        from gateway.api.consents import present

        stored = self.consents.record(resource, local.ACTOR, local.ACTOR)
        return {**present(stored), "in_flight": stored.in_flight}

    def find(self, filters: dict[str, str]) -> Iterator[Object]:
        from gateway.api.consents import present
        from gateway.store.values import ConsentFilter

        cursor: str | None = None
        while True:
            wanted = ConsentFilter(organizations=None, cursor=cursor, limit=200, **filters)
            page = self.gateway.store.consents(wanted)
            yield from map(present, page.items)
            cursor = page.next_cursor
            if cursor is None:
                return

    def check(self, question: Question) -> Object:
        from gateway.api.consents import present_answer

        found = self.consents.ask(question, None, local.ACTOR)
        return present_answer(found, self.language)

    def revoke(self, consent: str) -> Object | None:
        from gateway.api.consents import present

        store = self.gateway.store
        try:
            done = store.revoke_grant(consent, local.ACTOR)
        except KeyError:
            return None
        stored = store.consent(consent, None)
        assert stored is not None
        return {**present(stored), "held": done.held, "in_flight": done.in_flight}


class _Remote:
    """A gateway over HTTP."""

    def __init__(self, gateway: remote.Remote) -> None:
        self.gateway = gateway

    def record(self, resource: Json) -> Object:
        from gateway.fhir import text

        kind = {"Content-Type": "application/fhir+json"}
        posted = self.gateway.post("/v1/consents", data=text.dumps(resource), headers=kind)
        return remote.expected(posted, 201)

    def find(self, filters: dict[str, str]) -> Iterator[Object]:
        query = {**filters, "limit": "200"}
        while True:
            page = remote.expected(self.gateway.get("/v1/consents", **query), 200)
            yield from page["items"]
            if not page["next_cursor"]:
                return
            query["cursor"] = page["next_cursor"]

    def check(self, question: Question) -> Object:
        asked = {
            "patient": f"{question.patient.system}|{question.patient.value}",
            "recipient": question.recipient,
            "purpose": question.purpose,
        }
        asked |= {"test": question.test} if question.test else {}
        return remote.expected(self.gateway.post("/v1/consents/check", json=asked), 200)

    def revoke(self, consent: str) -> Object | None:
        answered = self.gateway.post(f"/v1/consents/{consent}/revoke")
        return None if answered.status == 404 else remote.expected(answered, 200)


def _question(
    out: Output, patient: str | None, recipient: str | None, purpose: str, test: str | None
) -> Question:
    from gateway.consents import Question, patient_of

    if not patient or not recipient:
        raise Wrong(
            out.say("нужны --patient и --recipient", "--patient and --recipient are needed")
        )
    return Question(patient=patient_of(patient), recipient=recipient, purpose=purpose, test=test)


def _test(out: Output, written: str) -> str:
    if "|" not in written:
        raise Wrong(out.say("--test: система|код", "--test: system|code"))
    return written


def _places(refused: Rejected | TurnedAway) -> list[str]:
    if isinstance(refused, TurnedAway):
        return [str(one.get("place")) for one in refused.problems]
    return [one.place for one in refused.problems]


def _row(out: Output, one: Object) -> tuple[str, ...]:
    provisions = one["provisions"]
    recipients = sorted({part["recipient"] for part in provisions})
    tests = sorted({test.rpartition("|")[2] for part in provisions for test in part["tests"]})
    ends = [part["to"] for part in provisions]
    last = "" if None in ends else max(ends, default="")
    label = LABELS[out.language][one["state"]]
    return one["id"], label, ", ".join(recipients), ", ".join(tests) or "*", last
