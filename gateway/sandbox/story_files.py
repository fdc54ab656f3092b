"""`story.yaml`, checked and read.

A story is told in `steps`.  The commonest one, a document that is sent and looked at, may be
written without: `input`, `send`, `clinic` and `expect` stand at the top then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from marshmallow import Schema, ValidationError, fields, validate

from gateway.sandbox.stories import (
    Agree,
    BadStory,
    Decide,
    Expect,
    Facts,
    Powers,
    Replay,
    Revoke,
    Send,
    Signing,
    Step,
    Story,
    Switch,
    Tamper,
    Tried,
)

FILE = "story.yaml"
ONLY = "document"
"""Name of the sending of a story without steps."""

STATUSES = ("accepted", "rejected", "needs_info", "replaced", "withdrawn")
MODES = ("up", "down", "slow", "refuse", "lose")
FILE_NAME = validate.Regexp(r"[\w.-]+\Z")
IDENTIFIER = validate.Regexp(r"\S+\|\S+\Z")


def load_stories(folder: Path) -> tuple[Story, ...]:
    """Return the stories in `folder`, by name.  Raises BadStory."""
    return tuple(load_story(file) for file in sorted(folder.glob(f"*/{FILE}")))


def load_story(file: Path) -> Story:
    """Return the story in one file.  Raises BadStory."""
    try:
        given: dict[str, Any] = _Story().load(yaml.safe_load(file.read_text("utf-8")) or {})
        steps = given["steps"] or _single(given)
        reader = _Reader(file, given)
        read = tuple(reader.step(number, step) for number, step in enumerate(steps, 1))
    except (yaml.YAMLError, ValidationError) as error:
        raise BadStory(f"{file}: {error}") from error
    story = Story(
        name=file.parent.name,
        titles=given["title"],
        patient=given["patient"],
        consent=given["consent"],
        renew=tuple(given["renew"]),
        steps=read,
    )
    if not story.sends or not isinstance(read[-1], Expect):
        raise BadStory(f"{file}: steps hold a send, and an expect comes last.")
    for step in story.steps:
        if isinstance(step, Send | Agree):
            step.plain()
        if isinstance(step, Send) and step.powers:
            step.powers.plain()
    return story


def _single(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of a story that is written without."""
    missing = [key for key in ("input", "expect") if given[key] is None]
    if missing:
        raise ValidationError({key: ["is needed in a story without steps"] for key in missing})
    beside = {name: given[name] for name in ("input", "tamper", "attorney")}
    send = {"as": ONLY, **given["send"], **beside}
    wanted = {"codes": [], "submissions": 1, **given["expect"]}
    steps: list[dict[str, Any]] = [{"send": send}, {"expect": wanted}]
    if given["clinic"] == "down-then-up":
        steps = [{"clinic": "down"}, steps[0], {"tried": ONLY}, {"clinic": "up"}, steps[1]]
    return steps


class _Reader:
    """Reads the steps of one file: names must be known before they are used."""

    def __init__(self, file: Path, given: Mapping[str, Any]) -> None:
        self.file = file
        self.given = given
        self.sent: list[str] = []
        self.agreed: list[str] = []
        self.kinds: dict[str, tuple[Schema | None, Callable[[Any], Step]]] = {
            "send": (_Send(), self._send),
            "clinic": (None, self._clinic),
            "tried": (None, lambda name: Tried(of=self._known(name, self.sent))),
            "agree": (_Agree(), self._agree),
            "revoke": (None, lambda name: Revoke(consent=self._known(name, self.agreed))),
            "decide": (_Decide(), self._decide),
            "replay": (None, lambda name: Replay(of=self._known(name, self.sent))),
            "expect": (_Expect(), self._expect),
        }

    def step(self, number: int, step: Mapping[str, Any]) -> Step:
        try:
            ((kind, given),) = step.items()
            schema, make = self.kinds[kind]
        except (ValueError, KeyError) as error:
            known = ", ".join(self.kinds)
            raise BadStory(f"{self.file}: step {number} is one of {known}.") from error
        try:
            return make(schema.load(given) if schema else given)
        except ValidationError as error:
            raise BadStory(f"{self.file}: step {number}, {kind}: {error}") from error

    def _send(self, given: dict[str, Any]) -> Send:
        name = given["as"] or f"{len(self.sent) + 1}"
        self.sent.append(name)
        media_type = given["media_type"] or self.given["media_type"]
        signing = given["sign"] or self.given["sign"]
        laboratory = given["laboratory"] or self.given["laboratory"]
        if media_type is None or signing is None or laboratory is None:
            raise ValidationError("media_type, sign and laboratory are needed here or at the top")
        return Send(
            name=name,
            laboratory=laboratory,
            input=self._file(given["input"]),
            replace=tuple(given["replace"].items()),
            media_type=media_type,
            signing=Signing(
                form=signing["form"], place=signing["place"], signers=tuple(signing["signers"])
            ),
            tamper=self._tamper(given["tamper"]),
            times=given["times"],
            at_once=given["at_once"],
            powers=self._powers(given["attorney"]),
        )

    def _powers(self, given: Mapping[str, Any] | None) -> Powers | None:
        if given is None:
            return None
        return Powers(
            input=self._file(given["input"]),
            signers=tuple(given["signers"]),
            replace=tuple(given["replace"].items()),
        )

    def _clinic(self, mode: str) -> Switch:
        if mode not in MODES:
            raise ValidationError(f"{mode!r} is none of {', '.join(MODES)}")
        return Switch(clinic=mode)

    def _agree(self, given: dict[str, Any]) -> Agree:
        self.agreed.append(given["as"])
        replace = tuple(given["replace"].items())
        return Agree(name=given["as"], input=self._file(given["input"]), replace=replace)

    def _decide(self, given: dict[str, Any]) -> Decide:
        laboratory = given["laboratory"] or self.given["laboratory"]
        return Decide(laboratory=laboratory, cause=given["cause"], answer=given["answer"])

    def _expect(self, given: dict[str, Any]) -> Expect:
        of, patient = given.pop("of"), given.pop("patient")
        facts: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in given.items()
        }
        for key in ("codes", "warnings"):
            if facts[key] is not None:
                facts[key] = tuple(sorted(facts[key]))
        return Expect(
            of=self._known(of or (self.sent[-1] if self.sent else ""), self.sent),
            patient=patient or self.given["patient"],
            facts=Facts(**facts),
        )

    def _known(self, name: str, names: list[str]) -> str:
        if name not in names:
            raise ValidationError(f"{name!r} was not named before; known: {', '.join(names)}")
        return name

    def _file(self, name: str) -> Path:
        found = self.file.parent / name
        if not found.is_file():
            raise ValidationError(f"input is {name!r}, which is not a file beside it")
        return found

    def _tamper(self, given: Mapping[str, str] | None) -> Tamper | None:
        if given is None:
            return None
        tamper = Tamper(old=given["from"].encode(), new=given["to"].encode())
        if len(tamper.old) != len(tamper.new) or tamper.old == tamper.new:
            raise ValidationError("tamper.from and tamper.to differ, but not in length")
        return tamper


_TamperSchema = Schema.from_dict(
    {"from": fields.String(required=True), "to": fields.String(required=True)}
)


class _Sign(Schema):
    form = fields.String(
        required=True, validate=validate.OneOf(["cades", "jws", "xmldsig", "xades"])
    )
    place = fields.String(
        required=True, validate=validate.OneOf(["detached", "attached", "enveloped"])
    )
    signers = fields.List(fields.String(), required=True, validate=validate.Length(min=1, max=16))


class _Powers(Schema):
    input = fields.String(required=True, validate=FILE_NAME)
    signers = fields.List(fields.String(), required=True, validate=validate.Length(min=1, max=2))
    replace = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)


class _Times(Schema):
    times = fields.Integer(load_default=1, validate=validate.Range(min=1, max=100))
    at_once = fields.Integer(load_default=0, validate=validate.Range(min=0, max=100))


class _SendFields(_Times):
    input = fields.String(required=True, validate=FILE_NAME)
    laboratory = fields.String(load_default=None)
    media_type = fields.String(load_default=None)
    sign = fields.Nested(_Sign, load_default=None)
    tamper = fields.Nested(_TamperSchema, load_default=None, allow_none=True)
    attorney = fields.Nested(_Powers, load_default=None, allow_none=True)
    replace = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)


_Send = type("_Send", (_SendFields,), {"as": fields.String(load_default=None)})
_Agree = Schema.from_dict(
    {
        "as": fields.String(load_default="consent"),
        "input": fields.String(required=True, validate=FILE_NAME),
        "replace": fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict),
    }
)


class _Decide(Schema):
    laboratory = fields.String(load_default=None)
    cause = fields.String(required=True)
    answer = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class _Expect(Schema):
    of = fields.String(load_default=None)
    patient = fields.String(load_default=None, validate=IDENTIFIER)
    status = fields.String(load_default=None, validate=validate.OneOf(STATUSES))
    codes = fields.List(fields.String(), load_default=None)
    warnings = fields.List(fields.String(), load_default=None)
    documents = fields.Dict(keys=fields.String(), values=fields.Integer(), load_default=None)
    duplicate_of = fields.String(load_default=None)
    receipts = fields.List(fields.String(), load_default=None)
    deliveries = fields.Integer(load_default=None)
    results = fields.Integer(load_default=None)
    held = fields.Integer(load_default=None)
    taken = fields.List(fields.String(), load_default=None)
    cards = fields.Integer(load_default=None)
    records = fields.Integer(load_default=None)
    values = fields.List(fields.String(), load_default=None)
    absent = fields.List(fields.String(), load_default=None)
    submissions = fields.Integer(load_default=None)


class _Story(Schema):
    title = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    laboratory = fields.String(load_default=None)
    input = fields.String(load_default=None, validate=FILE_NAME)
    media_type = fields.String(load_default=None)
    patient = fields.String(required=True, validate=IDENTIFIER)
    consent = fields.Boolean(load_default=False)
    renew = fields.List(fields.String(validate=validate.Regexp(r".*\d")), load_default=list)
    sign = fields.Nested(_Sign, load_default=None)
    tamper = fields.Nested(_TamperSchema, load_default=None)
    attorney = fields.Dict(load_default=None)
    send = fields.Nested(_Times, load_default=dict)
    clinic = fields.String(load_default="up", validate=validate.OneOf(["up", "down-then-up"]))
    expect = fields.Dict(load_default=None)
    steps = fields.List(fields.Dict(), load_default=None)
