"""What `gateway verify` says to a person in the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli.sign import command as sign
from gateway.cli.verify import command as verify
from gateway.sandbox.pki import Pki
from tests.unit.cli.test_verify import AT, bundle, keys, run
from tests.unit.signatures.made import BUNDLE

__all__ = ["bundle"]


@pytest.mark.parametrize(
    ("language", "found", "hint"),
    [
        ("ru", "✖ Документ не изменён: нет, хеш streebog256 не совпадает", "изменены концы строк"),
        ("en", "✖ The document is unchanged: failed, streebog256 differs", "line ends changed"),
    ],
)
def test_what_was_found_is_said_in_the_language_asked_for(
    pki: Pki, bundle: Path, language: str, found: str, hint: str
) -> None:
    run(sign, bundle, *keys(pki))
    bundle.write_bytes(BUNDLE + b"\n")
    arguments = (bundle, "--trust", pki.trust, *AT, "--lang", language)
    shown = run(verify, *arguments)
    assert found in shown.stdout
    assert hint in shown.stdout
    told = json.loads(run(verify, *arguments, "--json").stdout)["signatures"][0]
    assert {"streebog256 differs"} < {check["detail"] for check in told["checks"]}
    assert told["hints"] == ["line ends changed after signing"]


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        (
            "ru",
            (
                "✔ Подпись верна",
                "  Формат и уровень: CAdES BES",
                "  Где находится: рядом с документом (signature[0])",
                "    Центр аккредитован на день выдачи: неизвестно, нет списка аккредитованных УЦ",
            ),
        ),
        (
            "en",
            (
                "✔ The signature is valid",
                "  Format and level: CAdES BES",
                "  Where it stands: beside the document (signature[0])",
                "    The authority was accredited on the day of issue: unknown,"
                " no list of accredited authorities",
            ),
        ),
    ],
)
def test_the_terminal_speaks_as_the_report_does(
    pki: Pki, bundle: Path, language: str, lines: tuple[str, ...]
) -> None:
    """`FULL, 19453 B` and "kind: unknown" left a newcomer to guess what, where and why."""
    run(sign, bundle, *keys(pki))
    said = run(verify, bundle, "--trust", pki.trust, *AT, "--lang", language).stdout.splitlines()
    assert [line for line in lines if line not in said] == []
    assert not any("FULL" in line for line in said)


def test_conditions_of_a_qualified_signature_are_not_asked_of_one_that_failed(
    pki: Pki, bundle: Path
) -> None:
    run(sign, bundle, *keys(pki))
    bundle.write_bytes(BUNDLE + b" ")
    said = run(verify, bundle, "--trust", pki.trust, *AT, "--lang", "en").stdout
    assert said.startswith("✖ The signature is not valid: the document was changed after signing\n")
    assert "accredited" not in said


def test_a_document_without_a_signature_is_told_where_one_was_looked_for(
    pki: Pki, bundle: Path
) -> None:
    said = run(verify, bundle, "--trust", pki.trust, *AT, "--lang", "en")
    assert (said.exit_code, said.stdout) == (3, "! There are no signatures.\n")
    assert "bundle.json.sig, bundle.json.p7s" in said.stderr
    assert "--signature FILE" in said.stderr
