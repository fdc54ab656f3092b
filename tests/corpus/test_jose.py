"""JSON bundles of a country's e-prescriptions: what their two kinds of signature cover.

That each of them holds or fails as published is `test_erezept.py`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from gateway.model import CheckedSignature, Indication, Part
from gateway.signatures import fhir_signature
from tests.corpus.place import CORPUS, MISSING
from tests.pki.build import ALGORITHMS

FILES = sorted((CORPUS / "signatures" / "erezept-fhir").rglob("*.json"))
if not FILES:
    pytest.skip(MISSING, allow_module_level=True)


def test_e_prescriptions_in_json_are_never_taken_for_what_they_sign() -> None:
    """CMS over the XML form: the mathematics hold, and what was signed is not this JSON.

    JWS: all that are here lost Bundle.id after signing, so none holds.
    """
    seen: Counter[tuple[str, str, str | None]] = Counter()
    for path in FILES:
        for one in checked(path):
            seen[one.format, one.indication.value, one.sub_indication] += 1
            if one.format == "CAdES":
                assert [(c.scope, c.covers_enclosing) for c in one.covered] == [("PARTIAL", False)]
                assert one.covered[0].octets.lstrip().startswith(b"<")
    assert seen == {
        ("CAdES", Indication.INDETERMINATE.value, "SIG_CONSTRAINTS_FAILURE"): 63,
        ("JWS", Indication.TOTAL_FAILED.value, "SIG_CRYPTO_FAILURE"): 29,
    }


def test_nothing_declares_their_canonicalisation_but_the_algorithm() -> None:
    """No hint that another method would do: what was lost is lost."""
    for path in FILES:
        for one in checked(path):
            assert not any("verifies under" in hint for hint in one.hints)


def checked(path: Path) -> tuple[CheckedSignature, ...]:
    part = Part(name="document", media_type="application/fhir+json", body=path.read_bytes())
    return fhir_signature.check(part, (), ALGORITHMS)


def test_a_signed_xml_form_that_says_the_same_as_this_json_is_told() -> None:
    """A diagnosis and no verdict: what was signed is still the other text."""
    told = Counter(
        hint.removeprefix("the signed content in the other format ")
        for path in FILES
        for one in checked(path)
        for hint in one.hints
        if "in the other format" in hint
    )
    assert told == {"says the same as what stands here": 21, "says something else": 42}
