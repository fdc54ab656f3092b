"""What every verb promises: exit codes, JSON alone on stdout, languages, no patient data."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.sandbox.pki import MERIDIAN, POLARIS
from tests.pki.trusted_lists import Listed, european
from tests.unit.qualification.test_attorney import attorney

from .conftest import SAMPLES, Call

GOOD = SAMPLES / "01-transaction-gost256" / "result.json"
XML = SAMPLES / "03-lab-xml-gost256" / "result.xml"
NAMES = ("Верещагинская", "Златоустова", "210-431-602", "21043160289", "7750084310519203")


@pytest.fixture
def sent(call: Call, sandbox: Path) -> dict[str, object]:
    """A sample that was sent into the home and decided."""
    said = call("send", GOOD, "--fresh", "--json", "--home", sandbox)
    assert said.code == 0, said.stderr
    return said.json


def test_help_names_every_verb_of_the_contract(call: Call) -> None:
    listed = call("--help").stdout
    verbs = (
        "demo init serve send status list receipt replay audit doctor explain check convert mock"
    )
    assert all(f"\n  {verb} " in listed for verb in verbs.split())


@pytest.mark.parametrize(
    "arguments",
    [("explain", "NOPE-1"), ("send",), ("list", "--home", "/nonexistent"), ("nonsense",)],
)
def test_wrong_usage_ends_with_two(call: Call, arguments: tuple[str, ...]) -> None:
    said = call(*arguments)
    assert said.code == 2
    assert said.stdout == ""


@pytest.mark.parametrize("verb", ["sign", "verify"])
def test_a_verb_that_keeps_nothing_starts_without_the_database(verb: str) -> None:
    """Loading the store doubled the time of every call, and scripts call these file by file."""
    loaded = f"import sys, gateway.cli.{verb}; print('sqlalchemy' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.strip() == "False"


def test_explains_a_code_in_both_languages(call: Call) -> None:
    assert "Ключ идемпотентности" in call("explain", "DUP-001").stdout
    page = call("explain", "dup-001", "--json", "--lang", "en").json
    assert {"code", "title", "reason", "cause", "fix", "example"} <= page.keys()
    assert page["title"] == "Idempotency key already used"


def test_init_makes_an_empty_home_and_keeps_one_that_is_there(call: Call, tmp_path: Path) -> None:
    first = call("init", "--home", tmp_path / "new", "--json")
    (tmp_path / "new" / "gateway.toml").write_text('language = "en"\n')
    second = call("init", "--home", tmp_path / "new", "--json")
    assert first.json["home"] == second.json["home"] == str((tmp_path / "new").resolve())
    assert (tmp_path / "new" / "gateway.toml").read_text() == 'language = "en"\n'


def test_a_wrong_setting_is_named(call: Call, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text("[work]\nline_workers = 0\n")
    said = call("list", "--home", tmp_path)
    assert said.code == 2
    assert "line_workers" in said.stderr


def test_more_workers_on_sqlite_name_postgresql(call: Call, sandbox: Path) -> None:
    """Two processes writing one SQLite file is what the contract refuses."""
    said = call("serve", "--workers", "2", "--home", sandbox)
    assert said.code == 2
    assert "PostgreSQL" in said.stderr


def test_a_certificate_without_its_key_is_refused(call: Call, sandbox: Path) -> None:
    certificate = sandbox / "signers" / "rsa-doctor.crt.pem"
    assert call("serve", "--tls-cert", certificate, "--home", sandbox).code == 2


def test_sends_a_fresh_sample_and_gives_its_receipt(sent: dict[str, object]) -> None:
    assert {"id", "status", "receipt", "problems"} <= sent.keys()


def test_an_unsigned_document_is_refused_with_one(call: Call, sandbox: Path) -> None:
    """The nearest neighbour of the good one: the same file without a signature."""
    said = call("send", GOOD, "--wait", "--json", "--home", sandbox)
    assert said.code == 1
    assert [problem["code"] for problem in said.json["problems"]] == ["SIG-201"]


def test_checks_without_storing(call: Call, sandbox: Path) -> None:
    before = call("list", "--home", sandbox, "--json").stdout.splitlines()
    good = call("check", GOOD, "--sign", "--json", "--home", sandbox)
    bad = call("check", GOOD, "--json", "--home", sandbox)
    assert (good.code, good.json["outcome"]) == (0, "accepted")
    assert (bad.code, bad.json["outcome"]) == (1, "rejected")
    assert call("list", "--home", sandbox, "--json").stdout.splitlines() == before


def test_a_power_of_attorney_goes_along_with_its_signature(
    call: Call, sandbox: Path, tmp_path: Path
) -> None:
    """Checked, sent, and judged again from what was kept; the nearest refused is one of another."""
    path = tmp_path / "attorney.xml"
    for name, code, refused in ((POLARIS.snils, 0, []), (MERIDIAN.snils, 1, ["SIG-226"])):
        path.write_bytes(
            attorney(
                representative=name,
                begins="2020-01-01",
                ends="2099-12-31",
                power='<МашПолн КодПолн="SANDBOX_RESULTS"/>',
            )
        )
        keys = sandbox / "signers"
        organisation = ("--key", keys / "gost256-organisation.key.pem")
        certificate = ("--cert", keys / "gost256-organisation.crt.pem")
        call("sign", path, *organisation, *certificate, "--format", "cades")
        along = (
            GOOD,
            "--attorney",
            path,
            "--signer",
            "gost256-person",
            "--json",
            "--home",
            sandbox,
        )
        checked = call("check", *along, "--sign")
        assert (checked.code, [p["code"] for p in checked.json["problems"]]) == (code, refused)
        sent = call("send", *along, "--fresh", "--wait")
        assert (sent.code, [p["code"] for p in sent.json["problems"]]) == (code, refused)
        again = call("verify", "--evidence", sent.json["id"], "--json", "--home", sandbox)
        assert (again.code, again.json["equal"]) == (0, True)
        (one,) = again.json["attorneys"]
        assert (one["indication"], one["registry"]["state"]) == ("TOTAL_PASSED", "UNKNOWN")


def test_finds_and_shows_what_was_sent(call: Call, sandbox: Path, sent: dict[str, object]) -> None:
    lines = call("list", "--home", sandbox, "--json").stdout.splitlines()
    listed = [json.loads(line) for line in lines]
    assert sent["id"] in [one["id"] for one in listed]
    assert all({"id", "status", "events"} <= one.keys() for one in listed)
    shown = call("status", str(sent["id"]), "--home", sandbox, "--json")
    assert shown.json["events"][0]["name"] == "received"


def test_an_unknown_submission_ends_with_one(call: Call, sandbox: Path) -> None:
    said = call("status", "01a2004b-0000-7000-8000-000000000000", "--home", sandbox, "--json")
    assert said.code == 1
    assert "error" in said.json


def test_a_receipt_verifies_offline_until_a_byte_changes(
    call: Call, sandbox: Path, tmp_path: Path, sent: dict[str, object]
) -> None:
    jws = call("receipt", str(sent["id"]), "--kind", "accepted", "--home", sandbox).stdout.strip()
    kept = tmp_path / "receipt.jws"
    kept.write_text(jws)
    good = call("receipt", "verify", kept, "--home", sandbox, "--json")
    assert (good.code, good.json["valid"]) == (0, True)
    for position in range(0, len(jws), 37):
        changed = "A" if jws[position] != "A" else "B"
        kept.write_text(jws[:position] + changed + jws[position + 1 :])
        bad = call("receipt", "verify", kept, "--home", sandbox, "--json")
        assert (bad.code, bad.json["valid"]) == (1, False), position


def test_an_answer_saved_as_json_is_a_receipt_too(
    call: Call, sandbox: Path, tmp_path: Path, sent: dict[str, object]
) -> None:
    kept = tmp_path / "answer.json"
    kept.write_text(json.dumps({"receipt": sent["receipt"]}))
    assert call("receipt", "verify", kept, "--home", sandbox).code == 0


def test_a_dry_run_of_a_replay_changes_nothing(
    call: Call, sandbox: Path, sent: dict[str, object]
) -> None:
    before = call("status", str(sent["id"]), "--home", sandbox, "--json").json["events"]
    said = call("replay", str(sent["id"]), "--dry-run", "--home", sandbox, "--json")
    assert (said.code, said.json["id"]) == (0, sent["id"])
    assert call("status", str(sent["id"]), "--home", sandbox, "--json").json["events"] == before


def test_a_replay_names_ids_or_a_cause_but_not_both(call: Call, sandbox: Path) -> None:
    assert call("replay", "--home", sandbox).code == 2
    assert call("replay", "one", "--cause", "SIG-201", "--home", sandbox).code == 2


def test_the_audit_log_verifies(call: Call, sandbox: Path, sent: dict[str, object]) -> None:
    said = call("audit", "verify", "--home", sandbox, "--json")
    assert said.code == 0
    assert {"valid", "entries", "first_bad"} <= said.json.keys()


def test_converts_without_a_home_and_keeps_every_digit(call: Call, tmp_path: Path) -> None:
    said = call("convert", XML, "--home", tmp_path / "none")
    assert said.code == 0
    assert '"value":5.00' in said.stdout
    assert json.loads(said.stdout)["resourceType"] == "Bundle"
    assert not (tmp_path / "none").exists()


def test_the_ledger_accounts_for_the_source(call: Call) -> None:
    found = call("convert", XML, "--ledger", "--json").json
    assert {"mapped", "carried", "dropped"} <= found.keys()
    assert found["mapped"]


def test_reads_a_document_from_standard_input(call: Call) -> None:
    said = call("convert", "-", stdin=XML.read_bytes())
    assert said.code == 0


def test_the_doctor_gives_a_fix_with_every_finding(call: Call, sandbox: Path) -> None:
    checks = call("doctor", "--home", sandbox, "--json").json["checks"]
    assert all(one["fix"] for one in checks if one["status"] != "ok")
    (sandbox / "master.key").chmod(0o644)
    try:
        said = call("doctor", "--home", sandbox, "--json")
    finally:
        (sandbox / "master.key").chmod(0o600)
    assert said.code == 1
    assert "chmod 600" in said.stdout


def test_the_doctor_tells_that_the_verification_tool_does_not_answer(
    call: Call, sandbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every document waits for it, and nothing else said why."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        settings = tmp_path / "gateway.toml"
        own = (sandbox / "gateway.toml").read_text("utf-8")
        settings.write_text(
            f'{own}\n[verification]\nurl = "http://127.0.0.1:{port}"\nname = "KeyTool"\n', "utf-8"
        )
        monkeypatch.setenv("GATEWAY_CONFIG", str(settings))
        for listens, expected in ((False, "warning"), (True, "ok")):
            if listens:
                listening.listen()
            checks = call("doctor", "--home", sandbox, "--json", "--lang", "en").json["checks"]
            (found,) = [one for one in checks if one["name"] == "Verifier"]
            assert (found["status"], "[verification] url" in found["fix"]) == (
                expected,
                not listens,
            )


def test_the_doctor_tells_an_old_trusted_list(call: Call, sandbox: Path) -> None:
    """Certificates issued after what it speaks for have no accreditation that is known."""
    service = Listed(name="CA", certificates=[b""], statuses=[("granted", "2017-01-01T00:00:00Z")])
    for update, expected in (("2020-01-01T00:00:00Z", "warning"), ("9000-01-01T00:00:00Z", "ok")):
        octets = european(service, update=update)
        path = sandbox / "trust" / "list.xml"
        path.write_bytes(octets)
        try:
            checks = call("doctor", "--home", sandbox, "--json").json["checks"]
        finally:
            path.unlink()
        (found,) = [one for one in checks if one["detail"].startswith("eu-LT")]
        assert (found["status"], bool(found["fix"])) == (expected, expected != "ok")


def test_no_verb_but_convert_shows_a_patient(
    call: Call, sandbox: Path, sent: dict[str, object]
) -> None:
    id = str(sent["id"])
    said = [
        call("list", "--home", sandbox),
        call("status", id, "--home", sandbox, "--json"),
        call("check", GOOD, XML, "--sign", "--home", sandbox),
        call("doctor", "--home", sandbox),
    ]
    text = "".join(one.stdout + one.stderr for one in said)
    assert not [name for name in NAMES if name in text]


def test_a_secret_is_not_given_to_another_gateway(call: Call, sandbox: Path) -> None:
    """`--to` may name any machine; the sandbox's secret is for the sandbox."""
    said = call("list", "--to", "http://127.0.0.1:10", "--home", sandbox)
    assert said.code == 2
    assert "GATEWAY_CLIENT_ID" in said.stderr


def test_a_gateway_that_does_not_answer_ends_with_four(call: Call, sandbox: Path) -> None:
    said = call("list", "--to", "http://127.0.0.1:9", "--home", sandbox, "--json")
    assert said.code == 4
    assert "error" in said.json


def test_one_unreadable_file_does_not_stop_the_others(
    call: Call, sandbox: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text("noise")
    (tmp_path / "b.json").write_bytes((SAMPLES / "01-transaction-gost256/result.json").read_bytes())
    said = call("send", tmp_path, "--fresh", "--home", sandbox, "--json")
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    assert [(Path(one["file"]).name, one["status"]) for one in lines] == [
        ("a.json", "rejected"),
        ("b.json", "received"),
    ]
    assert said.code == 1


def test_a_dry_run_of_what_was_sent_is_a_repeat_whichever_laboratory_sent_it(
    call: Call, sandbox: Path, tmp_path: Path
) -> None:
    """Not another organisation's report: the home's operator is nobody's rival."""
    sample = SAMPLES / "01-transaction-gost256/result.json"
    assert call("send", sample, "--sign", "--wait", "--home", sandbox, "--json").code == 0
    said = call("check", sample, "--sign", "--home", sandbox, "--json")
    assert (said.code, said.json["outcome"]) == (0, "accepted")
    assert [one["code"] for one in said.json["problems"]] == ["DUP-101"]


def test_an_unknown_submission_of_a_replay_is_named_in_json_too(call: Call, sandbox: Path) -> None:
    said = call("replay", "nope", "--home", sandbox, "--json")
    assert (said.code, said.json["id"]) == (1, "nope")


def test_what_cannot_be_signed_says_why_in_words(call: Call, sandbox: Path, tmp_path: Path) -> None:
    key, chain = (sandbox / "signers" / f"gost256-doctor.{end}.pem" for end in ("key", "crt"))
    noise = tmp_path / "noise.txt"
    noise.write_text("noise")
    said = call("sign", noise, "--key", key, "--cert", chain, "--format", "xades", "--lang", "ru")
    assert said.code == 2
    assert "FMT-201: " in said.stderr
    said = call("sign", noise, "--key", noise, "--cert", chain)
    assert said.code == 2
    assert "PKCS#8" in said.stderr


@pytest.mark.parametrize("other", ["rsa-organisation", "ecdsa-doctor", "gost256-doctor"])
def test_a_key_of_another_certificate_signs_nothing(
    call: Call, sandbox: Path, tmp_path: Path, other: str
) -> None:
    """Found out only by whoever verifies, it would cost a laboratory its day."""
    noise, target = tmp_path / "noise.txt", tmp_path / "noise.sig"
    noise.write_text("noise")
    for mine, cert in (("rsa-doctor", other), (other, "rsa-doctor")):
        key, chain = (
            sandbox / "signers" / f"{name}.pem" for name in (f"{mine}.key", f"{cert}.crt")
        )
        said = call("sign", noise, "--key", key, "--cert", chain, "--out", target, "--lang", "ru")
        assert said.code == 2
        assert "закрытый ключ не от этого сертификата" in said.stderr
        assert not target.exists()


def test_a_signature_that_has_no_place_to_go_is_wrong_usage(
    call: Call, sandbox: Path, tmp_path: Path
) -> None:
    key, chain = (sandbox / "signers" / f"rsa-doctor.{end}.pem" for end in ("key", "crt"))
    noise = tmp_path / "noise.txt"
    noise.write_text("noise")
    signing = ("sign", noise, "--key", key, "--cert", chain, "--lang", "ru", "--out")
    for place in (tmp_path / "none" / "out.sig", tmp_path):
        said = call(*signing, place)
        assert said.code == 2
        assert f"--out {place}: нет такой папки, или это папка" in said.stderr
    assert call(*signing, tmp_path / "out.sig").code == 0


def test_a_changed_receipt_is_refused_in_the_reader_s_language(
    call: Call, sandbox: Path, tmp_path: Path
) -> None:
    file = tmp_path / "noise.jws"
    file.write_text("noise")
    russian = call("receipt", "verify", file, "--home", sandbox, "--lang", "ru", "--json")
    english = call("receipt", "verify", file, "--home", sandbox, "--lang", "en", "--json")
    assert (russian.code, english.code) == (1, 1)
    assert russian.json["reason"].startswith("это не JWS")
    assert english.json["reason"] == "The receipt is not a JWS in compact form."


def test_a_clinic_on_a_taken_port_is_wrong_usage(call: Call) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = call("mock", "clinic", "--port", str(taken.getsockname()[1]))
    assert said.code == 2


def test_an_address_that_is_none_is_wrong_usage(call: Call, sandbox: Path) -> None:
    said = call("list", "--to", "gateway.example", "--home", sandbox, "--lang", "en")
    assert said.code == 2
    assert "https://gateway.example" in said.stderr
