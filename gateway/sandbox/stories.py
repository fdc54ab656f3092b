"""The stories in `samples/`: what happens step by step, and what must come of it.

A story holds unsigned documents and a recipe; `Teller` makes of them what a laboratory would
send today, under fresh numbers and signed with the home's own keys.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from gateway.algorithms.interface import Algorithms
from gateway.model import ATTORNEY, ATTORNEY_SIGNATURE, Part
from gateway.sandbox.fresh import Telling, fresh, report_number, telling
from gateway.sandbox.numbers import renewals, renewed
from gateway.signatures.sign import Form, sign, sign_bundle

ATTACHED_TYPE = "application/pkcs7-mime"
DETACHED_TYPE = "application/pkcs7-signature"
JOSE_TYPE = "application/jose"
XML_TYPE = "application/xml"
IN_BUNDLES = ("cades", "jws")
"""Forms that, enveloped, stand in `Bundle.signature`."""


class BadStory(Exception):
    """A story file is wrong; the message names the file, the key and what is expected."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What came of a submission; None is what nobody asked."""

    status: str | None = None
    codes: tuple[str, ...] | None = None
    """Codes of the problems that are no warnings, sorted."""

    warnings: tuple[str, ...] | None = None
    documents: Mapping[str, int] | None = None
    """How many documents of the submission are in which state."""

    duplicate_of: str | None = None
    """Name of the sending whose report it repeats."""

    receipts: tuple[str, ...] | None = None
    """Kinds of receipts, in order of issue."""

    deliveries: int | None = None
    """Times the clinic took it."""

    results: int | None = None
    """Observations the clinic took with it."""

    held: int | None = None
    """Deliveries that wait for a consent."""

    taken: tuple[str, ...] | None = None
    """Names of the sendings the clinic took, in order."""

    cards: int | None = None
    """Patients the clinic finds by the patient's number."""

    records: int | None = None
    """Reports of this number in the patient's card."""

    values: tuple[str, ...] | None = None
    """Numbers that stand in the card digit by digit."""

    absent: tuple[str, ...] | None = None
    """Numbers that do not stand there (any more)."""

    submissions: int | None = None
    """Different submissions and acceptance receipts that one sending was given."""


@dataclass(frozen=True, kw_only=True)
class Signing:
    form: Form

    place: str
    """`detached`, `attached` or `enveloped`."""

    signers: tuple[str, ...]
    """Names of key pairs in the home's `signers/`."""


@dataclass(frozen=True, kw_only=True)
class Tamper:
    """Bytes changed after signing; both sides are of one length."""

    old: bytes
    new: bytes


@dataclass(frozen=True, kw_only=True)
class Powers:
    """A power of attorney that goes with a document: unsigned, and who signs it."""

    input: Path
    signers: tuple[str, ...]
    replace: tuple[tuple[str, str], ...] = ()

    def plain(self) -> bytes:
        """Return it before its dates are moved.  Raises BadStory."""
        return _replaced(self.input, self.replace)


@dataclass(frozen=True, kw_only=True)
class Send:
    """A laboratory sends a document."""

    name: str
    laboratory: str
    """Name of the client that sends."""

    input: Path
    replace: tuple[tuple[str, str], ...]
    """Text changed before signing: what makes this sending differ from another of the file."""

    media_type: str
    signing: Signing
    tamper: Tamper | None
    times: int
    """How often the very same bytes are sent, one after the other."""

    at_once: int
    """How often, before that, at the same time."""

    powers: Powers | None = None

    def plain(self) -> bytes:
        """Return the document before it is made fresh.  Raises BadStory."""
        return _replaced(self.input, self.replace)


@dataclass(frozen=True, kw_only=True)
class Switch:
    """The clinic changes its mode."""

    clinic: str


@dataclass(frozen=True, kw_only=True)
class Tried:
    """Wait until a delivery of a sending failed at least once."""

    of: str


@dataclass(frozen=True, kw_only=True)
class Agree:
    """A patient's consent is recorded by the clinic."""

    name: str
    input: Path
    replace: tuple[tuple[str, str], ...]

    def plain(self) -> bytes:
        """Return the FHIR Consent.  Raises BadStory."""
        return _replaced(self.input, self.replace)


@dataclass(frozen=True, kw_only=True)
class Revoke:
    consent: str


@dataclass(frozen=True, kw_only=True)
class Decide:
    """A person of a laboratory answers a question its documents wait on."""

    laboratory: str
    cause: str
    answer: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Replay:
    of: str


@dataclass(frozen=True, kw_only=True)
class Expect:
    """What must be so by now of a sending and its patient."""

    of: str
    patient: str
    facts: Facts


Step = Send | Switch | Tried | Agree | Revoke | Decide | Replay | Expect


@dataclass(frozen=True, kw_only=True)
class Story:
    name: str
    titles: Mapping[str, str]
    patient: str
    """Identifier of the patient, `system|value`: where the card is looked for."""

    consent: bool
    """Whether the patient's consent to the clinic is on record before anything is sent."""

    renew: tuple[str, ...]
    """Numbers of people that are new in each telling, so that nobody is known from the last."""

    steps: tuple[Step, ...]

    @property
    def sends(self) -> tuple[Send, ...]:
        return tuple(step for step in self.steps if isinstance(step, Send))

    @property
    def first(self) -> Send:
        return self.sends[0]

    @property
    def expect(self) -> Facts:
        """What must be so in the end."""
        return [step.facts for step in self.steps if isinstance(step, Expect)][-1]

    @property
    def alone(self) -> bool:
        """Whether it changes the clinic's mode, which another story would feel."""
        return any(isinstance(step, Switch) for step in self.steps)

    @property
    def simple(self) -> bool:
        """Whether one document is sent once and looked at, and nothing else happens."""
        kinds = [type(step) for step in self.steps]
        return kinds == [Send, Expect] and self.first.times == 1 and not self.first.at_once


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """What a laboratory sends: a document and the signatures beside it."""

    document: Part
    signatures: tuple[Part, ...]
    number: str
    """The report's number in the laboratory; empty when the document has none."""

    powers: tuple[Part, ...] = ()
    """A power of attorney, and its signatures after it."""

    @property
    def beside(self) -> tuple[Part, ...]:
        return (*self.signatures, *self.powers)


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """A signer's key and certificates as the sandbox PKI wrote them."""

    key: bytes
    """PKCS#8, DER."""

    chain: tuple[bytes, ...]
    """The signer's own certificate first, DER."""


Signers = Callable[[str], KeyPair]


class Teller:
    """One telling of a story: its documents share numbers, dates and people."""

    def __init__(
        self, story: Story, signers: Signers, algorithms: Algorithms, now: datetime
    ) -> None:
        self.story = story
        self.signers = signers
        self.algorithms = algorithms
        self.now = now
        self.people = renewals(story.renew, _new_uuid)
        plain = [send.plain() for send in story.sends]
        self.shared: Telling = telling(plain, now, _new_uuid)

    def prepare(self, send: Send) -> Outgoing:
        """Return what is sent: fresh, signed, and spoiled if the story says so."""
        octets = self.named(fresh(send.plain(), self.now, _new_uuid, self.shared))
        pairs = [self.signers(name) for name in send.signing.signers]
        outgoing = signed(octets, send.media_type, send.signing, pairs, self.algorithms, self.now)
        if send.powers:
            outgoing = replace(outgoing, powers=self._powers(send.powers))
        return _tampered(send.tamper, outgoing) if send.tamper else outgoing

    def _powers(self, powers: Powers) -> tuple[Part, ...]:
        """Return a power of attorney, its dates moved with the documents', and signed."""
        octets = self.named(fresh(powers.plain(), self.now, _new_uuid, self.shared))
        signing = Signing(form="cades", place="detached", signers=powers.signers)
        pairs = [self.signers(name) for name in powers.signers]
        made = signed(octets, XML_TYPE, signing, pairs, self.algorithms, self.now)
        return (
            replace(made.document, name=ATTORNEY),
            *(replace(one, name=ATTORNEY_SIGNATURE) for one in made.signatures),
        )

    def named(self, octets: bytes) -> bytes:
        """Return a document with this telling's people in it."""
        return renewed(octets, self.people)

    def patient(self, identifier: str) -> str:
        """Return a patient's `system|value` in this telling."""
        return self.named(identifier.encode()).decode()


def prepare(story: Story, signers: Signers, algorithms: Algorithms, now: datetime) -> Outgoing:
    """Return what the story's laboratory sends first when it is told now."""
    return Teller(story, signers, algorithms, now).prepare(story.first)


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


def _replaced(file: Path, by: Sequence[tuple[str, str]]) -> bytes:
    text = file.read_text("utf-8")
    for old, new in by:
        if old not in text:
            raise BadStory(f"{file}: replace names {old!r}, which is not in it.")
        text = text.replace(old, new)
    return text.encode()


def _tampered(tamper: Tamper, outgoing: Outgoing) -> Outgoing:
    body = outgoing.document.body
    if body.count(tamper.old) < 1:
        raise BadStory("tamper.from is not in the document.")
    changed = body.replace(tamper.old, tamper.new, 1)
    return replace(outgoing, document=replace(outgoing.document, body=changed))


def _new_uuid() -> str:
    return str(uuid.uuid4())
