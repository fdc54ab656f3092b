"""The stories in `samples/`: what is sent, how it is signed and spoiled, what must come of it.

A story holds an unsigned document and a recipe; `prepare` makes of it what a laboratory would
send today, under fresh numbers and signed with the home's own keys.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from marshmallow import Schema, ValidationError, fields, validate

from gateway.algorithms.interface import Algorithms
from gateway.model import Part
from gateway.sandbox.fresh import fresh, report_number
from gateway.signatures.sign import Form, sign, sign_bundle

FILE = "story.yaml"
ATTACHED_TYPE = "application/pkcs7-mime"
DETACHED_TYPE = "application/pkcs7-signature"
JOSE_TYPE = "application/jose"
IN_BUNDLES = ("cades", "jws")


class BadStory(Exception):
    """A story file is wrong; the message names the file, the key and what is expected."""


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """How a story ends."""

    status: str
    codes: tuple[str, ...]
    """Codes of the problems that are no warnings."""

    records: int
    """Reports of this number in the patient's card."""

    deliveries: int
    """Times the clinic took it."""

    receipts: tuple[str, ...]
    """Kinds of receipts, in order of issue."""

    values: tuple[str, ...] = ()
    """Numbers that stand in the card digit by digit."""


@dataclass(frozen=True, kw_only=True)
class Signing:
    form: Form

    place: str
    """`detached`, `attached` or `enveloped`; a bundle holds CAdES and JWS in its signature."""

    signers: tuple[str, ...]
    """Names of key pairs in the home's `signers/`."""


@dataclass(frozen=True, kw_only=True)
class Tamper:
    """Bytes changed after signing; both sides are of one length."""

    old: bytes
    new: bytes


@dataclass(frozen=True, kw_only=True)
class Story:
    name: str
    titles: Mapping[str, str]
    laboratory: str
    """Name of the client that sends."""

    input: Path
    media_type: str
    patient: str
    """Identifier of the patient, `system|value`: where the card is looked for."""

    consent: bool
    """Whether the patient's consent to the clinic is on record before anything is sent."""

    signing: Signing
    tamper: Tamper | None
    times: int
    """How often the very same bytes are sent, one after the other."""

    at_once: int
    """How often, after that, at the same time."""

    clinic: str
    """`up` or `down-then-up`."""

    expect: Expectation


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """What a laboratory sends: a document and the signatures beside it."""

    document: Part
    signatures: tuple[Part, ...]
    number: str
    """The report's number in the laboratory; empty when the document has none."""


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """A signer's key and certificates as the sandbox PKI wrote them."""

    key: bytes
    """PKCS#8, DER."""

    chain: tuple[bytes, ...]
    """The signer's own certificate first, DER."""


Signers = Callable[[str], KeyPair]


def load_stories(folder: Path) -> tuple[Story, ...]:
    """Return the stories in `folder`, by name.  Raises BadStory."""
    return tuple(load_story(file) for file in sorted(folder.glob(f"*/{FILE}")))


def load_story(file: Path) -> Story:
    """Return the story in one file.  Raises BadStory."""
    try:
        given: dict[str, Any] = _Story().load(yaml.safe_load(file.read_text("utf-8")) or {})
    except (yaml.YAMLError, ValidationError) as error:
        raise BadStory(f"{file}: {error}") from error
    document = file.parent / given["input"]
    if not document.is_file():
        raise BadStory(f"{file}: input is {given['input']!r}, which is not a file beside it.")
    send, wanted, signing = given["send"], given["expect"], given["sign"]
    return Story(
        name=file.parent.name,
        titles=given["title"],
        laboratory=given["laboratory"],
        input=document,
        media_type=given["media_type"],
        patient=given["patient"],
        consent=given["consent"],
        signing=Signing(
            form=signing["form"], place=signing["place"], signers=tuple(signing["signers"])
        ),
        tamper=_tamper(file, given["tamper"]),
        times=send["times"],
        at_once=send["at_once"],
        clinic=given["clinic"],
        expect=Expectation(
            status=wanted["status"],
            codes=tuple(wanted["codes"]),
            records=wanted["records"],
            deliveries=wanted["deliveries"],
            receipts=tuple(wanted["receipts"]),
            values=tuple(wanted["values"]),
        ),
    )


def prepare(story: Story, signers: Signers, algorithms: Algorithms, now: datetime) -> Outgoing:
    """Return what the story's laboratory sends now: fresh, signed, and spoiled if it says so."""
    octets = fresh(story.input.read_bytes(), now, lambda: str(uuid.uuid4()))
    pairs = [signers(name) for name in story.signing.signers]
    outgoing = signed(octets, story.media_type, story.signing, pairs, algorithms, now)
    return _tampered(story, outgoing) if story.tamper else outgoing


def signed(
    octets: bytes,
    media_type: str,
    signing: Signing,
    pairs: Sequence[KeyPair],
    algorithms: Algorithms,
    now: datetime,
) -> Outgoing:
    """Return `octets` signed by every pair, as it would be sent."""
    number = report_number(octets)
    detached = signing.place == "detached"
    if signing.place == "enveloped" and signing.form in IN_BUNDLES:
        (pair,) = pairs
        body = sign_bundle(
            octets,
            key=pair.key,
            chain=pair.chain,
            algorithms=algorithms,
            form=signing.form,
            at=now,
        )
        whole = Part(name="document", media_type=media_type, body=body)
        return Outgoing(document=whole, signatures=(), number=number)
    made = [
        sign(
            octets,
            key=pair.key,
            chain=pair.chain,
            algorithms=algorithms,
            form=signing.form,
            detached=detached,
            at=now,
        )
        for pair in pairs
    ]
    if detached:
        beside = JOSE_TYPE if signing.form == "jws" else DETACHED_TYPE
        parts = tuple(Part(name="signature", media_type=beside, body=one) for one in made)
        document = Part(name="document", media_type=media_type, body=octets)
        return Outgoing(document=document, signatures=parts, number=number)
    (body,) = made
    attached = JOSE_TYPE if signing.form == "jws" else ATTACHED_TYPE
    kind = attached if signing.place == "attached" else media_type
    document = Part(name="document", media_type=kind, body=body)
    return Outgoing(document=document, signatures=(), number=number)


def _tampered(story: Story, outgoing: Outgoing) -> Outgoing:
    assert story.tamper is not None
    body = outgoing.document.body
    if body.count(story.tamper.old) < 1:
        raise BadStory(f"{story.name}: tamper.from is not in the document.")
    changed = body.replace(story.tamper.old, story.tamper.new, 1)
    document = Part(name="document", media_type=outgoing.document.media_type, body=changed)
    return Outgoing(document=document, signatures=outgoing.signatures, number=outgoing.number)


def _tamper(file: Path, given: Mapping[str, str] | None) -> Tamper | None:
    if given is None:
        return None
    tamper = Tamper(old=given["from"].encode(), new=given["to"].encode())
    if len(tamper.old) != len(tamper.new) or tamper.old == tamper.new:
        raise BadStory(f"{file}: tamper.from and tamper.to differ, but not in length.")
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


class _Send(Schema):
    times = fields.Integer(load_default=1, validate=validate.Range(min=1, max=100))
    at_once = fields.Integer(load_default=0, validate=validate.Range(min=0, max=100))


class _Expect(Schema):
    status = fields.String(
        required=True, validate=validate.OneOf(["accepted", "rejected", "needs_info"])
    )
    codes = fields.List(fields.String(), load_default=list)
    records = fields.Integer(required=True)
    deliveries = fields.Integer(required=True)
    receipts = fields.List(fields.String(), required=True)
    values = fields.List(fields.String(), load_default=list)


class _Story(Schema):
    title = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    laboratory = fields.String(required=True)
    input = fields.String(required=True, validate=validate.Regexp(r"[\w.-]+\Z"))
    media_type = fields.String(required=True)
    patient = fields.String(required=True, validate=validate.Regexp(r"\S+\|\S+\Z"))
    consent = fields.Boolean(load_default=False)
    sign = fields.Nested(_Sign, required=True)
    tamper = fields.Nested(_TamperSchema, load_default=None)
    send = fields.Nested(_Send, load_default=lambda: _Send().load({}))
    clinic = fields.String(load_default="up", validate=validate.OneOf(["up", "down-then-up"]))
    expect = fields.Nested(_Expect, required=True)
