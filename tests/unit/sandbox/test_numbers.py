"""New people in an old sample: numbers with right check digits, spelled as the old ones were."""

from __future__ import annotations

import re
import uuid

from gateway.model import Identifier
from gateway.patients.identifiers import ENP, SNILS, check
from gateway.sandbox.numbers import renewals, renewed

OLD_SNILS, OLD_ENP, PASSPORT = "22445766068", "7752084324519825", "AA 7314562"


def new_uuid() -> str:
    return str(uuid.uuid4())


def test_new_numbers_are_valid_and_others_every_time() -> None:
    """A refused check digit would tell another story."""
    for _ in range(50):
        by = renewals([OLD_SNILS, OLD_ENP], new_uuid)
        assert check(Identifier(system=SNILS, value=by[OLD_SNILS])) is None
        assert check(Identifier(system=ENP, value=by[OLD_ENP])) is None
    assert len({renewals([OLD_SNILS], new_uuid)[OLD_SNILS] for _ in range(20)}) == 20


def test_a_number_is_found_in_every_spelling_and_keeps_it() -> None:
    by = renewals([OLD_SNILS, "7314562"], new_uuid)
    text = renewed(f"{OLD_SNILS} 224-457-660 68 {PASSPORT}".encode(), by).decode()
    new = by[OLD_SNILS]
    hyphens = f"{new[:3]}-{new[3:6]}-{new[6:9]} {new[9:]}"
    assert text == f"{new} {hyphens} AA {by['7314562']}"
    assert re.fullmatch(r"\d{7}", by["7314562"])


def test_a_longer_number_that_holds_it_stays() -> None:
    by = renewals([OLD_SNILS], new_uuid)
    assert renewed(f"9{OLD_SNILS}".encode(), by) == f"9{OLD_SNILS}".encode()
