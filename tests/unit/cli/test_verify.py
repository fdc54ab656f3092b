"""`gateway sign` and `gateway verify`, as an integrator calls them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli.sign import command as sign
from gateway.cli.verify import command as verify
from gateway.sandbox.pki import Pki
from tests.pki.build import NOW
from tests.unit.qualification.test_attorney import POWER, attorney
from tests.unit.signatures.made import BUNDLE, XML
from tests.unit.signatures.made_json import signing
from tests.unit.signatures.pdf_made import REPORT

AT = ["--at", NOW.isoformat()]


def run(command: object, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments])  # type: ignore[arg-type]


def keys(pki: Pki, name: str = "gost256-doctor") -> list[object]:
    files = pki.signer(name)
    return ["--key", files.key, "--cert", files.certificate]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.json"
    path.write_bytes(BUNDLE)
    return path


def test_signs_beside_and_verifies_what_stands_beside(pki: Pki, bundle: Path) -> None:
    made = run(sign, bundle, *keys(pki), "--json")
    assert json.loads(made.stdout)["out"] == f"{bundle}.sig"
    good = run(verify, bundle, "--trust", pki.trust, *AT, "--json")
    assert good.exit_code == 0, good.output
    assert json.loads(good.stdout)["indication"] == "TOTAL_PASSED"
    bundle.write_bytes(BUNDLE + b" ")
    bad = run(verify, bundle, "--signature", f"{bundle}.sig", "--trust", pki.trust, *AT)
    assert bad.exit_code == 1
    assert "HASH_FAILURE" in bad.stdout


def test_signs_json_by_jws_beside_it_and_around_it(pki: Pki, bundle: Path) -> None:
    made = run(sign, bundle, *keys(pki), "--format", "jws", "--json")
    assert json.loads(made.stdout)["out"] == f"{bundle}.jws"
    good = run(verify, bundle, "--trust", pki.trust, *AT, "--json")
    assert good.exit_code == 0, good.output
    assert json.loads(good.stdout)["signatures"][0]["format"] == "JWS"
    around = run(sign, bundle, *keys(pki), "--format", "jws", "--attached", "--json")
    out = json.loads(around.stdout)["out"]
    assert out == f"{bundle}.jose"
    assert run(verify, out, "--trust", pki.trust, *AT).exit_code == 0
    bundle.write_bytes(BUNDLE + b" ")
    assert run(verify, bundle, "--trust", pki.trust, *AT).exit_code == 1


@pytest.mark.parametrize("form", ["jws", "cades"])
def test_signs_a_bundle_inside(pki: Pki, bundle: Path, form: str) -> None:
    out = bundle.with_name("signed.json")
    made = run(sign, bundle, *keys(pki), "--format", form, "--inside", "--out", out)
    assert made.exit_code == 0, made.output
    good = run(verify, out, "--trust", pki.trust, *AT, "--json")
    assert good.exit_code == 0, good.output
    (signature,) = json.loads(good.stdout)["signatures"]
    assert signature["signed_content"][0]["covers_enclosing"] is True
    assert signature["signer"]["role"] == "doctor"
    assert signature["hints"] == ["precision_not_signed: 1"]
    out.write_bytes(out.read_bytes().replace(b"5.00", b"6.00"))
    assert run(verify, out, "--trust", pki.trust, *AT).exit_code == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ["--format", "xades", "--inside"],
        ["--format", "xades", "--attached"],
        ["--inside", "--attached"],
    ],
)
def test_a_form_that_does_not_fit_its_place_is_wrong_usage(
    pki: Pki, bundle: Path, wrong: list[str]
) -> None:
    assert run(sign, bundle, *keys(pki), *wrong).exit_code == 2


@pytest.mark.parametrize(
    ("octets", "wrong", "why"),
    [
        (BUNDLE, ["--format", "xades"], "--format xades только для XML. FMT-201"),
        (b'{"resourceType":"Patient"}', ["--inside"], "Подпись внутри несёт только Bundle."),
        (b"%PDF-1.4\nbroken", ["--format", "pades"], "Не подписано: нарушена таблица ссылок"),
        (
            XML,
            ["--format", "xmldsig", "-T", "--tsa", "http://127.0.0.1:9/"],
            "У формата xmldsig нет места для штампа времени, есть у cades, jws, xades, pades.",
        ),
    ],
)
def test_why_nothing_was_signed_is_said_in_russian(
    pki: Pki, tmp_path: Path, octets: bytes, wrong: list[str], why: str
) -> None:
    path = tmp_path / "given"
    path.write_bytes(octets)
    said = run(sign, path, *keys(pki), *wrong)
    assert said.exit_code == 2
    assert why in said.stderr


def test_an_ed25519_key_is_told_the_form_that_takes_it(bundle: Path, tmp_path: Path) -> None:
    made = signing("Ed25519")
    private, certificate = tmp_path / "key.der", tmp_path / "cert.der"
    private.write_bytes(made.key)
    certificate.write_bytes(made.certificate.dump())
    arguments = (sign, bundle, "--key", private, "--cert", certificate)
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert "ключом ГОСТ Р 34.10-2012, RSA или ECDSA, а не ed25519; JWS берёт" in refused.stderr
    assert run(*arguments, "--format", "jws").exit_code == 0


@pytest.mark.parametrize("form", ["xades", "xmldsig"])
def test_signs_xml_inside(pki: Pki, tmp_path: Path, form: str) -> None:
    path = tmp_path / "result.xml"
    path.write_bytes(XML)
    out = tmp_path / "signed.xml"
    run(sign, path, *keys(pki, "ecdsa-doctor"), "--format", form, "--out", out)
    assert run(verify, out, "--trust", pki.trust, *AT, "--offline").exit_code == 0
    assert run(verify, path, "--trust", pki.trust, *AT).exit_code == 3


def test_signs_pdf_inside_beside_the_file_it_was(pki: Pki, tmp_path: Path) -> None:
    path = tmp_path / "result.pdf"
    path.write_bytes(REPORT)
    made = run(sign, path, *keys(pki), "--format", "pades", "--json")
    out = tmp_path / "result.signed.pdf"
    assert json.loads(made.stdout)["out"] == str(out)
    good = run(verify, out, "--trust", pki.trust, *AT, "--json")
    assert good.exit_code == 0
    assert json.loads(good.stdout)["signatures"][0]["format"] == "PAdES"
    out.write_bytes(out.read_bytes().replace(b"141 g/L", b"041 g/L"))
    assert run(verify, out, "--trust", pki.trust, *AT).exit_code == 1
    assert run(verify, path, "--trust", pki.trust, *AT).exit_code == 3
    other = run(sign, __file__, *keys(pki), "--format", "pades", "--out", out)
    assert other.exit_code == 2


def test_material_may_lie_in_several_folders(pki: Pki, bundle: Path, tmp_path: Path) -> None:
    run(sign, bundle, *keys(pki))
    lists, rest = tmp_path / "lists", tmp_path / "rest"
    for folder, own in ((lists, True), (rest, False)):
        folder.mkdir()
        for file in pki.trust.iterdir():
            if file.is_file() and file.name.endswith(".crl.pem") is own:
                (folder / file.name).write_bytes(file.read_bytes())
    assert run(verify, bundle, "--trust", rest, *AT).exit_code == 3
    assert run(verify, bundle, "--trust", rest, "--trust", lists, *AT).exit_code == 0


def test_the_moment_decides(pki: Pki, bundle: Path) -> None:
    run(sign, bundle, *keys(pki))
    late = (NOW + timedelta(days=30)).isoformat()
    assert run(verify, bundle, "--trust", pki.trust, "--at", late).exit_code == 3


def test_a_policy_is_read_and_its_mistakes_are_said(pki: Pki, bundle: Path, tmp_path: Path) -> None:
    run(sign, bundle, *keys(pki))
    policy = tmp_path / "policy.toml"
    policy.write_text("signatures_min = 2")
    arguments = (bundle, "--trust", pki.trust, *AT, "--policy", policy)
    assert run(verify, *arguments).exit_code == 3
    for wrong in (
        "signature_min = 2",
        "signatures_min = true",
        "forms = ['PGP']",
        "levels = ['X']",
        "qualifications = 'QES'",
        "roles = ['patient']",
        "name = 'a b'",
        "whole =",
        "whole_document = 1",
    ):
        policy.write_text(wrong)
        assert run(verify, *arguments).exit_code == 2, wrong


def test_a_policy_of_ones_own_says_which_algorithms_count(
    pki: Pki, bundle: Path, tmp_path: Path
) -> None:
    assert run(sign, bundle, *keys(pki)).exit_code == 0
    policy = tmp_path / "policy.toml"
    arguments = (bundle, "--trust", pki.trust, *AT, "--policy", policy, "--json")
    for written, code in (
        ("[algorithms]\ndigests.streebog256 = { until = 2020-01-01 }", 3),
        ("[algorithms]\ndigests.streebog256 = { until = 2040-01-01 }", 0),
        ('[algorithms]\nkeys = [{ families = ["gost256"], bits = 512 }]', 3),
        ("[algorithms]\ndigests.sha1 = 5", 2),
        ("[algorithms]\nweak = true", 2),
        ("algorithms = 7", 2),
    ):
        policy.write_text(written)
        done = run(verify, *arguments)
        assert done.exit_code == code, (written, done.output)


@pytest.mark.parametrize(
    ("written", "ru", "en"),
    [
        (
            'levls = ["T"]',
            "levls: такого ключа нет (может быть, levels?)",
            "levls: there is no such key (perhaps levels?)",
        ),
        ('levels = ["X"]', "levels[0]: нужно: из BES, B, T", "levels[0]: expected: of BES, B, T"),
        ("algorithms.weak = true", "algorithms.weak: такого", "algorithms.weak: there is no such"),
        (
            "algorithms.digests.sha1.until = 2020",
            "algorithms.digests.sha1.until: нужна дата, например 20",
            "algorithms.digests.sha1.until: a date is expected, such as 20",
        ),
        ("levels = [", "это не TOML", "not TOML"),
    ],
)
def test_a_wrong_line_of_a_policy_is_told_in_both_languages(
    bundle: Path, tmp_path: Path, written: str, ru: str, en: str
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(written)
    for language, told in (("ru", ru), ("en", en)):
        said = run(verify, bundle, "--policy", policy, "--lang", language)
        assert said.exit_code == 2
        assert f"--policy {policy}: {told}" in said.stderr


@pytest.mark.parametrize("form", ["cades", "jws"])
def test_a_detached_signature_alone_is_told_the_right_call(
    pki: Pki, bundle: Path, form: str
) -> None:
    """The first thing a newcomer tries; the verdict says only that something is elsewhere."""
    made = run(sign, bundle, *keys(pki), "--format", form, "--json")
    signature = Path(json.loads(made.stdout)["out"])
    arguments = ("--trust", pki.trust, *AT, "--lang")
    beside = run(verify, signature, *arguments, "ru")
    assert beside.exit_code == 3
    assert f"{signature}: это отдельная подпись" in beside.stderr
    assert beside.stderr.endswith(f"Вызов: gateway verify {bundle}\n")
    alone = signature.rename(signature.with_name("alone.sig"))
    said = run(verify, alone, *arguments, "en", "--json")
    assert json.loads(said.stdout)["indication"] == "INDETERMINATE"
    assert said.stderr.endswith(f"Call: gateway verify DOCUMENT --signature {alone}\n")
    with_document = run(verify, bundle, "--signature", alone, *arguments, "en")
    assert (with_document.exit_code, with_document.stderr) == (0, "")


@pytest.mark.parametrize(
    ("language", "told"), [("ru", "доверять некому"), ("en", "nobody to trust")]
)
def test_a_folder_without_anchors_is_told_beside_the_verdict(
    pki: Pki, bundle: Path, tmp_path: Path, language: str, told: str
) -> None:
    """Whoever has no home yet would take "no path" for the signer's fault."""
    run(sign, bundle, *keys(pki))
    empty = tmp_path / "empty"
    empty.mkdir()
    nobody = run(verify, bundle, "--trust", empty, *AT, "--lang", language)
    assert nobody.exit_code == 3
    assert told in nobody.stderr
    assert f"({empty})" in nobody.stderr
    another = tmp_path / "another"
    another.mkdir()
    (another / "root.pem").write_bytes((pki.trust / "rsa-root.crt.pem").read_bytes())
    assert run(verify, bundle, "--trust", another, *AT).stderr == ""


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("roles = ['doctor']", 0),
        ("roles = ['doctor', 'organisation']", 3),
        ("levels = ['BES', 'B']", 0),
        ("levels = ['T', 'LT', 'LTA']", 3),
        ("qualifications = ['QES']", 3),
        ("forms = ['CAdES']\nwhole_document = true", 0),
    ],
)
def test_a_policy_asks_who_must_sign_and_how(
    pki: Pki, bundle: Path, tmp_path: Path, asked: str, code: int
) -> None:
    run(sign, bundle, *keys(pki))
    policy = tmp_path / "policy.toml"
    policy.write_text(asked)
    done = run(verify, bundle, "--trust", pki.trust, *AT, "--policy", policy)
    assert done.exit_code == code, done.output


@pytest.mark.parametrize(
    ("end", "head"), [("html", b"<!DOCTYPE html>"), ("PDF", b"%PDF-"), ("xml", b"<?xml")]
)
def test_a_report_is_written_in_the_form_its_name_says(
    pki: Pki, bundle: Path, tmp_path: Path, end: str, head: bytes
) -> None:
    run(sign, bundle, *keys(pki))
    report = tmp_path / f"report.{end}"
    done = run(verify, bundle, "--trust", pki.trust, *AT, "--report", report, "--lang", "en")
    assert done.exit_code == 0, done.output
    assert report.read_bytes().startswith(head)


def test_a_report_of_an_unknown_form_is_wrong_usage_and_told_the_known_ones(
    bundle: Path, tmp_path: Path
) -> None:
    for language, told in (("ru", "неизвестный вид отчёта"), ("en", "no known kind of report")):
        said = run(verify, bundle, "--report", tmp_path / "report.doc", "--lang", language)
        assert said.exit_code == 2
        assert told in said.stderr
        assert ".xml, .html, .pdf" in said.stderr


def test_a_report_that_has_no_place_to_go_is_said_before_the_work(
    pki: Pki, bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder.pdf").mkdir()
    for place in (tmp_path / "none" / "report.pdf", tmp_path / "folder.pdf"):
        done = run(verify, bundle, "--trust", pki.trust, "--report", place)
        assert (done.exit_code, done.stdout) == (2, "")


def test_neither_file_nor_evidence_is_wrong_usage(bundle: Path, tmp_path: Path) -> None:
    assert run(verify).exit_code == 2
    for language, told in (("ru", "--evidence судит сохранённое"), ("en", "judges what is kept")):
        both = run(verify, bundle, "--evidence", "S1", "--lang", language)
        assert both.exit_code == 2
        assert told in both.stderr
    assert run(verify, "--evidence", "S1", "--home", tmp_path).exit_code == 2


@pytest.mark.parametrize(
    "wrong", [["--at", "yesterday"], ["--trust", "/nowhere"], ["--signature", "/nowhere"]]
)
def test_wrong_usage_is_exit_code_two(bundle: Path, wrong: list[str]) -> None:
    assert run(verify, bundle, *wrong).exit_code == 2


def test_a_power_of_attorney_is_checked_with_the_signature_beside_it(
    pki: Pki, bundle: Path, tmp_path: Path
) -> None:
    path = tmp_path / "attorney.xml"
    path.write_bytes(attorney())
    run(sign, bundle, *keys(pki))
    run(sign, path, *keys(pki, "gost256-organisation"), "--format", "cades")
    arguments = (bundle, "--trust", pki.trust, *AT, "--attorney", path)
    for power, status in ((POWER, "PASSED"), ("OTHER", "FAILED")):
        done = run(verify, *arguments, "--power", power, "--json")
        assert done.exit_code == 0, done.output
        checks = json.loads(done.stdout)["signatures"][0]["qualification_checks"]
        told = {check["name"]: check["status"] for check in checks}
        assert told["attorney_signature"] == "PASSED"
        assert told["attorney_powers"] == status
    shown = run(verify, *arguments, "--lang", "en")
    assert "The signer is the representative: passed" in shown.stdout


def test_a_power_is_asked_of_a_power_of_attorney(pki: Pki, bundle: Path) -> None:
    asked = run(verify, bundle, "--trust", pki.trust, "--power", POWER, "--lang", "en")
    assert asked.exit_code == 2
    assert "--attorney FILE" in asked.stderr


@pytest.mark.parametrize(
    ("language", "why"),
    [
        ("ru", "Доверенность attorney[0]. Не прочитана: не МЧД формата EMCHD_1"),
        ("en", "attorney[0]. Not read: not a power of attorney of the format EMCHD_1"),
    ],
)
def test_why_a_power_of_attorney_is_not_read_is_said_in_the_language_asked_for(
    pki: Pki, bundle: Path, tmp_path: Path, language: str, why: str
) -> None:
    path = tmp_path / "attorney.xml"
    path.write_bytes(b"<a/>")
    run(sign, bundle, *keys(pki))
    arguments = (bundle, "--trust", pki.trust, *AT, "--attorney", path, "--lang", language)
    assert why in run(verify, *arguments).stdout
