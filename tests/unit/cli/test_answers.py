"""Verbs say why, name what there is, and refuse what they cannot do."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import SAMPLES, Call, Served

GOOD = SAMPLES / "01-transaction-gost256" / "result.json"
XML = SAMPLES / "03-lab-xml-gost256" / "result.xml"
NOBODY = ("--patient", "112-233-445 95", "--recipient", "clinic", "--purpose", "HRESCH")


def test_an_answer_about_consent_says_decision_basis_and_why(call: Call, sandbox: Path) -> None:
    """`no` alone leaves a clinic guessing whether to ask the patient or to wait."""
    none = call("consent", "check", *NOBODY, "--home", sandbox, "--lang", "en")
    assert none.code == 1
    assert "may not  basis: none  (none)" in none.stdout
    assert "Why: the patient has said nothing of this recipient and purpose" in none.stdout
    added = call("consent", "add", *NOBODY, "--home", sandbox, "--json").json
    given = call("consent", "check", *NOBODY, "--home", sandbox, "--lang", "ru")
    assert given.code == 0
    assert "можно  основание: согласие  (действует)" in given.stdout
    assert added["id"] in given.stdout
    call("consent", "revoke", added["id"], "--home", sandbox)
    gone = call("consent", "check", *NOBODY, "--home", sandbox, "--json").json
    assert (gone["permitted"], gone["basis"], gone["state"]) == (False, "none", "revoked")
    assert gone["why"] == "согласие было, но пациент его отозвал"


def test_over_http_the_answer_about_consent_is_the_same(call: Call, served: Served) -> None:
    to = ("--to", served.url, "--home", served.home, "--lang", "en")
    said = call("consent", "check", *NOBODY, *to)
    assert said.code == 1
    assert "Why: the patient has said nothing of this recipient and purpose" in said.stdout


def test_the_audit_of_a_gateway_far_away_is_refused_with_what_works(
    call: Call, sandbox: Path
) -> None:
    far = ("--to", "http://127.0.0.1:9", "--home", sandbox, "--lang", "en")
    said = call("audit", "verify", *far)
    assert said.code == 2
    assert "works on the local home only" in said.stderr
    assert call("audit", "verify", "--home", sandbox).code == 0


@pytest.mark.parametrize("name", ["nope", "fhir_json/default", ""])
def test_an_unknown_profile_is_refused_with_those_there_are(
    call: Call, sandbox: Path, name: str
) -> None:
    said = call("check", GOOD, "--profile", name, "--home", sandbox)
    assert said.code == 2
    assert "fhir_json" in said.stderr
    assert "lab_xml" in said.stderr


def test_a_profile_chooses_the_format(call: Call, sandbox: Path, tmp_path: Path) -> None:
    """A file without a telling name is read as what the user says it is, or refused as that."""
    unnamed = tmp_path / "result"
    unnamed.write_bytes(GOOD.read_bytes())
    here = ("--sign", "--home", sandbox, "--json")
    good = call("check", unnamed, "--profile", "fhir_json", *here)
    assert (good.code, good.json["outcome"]) == (0, "accepted")
    wrong = call("check", XML, "--profile", "fhir_json", *here)
    assert wrong.code == 1


def test_a_profile_and_a_media_type_that_disagree_are_wrong_usage(
    call: Call, sandbox: Path
) -> None:
    both = ("--profile", "lab_xml", "--media-type", "application/fhir+json")
    assert call("check", GOOD, *both, "--home", sandbox).code == 2
