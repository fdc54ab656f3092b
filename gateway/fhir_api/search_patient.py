"""`GET /fhir/Patient?identifier=…` and the same by `POST /fhir/Patient/_search`.

A patient is found by an identifier the clinic already knows, never by browsing.  What the
clinic has no ground to see is not counted either.

Source: FHIR R4, search.html#token.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

from flask import Response, request

from gateway.access import Principal
from gateway.door import body, context
from gateway.errors import Rejected
from gateway.fhir_api.bundles import base, searchset
from gateway.fhir_api.ground import NOBODY, reader, trace
from gateway.fhir_api.outcome import answer
from gateway.model import Identifier, Json, Problem
from gateway.patients import identifiers

FORM = "application/x-www-form-urlencoded"
FORM_BYTES_MAX = 64 * 1024
FIELDS_MAX = 50
ALTERNATIVES_MAX = 20
VALUE_CHARACTERS_MAX = 256

PERSONAL = (
    identifiers.SNILS,
    identifiers.ENP,
    identifiers.OMS_OLD,
    identifiers.OMS_TEMPORARY,
    identifiers.DMS,
    identifiers.PASSPORT,
    identifiers.FOREIGN_PASSPORT,
    identifiers.BIRTH_CERTIFICATE,
    identifiers.INN,
)
"""Systems tried for a value without one; a card number of some МИС means nothing alone."""


def by_get() -> Response:
    who = reader()
    return _search(who, list(request.args.items(multi=True)))


def by_post() -> Response:
    """Parameters in the body keep identifiers out of addresses and proxies' logs."""
    who = reader()
    if request.mimetype != FORM:
        raise Rejected(
            Problem(code="FMT-101", place="Content-Type", detail={"media_type": request.mimetype})
        )
    octets = body.read(request.environ, FORM_BYTES_MAX)
    try:
        pairs = parse_qsl(octets.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise _bad() from error
    return _search(who, list(request.args.items(multi=True)) + pairs)


def _search(who: Principal, pairs: list[tuple[str, str]]) -> Response:
    """Repeated parameters narrow (and), commas widen (or); other parameters are passed over."""
    asked = [value for name, value in pairs if name == "identifier"]
    if not asked or len(asked) > ALTERNATIVES_MAX:
        raise _bad()
    store = context.gateway().store
    numbers: set[str] | None = None
    for value in asked:
        either = {n for token in _tokens(value) for n in store.patients_by_identifier(token)}
        numbers = either if numbers is None else numbers & either
    # Nobody is asked about when nobody was found: the time of an answer tells nothing either.
    asked_about = sorted(numbers or (NOBODY,))
    visible = [n for n in asked_about if store.has_ground(n, who.organization)]
    found = [one for one in map(_patient, visible) if one is not None]
    for number in visible:
        trace(who, "fhir.search", f"Patient/{number}", True)
    if not visible:
        trace(who, "fhir.search", "Patient", False)
    query = urlencode([("identifier", value) for value in asked])
    return answer(searchset(found, f"{base()}/Patient?{query}"))


def _patient(number: str) -> Json | None:
    found = context.gateway().store.resource("Patient", number)
    return found[0] if found else None


def _tokens(parameter: str) -> Iterable[Identifier]:
    """Yield every identifier one parameter may mean."""
    alternatives = split(parameter, ",")
    if len(alternatives) > ALTERNATIVES_MAX:
        raise _bad()
    for alternative in alternatives:
        pieces = [_plain(piece) for piece in split(alternative, "|")]
        if len(pieces) > 2 or not pieces[-1].strip() or not _printable(alternative):
            raise _bad()
        # "|value" asks for an identifier without a system; the card holds none.
        systems = PERSONAL if len(pieces) == 1 else (pieces[0],) if pieces[0] else ()
        for system in systems:
            token = identifiers.normalise(system, pieces[-1])
            if isinstance(token, Identifier):
                yield token


def split(text: str, separator: str) -> list[str]:
    r"""Split at every `separator` that no backslash escapes.

    >>> split(r"a\,b,c", ",")
    ['a\\,b', 'c']
    """
    pieces, start, escaped = [], 0, False
    for index, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == separator:
            pieces.append(text[start:index])
            start = index + 1
    return [*pieces, text[start:]]


def _plain(piece: str) -> str:
    return re.sub(r"\\([\\,|$])", r"\1", piece)


def _printable(text: str) -> bool:
    return len(text) <= VALUE_CHARACTERS_MAX and text.isprintable()


def _bad() -> Rejected:
    detail = {"name": "identifier", "expected": "system|value"}
    return Rejected(Problem(code="FMT-109", place="identifier", detail=detail))
