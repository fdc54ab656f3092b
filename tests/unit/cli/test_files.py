"""What a verb reads of files: refused by name when empty, and never more than may be."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from asn1crypto import pem

from gateway.sandbox.certificates import Period
from tests.pki.build import DAY, issue, root
from tests.unit.cli.conftest import SAMPLES, Call

GOOD = SAMPLES / "01-transaction-gost256" / "result.json"
LIMIT = 1024
LANGUAGES = pytest.mark.parametrize("language", ["ru", "en"])


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A home that takes a kilobyte."""
    home = tmp_path / "small"
    home.mkdir()
    (home / "gateway.toml").write_text(f"[limits]\nbody_bytes_max = {LIMIT}\n")
    return home


def of_size(tmp_path: Path, size: int) -> Path:
    file = tmp_path / "document.json"
    file.write_bytes(b" " * size)
    return file


def keys(sandbox: Path, name: str = "rsa-doctor") -> tuple[str | Path, ...]:
    place = sandbox / "signers"
    return "--key", place / f"{name}.key.pem", "--cert", place / f"{name}.crt.pem"


def problem(said: object) -> tuple[str, str]:
    (one,) = said.json["problems"]  # type: ignore[attr-defined]
    return one["code"], one["place"]


@pytest.mark.parametrize("verb", ["verify", "sign"])
def test_a_file_larger_than_the_door_takes_is_refused_as_there(
    call: Call, sandbox: Path, small: Path, tmp_path: Path, verb: str
) -> None:
    """The door's limit is a setting of the home; one byte less is read."""
    options = keys(sandbox) if verb == "sign" else ()
    file = of_size(tmp_path, LIMIT + 1)
    said = call(verb, file, *options, "--home", small, "--json")
    assert (said.code, problem(said)) == (1, ("LIM-413", str(file)))
    piped = call(verb, "-", *options, "--home", small, "--json", stdin=file.read_bytes())
    assert (piped.code, problem(piped)) == (1, ("LIM-413", "-"))
    of_size(tmp_path, LIMIT)
    assert call(verb, file, *options, "--home", small).code == (0 if verb == "sign" else 3)


@pytest.mark.parametrize("option", ["--signature", "--attorney"])
def test_what_stands_beside_a_document_has_the_same_limit(
    call: Call, small: Path, tmp_path: Path, option: str
) -> None:
    document = tmp_path / "small.json"
    document.write_bytes(b"{}")
    beside = of_size(tmp_path, LIMIT + 1)
    said = call("verify", document, option, beside, "--home", small, "--json")
    assert (said.code, problem(said)) == (1, ("LIM-413", str(beside)))


@LANGUAGES
def test_an_empty_document_or_signature_is_named(
    call: Call, sandbox: Path, tmp_path: Path, language: str
) -> None:
    empty = tmp_path / "empty.sig"
    empty.touch()
    told = {"ru": "файл пуст", "en": "is empty"}[language]
    for arguments in (
        ("verify", empty),
        ("verify", GOOD, "--signature", empty),
        ("sign", empty, *keys(sandbox)),
        ("convert", empty, "--media-type", "application/xml"),
    ):
        said = call(*arguments, "--lang", language)
        assert said.code == 1
        assert told in said.stdout
        assert str(empty) in said.stdout


@LANGUAGES
@pytest.mark.parametrize("option", ["--key", "--cert"])
def test_an_empty_key_or_certificate_is_wrong_usage_and_named(
    call: Call, sandbox: Path, tmp_path: Path, option: str, language: str
) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    signing = list(keys(sandbox))
    signing[signing.index(option) + 1] = empty
    said = call("sign", GOOD, *signing, "--out", tmp_path / "out", "--lang", language)
    told = {"ru": "файл пуст", "en": "the file is empty"}[language]
    assert said.code == 2
    assert f"{option} {empty}: {told}" in said.stderr


def test_a_huge_key_is_not_read(call: Call, sandbox: Path, tmp_path: Path) -> None:
    huge = tmp_path / "huge.pem"
    with huge.open("wb") as file:
        file.truncate(2 << 30)
    said = call("sign", GOOD, "--key", huge, *keys(sandbox)[2:], "--lang", "en")
    assert said.code == 2
    assert f"--key {huge}: the file is larger than 1 MiB" in said.stderr


@pytest.mark.parametrize(("verb", "option"), [("check", "--sign"), ("send", "--fresh")])
def test_an_empty_file_does_not_stop_those_after_it(
    call: Call, sandbox: Path, tmp_path: Path, verb: str, option: str
) -> None:
    (tmp_path / "a.json").touch()
    (tmp_path / "b.json").write_bytes(GOOD.read_bytes())
    said = call(verb, tmp_path, option, "--home", sandbox, "--json")
    assert said.code == 1
    first, second = said.stdout.splitlines()
    assert "FMT-108" in first
    assert "FMT-108" not in second


@LANGUAGES
def test_signing_by_an_ended_certificate_is_warned_of(
    call: Call, sandbox: Path, tmp_path: Path, language: str
) -> None:
    """It signs all the same, tests need it; the laboratory must not learn it from a refusal."""
    target = tmp_path / "out.sig"
    signing = ("sign", GOOD, "--out", target, "--lang", language)
    ended = call(*signing, *keys(sandbox, "rsa-expired"))
    told = {"ru": "сертификат кончился 20", "en": "the certificate ended on 20"}[language]
    assert (ended.code, target.exists()) == (0, True)
    assert told in ended.stderr
    assert "rsa-expired.crt.pem" in ended.stderr
    quiet = call(*signing, *keys(sandbox, "rsa-expired"), "--quiet")
    assert (quiet.code, quiet.stderr) == (0, "")
    assert call(*signing, *keys(sandbox, "rsa-doctor")).stderr == ""


@LANGUAGES
def test_signing_by_a_certificate_of_tomorrow_is_warned_of(
    call: Call, tmp_path: Path, language: str
) -> None:
    tomorrow = datetime.now(UTC) + DAY
    signer = issue(root(), period=Period(begins=tomorrow, ends=tomorrow + DAY))
    key, certificate = tmp_path / "key.pem", tmp_path / "crt.pem"
    key.write_bytes(pem.armor("PRIVATE KEY", signer.key))
    certificate.write_bytes(pem.armor("CERTIFICATE", signer.der))
    said = call(
        *("sign", GOOD, "--key", key, "--cert", certificate),
        *("--out", tmp_path / "out.sig", "--lang", language, "--json"),
    )
    told = {"ru": "сертификат начнёт действовать", "en": "the certificate begins on"}[language]
    assert (said.code, said.json["format"]) == (0, "cades")
    assert f"{told} {tomorrow:%Y-%m-%d}" in said.stderr


@LANGUAGES
def test_what_is_no_pdf_is_not_signed_as_one(call: Call, sandbox: Path, language: str) -> None:
    said = call("sign", GOOD, *keys(sandbox), "--format", "pades", "--lang", language)
    told = {"ru": "это не PDF", "en": "not a PDF"}[language]
    assert said.code == 2
    assert f"{GOOD}: {told}" in said.stderr
