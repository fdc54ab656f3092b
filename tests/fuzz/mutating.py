"""One changed input: a seed, changed once to three times by its structure or octet by octet."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Sequence

from tests.fuzz import der_trees, json_trees, pdf_trees, xml_trees
from tests.fuzz import octets as bare

BY_OCTETS = 0.35
"""Share of changes that know nothing of structure."""

INPUT_BYTES_MAX = 1 << 20
_OTHERS = (
    der_trees.NotDer,
    json_trees.NotJson,
    pdf_trees.NotPdf,
    xml_trees.NotXml,
    RecursionError,
)
_COMPACT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\s*\Z")
_ARMOUR = re.compile(rb"(\s*-----BEGIN [A-Z0-9 ]+-----)([A-Za-z0-9+/=\s]+)(-----END .*)", re.DOTALL)


def mutated(octets: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    """Return `octets` changed; `others` are seeds of the same row, which lend their parts."""
    made = octets
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        made = once(made, dice, others)
    return made[:INPUT_BYTES_MAX]


def once(octets: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    """Return `octets` with one change."""
    if dice.random() >= BY_OCTETS:
        try:
            return _by_structure(octets, dice, others)
        except _OTHERS:
            pass
    return bare.changed(octets, dice, others)


def _by_structure(octets: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    start = octets.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00")[:1]
    if octets[:1] == b"\x30":
        return der_trees.changed(octets, dice, others)
    if octets[:5] == b"%PDF-":
        return pdf_trees.changed(octets, dice, others, once)
    if start == b"<":
        return xml_trees.changed(octets, dice, others, once)
    if start in (b"{", b"["):
        return json_trees.changed(octets, dice, others, once)
    if _COMPACT.match(octets):
        return json_trees.jws_changed(octets, dice, others, once)
    if armour := _ARMOUR.match(octets):
        return armour[1] + b"\n" + _rewritten(armour[2], dice, others) + armour[3]
    if octets[:1] == b"M":
        return _rewritten(octets, dice, others)
    raise der_trees.NotDer


def _rewritten(text: bytes, dice: random.Random, others: Sequence[bytes]) -> bytes:
    try:
        hidden = base64.b64decode(b"".join(text.split()), validate=True)
    except ValueError as error:
        raise der_trees.NotDer from error
    return base64.encodebytes(once(hidden, dice, others))
