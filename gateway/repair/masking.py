"""A patient as an operator may see one: enough to tell two cards apart, too little to know."""

from __future__ import annotations

from gateway.model import Json, JsonValue

HIDDEN = "***"
NAMES = {
    "urn:oid:1.2.643.100.3": "СНИЛС",
    "urn:oid:1.2.643.2.69.1.1.1.6.228": "ЕНП",
    "urn:oid:1.2.643.2.69.1.1.1.6.14": "паспорт",
    "urn:oid:1.2.643.2.69.1.1.1.6.9": "паспорт иностранного гражданина",
    "urn:oid:1.2.643.2.69.1.1.1.6.249": "свидетельство о рождении",
}
TAIL = 2
"""Characters of a number that are shown, to compare with a paper in the hand."""


def person(resource: Json) -> str:
    """Return a patient's name and birth year, masked.

    >>> person({"name": [{"family": "Иванов", "given": ["Иван", "Ильич"]}],
    ...         "birthDate": "1984-05-17"})
    'И***ов И. И., 19**'
    """
    family, given = _name(resource)
    initials = " ".join(f"{part[0]}." for part in given if part)
    born = resource.get("birthDate")
    year = f"{born[:2]}**" if isinstance(born, str) and len(born) >= 4 else "****"
    return f"{' '.join(filter(None, (surname(family), initials))) or HIDDEN}, {year}"


def surname(family: str) -> str:
    """Return a surname masked: its first letter, and of a long one the last two."""
    if not family:
        return ""
    return family[0] + HIDDEN + (family[-2:] if len(family) > 4 else "")


def numbers(resource: Json) -> list[str]:
    """Return the kinds of a card's numbers with their last characters."""
    entries = resource.get("identifier")
    found = []
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and (kind := NAMES.get(str(entry.get("system")))):
            found.append(f"{kind} {HIDDEN}{str(entry.get('value') or '')[-TAIL:]}")
    return sorted(set(found))


def _name(resource: Json) -> tuple[str, list[str]]:
    names = resource.get("name")
    first: JsonValue = names[0] if isinstance(names, list) and names else None
    if not isinstance(first, dict):
        return "", []
    given = first.get("given")
    return str(first.get("family") or ""), [
        str(part) for part in (given if isinstance(given, list) else []) if part
    ]
