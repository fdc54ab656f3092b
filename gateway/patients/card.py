"""The Patient resource of a card: what was known and what a new document says, as one.

Nothing is forgotten: identifiers are united, a name that changed stays as an old one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.model import Identifier, Json, JsonValue, PatientClaim, PersonName
from gateway.patients import identifiers
from gateway.patients.matching import fold

_OWN = frozenset(("resourceType", "id", "meta", "identifier", "name", "birthDate", "gender"))


def card(
    existing: Json | None,
    claim: PatientClaim,
    patient: str,
    sent: Json | None = None,
    *,
    without: Sequence[Identifier] | None = None,
) -> Json:
    """Return the Patient of number `patient`: `existing` with what `claim` adds.

    `sent` is the Patient the document was mapped to; its further elements (telecom,
    address, …) take the place of the card's.  `without` is given when a person chose the
    card: numbers of another card are left out, and a card that exists keeps its name, birth
    date and sex, which the document contradicts.
    """
    if without is not None:
        sent = _spared(sent, without)
        if existing is not None:
            claim = replace(claim, name=None, birth_date=None, sex=None)
            sent = {k: v for k, v in (sent or {}).items() if k in ("identifier", "meta")}
            return card(existing, claim, patient, sent)
    base: Json = dict(existing or {})
    merged: Json = {
        "resourceType": "Patient",
        "id": patient,
        **{key: value for key, value in base.items() if key not in _OWN},
        **{key: value for key, value in (sent or {}).items() if key not in _OWN},
    }
    if "meta" in (sent or base):
        merged["meta"] = (sent or base)["meta"]
    _put(merged, "identifier", _identifiers(base, claim, sent))
    _put(merged, "name", _names(base, claim, sent))
    _put(merged, "gender", claim.sex or base.get("gender"))
    birth = claim.birth_date.isoformat() if claim.birth_date else None
    _put(merged, "birthDate", birth or base.get("birthDate"))
    return merged


def _spared(sent: Json | None, without: Sequence[Identifier]) -> Json | None:
    """Return the Patient as sent but for the numbers of another card."""
    if sent is None or not without:
        return sent
    foreign = {identifier.value for identifier in without}
    scoped = tuple(one for one in without if one.system == identifiers.MIS)

    def theirs(entry: JsonValue) -> bool:
        value = str(entry.get("value")) if isinstance(entry, dict) else ""
        # In the claim a card number is bound to its organisation.
        return value in foreign or any(
            one.value.endswith((f"/{value}", f"|{value}")) for one in scoped
        )

    kept: list[JsonValue] = [one for one in _list(sent, "identifier") if not theirs(one)]
    rest = {name: value for name, value in sent.items() if name != "identifier"}
    return {**rest, "identifier": kept} if kept else rest


def _put(resource: Json, key: str, value: JsonValue) -> None:
    if value:
        resource[key] = value


def _identifiers(base: Json, claim: PatientClaim, sent: Json | None) -> JsonValue:
    united: list[JsonValue] = []
    seen: set[tuple[JsonValue, JsonValue]] = set()
    claimed: list[JsonValue] = [
        {"system": identifier.system, "value": identifier.value}
        for identifier in claim.identifiers
        # A card number is stored as it was sent; in the claim it is bound to its organisation.
        if identifier.system != identifiers.MIS
    ]
    for entry in (*_list(base, "identifier"), *_list(sent or {}, "identifier"), *claimed):
        if not isinstance(entry, dict):
            continue
        key = (entry.get("system"), entry.get("value"))
        if key not in seen:
            seen.add(key)
            united.append(entry)
    return united


def _names(base: Json, claim: PatientClaim, sent: Json | None) -> JsonValue:
    """Return the name of the document first, then every other name as an old one."""
    names = [name for name in _list(base, "name") if isinstance(name, dict)]
    new = [name for name in _list(sent or {}, "name") if isinstance(name, dict)]
    if not new and claim.name is not None:
        new = [human_name(claim.name)]
    if not new:
        return list(names)
    current = {_key(name) for name in new}
    merged: list[JsonValue] = list(new)
    for name in names:
        if _key(name) not in current:
            current.add(_key(name))
            merged.append({**name, "use": "old"} if name.get("use") != "maiden" else name)
    return merged


def human_name(name: PersonName) -> Json:
    """Return a FHIR HumanName; the patronymic is the second given name."""
    human: Json = {"use": "official"}
    if name.family:
        human["family"] = name.family
    given: list[JsonValue] = [part for part in (name.given, name.patronymic) if part]
    if given:
        human["given"] = given
    return human


def _key(name: Json) -> tuple[str, ...]:
    given = [str(part) for part in _list(name, "given")]
    return tuple(fold(part) for part in (str(name.get("family") or ""), *given))


def _list(resource: Json, key: str) -> list[JsonValue]:
    value = resource.get(key)
    return value if isinstance(value, list) else []
