"""A power of attorney on the page for people: whose, for whom, until when, and whether it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway import sentences
from gateway.model import AttorneyFinding, Party
from gateway.signature_report.parts import TONES, Row, SignaturePart, check_rows
from gateway.signature_report.words import Words


def part(one: AttorneyFinding, words: Words) -> SignaturePart:
    """Return what the page tells of a power of attorney."""
    told = tuple(_rows(one, words))
    verdict = words("indication", one.indication.value)
    if one.sub_indication:
        verdict += f": {words('sub_indication', one.sub_indication)}"
    if one.unread:
        why = sentences.say(one.unread, words.language)
        verdict = f"{words('attorney', 'unread')}: {why}"
    own = [check for finding in one.signatures for check in finding.checks]
    return SignaturePart(
        title=f"{words('attorney', 'title')} {one.number or one.place}",
        tone="bad" if one.unread else TONES[one.indication],
        verdict=verdict,
        rows=told,
        checks=check_rows((*one.checks, *own), words),
        conditions=(),
        hints=(),
    )


def _rows(one: AttorneyFinding, words: Words) -> Iterator[Row]:
    def row(key: str, text: str) -> Row:
        return words("attorney", key), text or "—"

    yield row("place", one.place)
    yield words("page", "sha256"), one.sha256
    if one.unread:
        return
    yield row("principals", parties(one.principals))
    yield row("representatives", parties(one.representatives))
    yield row("term", f"{one.issued} – {one.expires}")
    yield row(
        "powers", ", ".join(one.powers) + (words("attorney", "words") if one.in_words else "")
    )
    signers = (finding.signer for finding in one.signatures)
    yield row("signer", "; ".join(signer.subject for signer in signers if signer is not None))
    yield row("registry", words("registry", one.registry.state))


def parties(found: Sequence[Party]) -> str:
    """Return people and organisations by their numbers; a СНИЛС by its last digits."""
    return "; ".join(filter(None, map(_party, found)))


def _party(party: Party) -> str:
    numbers = [("ОГРН", party.ogrn), ("ИНН", party.inn)]
    told = [f"{name} {number}" for name, number in numbers if number]
    return ", ".join([*told, *([f"СНИЛС ***{party.snils[-2:]}"] if party.snils else [])])
