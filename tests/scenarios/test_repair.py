"""What waits for a person is asked once, answered once, and goes on (semantics, rules 4 and 12)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import verbs
from gateway.model import Destination, Identifier
from gateway.repair.replays import Choice
from tests.doorway import Doorway, doorway
from tests.scenarios.repairs import lab_document, sent, state, worked

FERRITIN, GLUCOSE = "1009034", "1003870"
EIGHT = 8


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Doorway]:
    with doorway(tmp_path) as opened:
        yield opened


def unknown(door: Doorway, code: str, count: int = EIGHT, **other: str) -> list[str]:
    """Send documents of one unknown code; return their submissions."""
    unit = other.pop("unit", "мкг/л")
    return [
        sent(door, lab_document(f"{code}-{n}", code=code, unit=unit, **other)) for n in range(count)
    ]


def gateway(door: Doorway, *words: str) -> list[Any]:
    """Run the command on the door's home; return the JSON lines it prints."""
    home = str(door.gateway.settings.home)
    done = CliRunner().invoke(verbs, [*words, "--json", "--home", home], catch_exceptions=False)
    assert done.exit_code == 0, (done.output, done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def post(door: Doorway, path: str, body: dict[str, Any] | None = None, client: str = "lab") -> Any:
    octets = json.dumps(body or {}).encode()
    return door.post(path, octets, type="application/json", client=client)


def states(door: Doorway, submissions: list[str]) -> set[str]:
    return {state(door, one)[0] for one in submissions}


def test_an_unknown_code_in_eight_documents_is_one_question_with_suggestions(
    door: Doorway,
) -> None:
    """The operator reads one line, not eight; the likeliest test stands first."""
    submissions = unknown(door, "FER-9", name="Ферритин")
    assert [state(door, one) for one in submissions] == [("needs_info", ["MAP-101"])] * EIGHT
    (question,) = gateway(door, "repair", "list")
    assert (question["cause"], question["waiting"]) == ("MAP-101", EIGHT)
    assert question["subject"]["code"] == "FER-9"
    assert question["place"] == "/l:labResult/l:results/l:test/l:code"
    (whole,) = gateway(door, "repair", "show", question["id"])
    assert whole["suggestions"][0]["answer"] == FERRITIN
    assert {one["submission"] for one in whole["documents"]} == set(submissions)


def test_one_decision_on_the_command_line_settles_all_eight(door: Doorway) -> None:
    """Nobody answers the same question eight times, and nothing is sent again."""
    submissions = unknown(door, "FER-9", name="Ферритин")
    (question,) = gateway(door, "repair", "list")
    (settled,) = gateway(door, "repair", "decide", question["id"], "--test", FERRITIN)
    worked(door)
    assert states(door, submissions) == {"accepted"}
    assert gateway(door, "repair", "list") == []
    (standing,) = gateway(door, "repair", "decisions")
    assert (standing["answer"], standing["documents"]) == ({"test": FERRITIN}, EIGHT)
    # The next document of the code does not ask any more.
    assert state(door, *unknown(door, "FER-9", 1, name="Ферритин"))[0] == "accepted"
    (run,) = gateway(door, "replay", "--show", settled["replay"]["id"])
    assert (run["state"], run["finished"]) == ("done", EIGHT)


def test_one_decision_over_http_settles_all_of_another_code(door: Doorway) -> None:
    """A laboratory that knows its own code need not wait for an operator."""
    submissions = unknown(door, "SUGAR", unit="ммоль/л", name="Сахар крови")
    (question,) = door.get("/v1/repairs").get_json()["items"]
    answer = post(door, f"/v1/repairs/{question['id']}/decide", {"test": GLUCOSE})
    assert answer.status_code == 202
    worked(door)
    assert states(door, submissions) == {"accepted"}
    again = post(door, f"/v1/repairs/{question['id']}/decide", {"test": GLUCOSE})
    assert (again.status_code, again.get_json()["code"]) == (409, "DUP-002")


def test_the_diff_shows_what_a_replay_changed_by_path_and_never_a_value(door: Doorway) -> None:
    """An operator sees that something was added where; what it says is the patient's."""
    unknown(door, "FER-9", 1, name="Ферритин")
    (question,) = door.get("/v1/repairs").get_json()["items"]
    answer = post(door, f"/v1/repairs/{question['id']}/decide", {"test": FERRITIN})
    worked(door)
    run = door.get(answer.headers["Location"]).get_json()
    (item,) = run["submissions"]
    assert (item["before"]["status"], item["before"]["codes"]) == ("needs_info", ["MAP-101"])
    assert item["after"]["status"] == "accepted"
    assert "MAP-101" not in item["after"]["codes"]
    added = {change["resource"].split("/")[0] for change in item["changes"]}
    assert {"Patient", "Observation", "DiagnosticReport"} <= added
    assert {change["change"] for change in item["changes"]} == {"added"}
    assert "5.00" not in json.dumps(run)
    assert "Златоустова" not in json.dumps(run, ensure_ascii=False)


def test_a_dry_run_judges_again_and_stores_nothing(door: Doorway) -> None:
    """Before a thousand documents go on, somebody wants to know how they would end."""
    (submission,) = unknown(door, "FER-9", 1, name="Ферритин")
    before = state(door, submission)
    (shown,) = gateway(door, "replay", submission, "--dry-run")
    assert (shown["before"]["status"], shown["after"]["status"]) == ("needs_info", "needs_info")
    assert state(door, submission) == before
    (question,) = door.get("/v1/repairs").get_json()["items"]
    assert door.gateway.store.decisions("org-lab", "none") == ()
    post(door, f"/v1/repairs/{question['id']}/decide", {"test": FERRITIN})
    (shown,) = gateway(door, "replay", submission, "--dry-run")
    worked(door)
    assert shown["after"]["status"] == "accepted"
    assert {change["change"] for change in shown["changes"]} == {"added"}


def test_a_stopped_replay_starts_no_more_and_resumes_where_it_stood(door: Doorway) -> None:
    """A replay that goes wrong is stopped at the second document, not after the thousandth."""
    submissions = unknown(door, "FER-9", name="Ферритин")
    answer = post(door, "/v1/replays", {"cause": "MAP-101", "rate": 0.01})
    run = answer.get_json()["run"]["id"]
    assert set(answer.get_json()["submissions"]) == set(submissions)
    worked(door)
    (stopped,) = gateway(door, "replay", "--stop", run)
    assert (stopped["state"], stopped["started"], stopped["finished"]) == ("stopped", 1, 1)
    worked(door)
    assert door.get(f"/v1/replays/{run}").get_json()["started"] == 1
    resumed = post(door, f"/v1/replays/{run}/resume").get_json()
    assert (resumed["state"], resumed["started"]) == ("running", 2)


def test_a_run_at_full_speed_comes_to_its_end_after_a_stop(door: Doorway) -> None:
    submissions = unknown(door, "FER-9", name="Ферритин")
    run = post(door, "/v1/replays", {"ids": submissions, "rate": 0.01}).get_json()["run"]["id"]
    door.gateway.store.stop_replay(run, "lab")
    worked(door)
    items = door.gateway.store.replay_items(run)
    assert [one.state for one in items] == ["finished", *["waiting"] * (EIGHT - 1)]
    ends = post(door, "/v1/replays", {"ids": submissions}).get_json()["run"]["id"]
    worked(door)
    assert door.get(f"/v1/replays/{ends}").get_json()["state"] == "done"


def test_an_unknown_unit_is_settled_once_for_all_that_write_it(door: Doorway) -> None:
    submissions = [sent(door, lab_document(f"U-{n}", unit="миллимолей в литре")) for n in range(3)]
    assert [state(door, one) for one in submissions] == [("needs_info", ["MAP-108"])] * 3
    (question,) = door.get("/v1/repairs").get_json()["items"]
    whole = door.get(f"/v1/repairs/{question['id']}").get_json()
    assert whole["suggestions"][0]["answer"] == "mmol/L"
    assert post(door, f"/v1/repairs/{question['id']}/decide", {"unit": "mmol/L"}).status_code == 202
    worked(door)
    assert states(door, submissions) == {"accepted"}


def test_a_missing_unit_is_settled_for_the_test_that_lacks_it(door: Doorway) -> None:
    """88 without a unit is nobody's guess; once a person says which, it is not asked again."""
    submission = sent(door, lab_document("NU-1", unit=""))
    assert state(door, submission) == ("needs_info", ["MAP-108"])
    (question,) = door.get("/v1/repairs").get_json()["items"]
    post(door, f"/v1/repairs/{question['id']}/decide", {"unit": "ммоль/л"})
    worked(door)
    assert state(door, submission)[0] == "accepted"


@pytest.mark.parametrize(
    "given", [{"test": "no-such-test"}, {"unit": "mmol/L"}, {}, {"test": GLUCOSE, "unit": "g"}]
)
def test_an_answer_that_is_none_is_refused_and_settles_nothing(
    door: Doorway, given: dict[str, str]
) -> None:
    unknown(door, "FER-9", 1, name="Ферритин")
    (question,) = door.get("/v1/repairs").get_json()["items"]
    answer = post(door, f"/v1/repairs/{question['id']}/decide", given)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "FMT-109")
    assert door.gateway.store.standing(None) == ()


def test_another_laboratorys_questions_and_replays_are_not_there(door: Doorway) -> None:
    """What a competitor does not know is no business of anybody else's."""
    unknown(door, "FER-9", 1, name="Ферритин")
    (question,) = door.get("/v1/repairs").get_json()["items"]
    run = post(door, "/v1/replays", {"cause": "MAP-101"}).get_json()["run"]["id"]
    for path in (f"/v1/repairs/{question['id']}", f"/v1/replays/{run}"):
        assert door.get(path, client="lab2").status_code == 404
        assert door.get(path, client="clinic").status_code == 403 or "replays" in path
    assert door.get("/v1/repairs", client="lab2").get_json() == {"items": []}
    assert door.get("/v1/replays", client="lab2").get_json() == {"items": []}
    answer = post(door, f"/v1/repairs/{question['id']}/decide", {"test": FERRITIN}, client="lab2")
    assert answer.status_code == 404


def test_the_decision_of_one_laboratory_is_not_another_ones(door: Doorway) -> None:
    """Two laboratories may call different tests by one code."""
    unknown(door, "X-1", 1, name="Ферритин")
    (question,) = door.get("/v1/repairs").get_json()["items"]
    post(door, f"/v1/repairs/{question['id']}/decide", {"test": FERRITIN})
    worked(door)
    assert [one.answer for one in door.gateway.store.decisions("org-lab", "")] != []
    assert door.gateway.store.decisions("org-lab2", "") == ()


def test_a_code_that_comes_with_a_new_name_is_drift_until_a_person_confirms(door: Doorway) -> None:
    """A laboratory that gives a code a new meaning seldom says so."""
    assert state(door, sent(door, lab_document("D-1")))[0] == "accepted"
    drifted = sent(door, lab_document("D-2", name="Глюкоза натощак"))
    assert state(door, drifted) == ("needs_info", ["MAP-109"])
    (question,) = door.get("/v1/repairs").get_json()["items"]
    assert question["facts"]["old_name"] == "Глюкоза"
    assert question["subject"]["name"] == "Глюкоза натощак"
    assert question["facts"]["changed"] == "name"
    post(door, f"/v1/repairs/{question['id']}/decide", {"test": "same"})
    worked(door)
    assert state(door, drifted)[0] == "accepted"
    both = [lab_document("D-3"), lab_document("D-4", name="Глюкоза натощак")]
    assert {state(door, sent(door, one))[0] for one in both} == {"accepted"}


@pytest.mark.parametrize("other", [{"unit": "мг/дл"}, {"specimen": "Моча"}])
def test_a_new_unit_or_specimen_is_drift_too(door: Doorway, other: dict[str, str]) -> None:
    document = lab_document("D-1").replace(b' code="108"', b"")
    assert state(door, sent(door, document))[0] == "accepted"
    drifted = lab_document("D-2", **other).replace(b' code="108"', b"")
    assert state(door, sent(door, drifted)) == ("needs_info", ["MAP-109"])


def test_spellings_of_one_unit_and_one_name_are_no_drift(door: Doorway) -> None:
    assert state(door, sent(door, lab_document("D-1")))[0] == "accepted"
    same = lab_document("D-2", unit="mmol/L", name="ГЛЮКОЗА")
    assert state(door, sent(door, same))[0] == "accepted"


def test_day_17_a_code_changes_its_meaning_on_the_first_of_march(door: Doorway) -> None:
    """The first message of March asks; a specimen of February keeps February's meaning."""
    first = unknown(door, "4410", 1, name="Ферритин", collected="2026-02-10")
    (question,) = door.get("/v1/repairs").get_json()["items"]
    post(door, f"/v1/repairs/{question['id']}/decide", {"test": FERRITIN})
    worked(door)
    assert states(door, first) == {"accepted"}
    march = lab_document("M-1", code="4410", name="Глюкоза", collected="2026-03-01")
    changed = sent(door, march)
    assert state(door, changed) == ("needs_info", ["MAP-109"])
    (question,) = door.get("/v1/repairs").get_json()["items"]
    assert question["facts"]["collected"] == "2026-03-01"
    order = {"test": GLUCOSE, "from": "2026-03-01"}
    post(door, f"/v1/repairs/{question['id']}/decide", order)
    worked(door)
    assert state(door, changed)[0] == "accepted"
    february = lab_document(
        "F-2", code="4410", name="Ферритин", unit="мкг/л", collected="2026-02-28"
    )
    assert state(door, sent(door, february))[0] == "accepted"
    assert standing_tests(door, changed) == {GLUCOSE}
    old_name = lab_document(
        "M-2", code="4410", name="Ферритин", unit="мкг/л", collected="2026-03-02"
    )
    assert state(door, sent(door, old_name)) == ("needs_info", ["MAP-109"])


def standing_tests(door: Doorway, submission: str) -> set[str]:
    """Return the ФСЛИ codes under which a submission's results stand in the card."""
    store = door.gateway.store
    view = store.view(submission, None)
    assert view is not None
    run, _ = door.gateway.replays.start(Choice(ids=(submission,)), None, actor="test")
    (item,) = store.replay_items(run.id)
    resources = store.versions(item.before["documents"][0]["resources"])
    return {
        coding["code"]
        for name, one in resources.items()
        if name.startswith("Observation/")
        for coding in one["code"]["coding"]
        if coding["system"].endswith(".1080")
    }


def undo(door: Doorway, decision: str, client: str = "lab") -> Any:
    return post(door, f"/v1/repairs/decisions/{decision}/undo", client=client)


def test_a_decision_taken_back_asks_again_and_its_content_leaves_the_card(door: Doorway) -> None:
    """A wrong answer must not stay in eight cards because somebody pressed a key."""
    submissions = unknown(door, "FER-9", 3, name="Ферритин")
    (question,) = gateway(door, "repair", "list")
    (settled,) = gateway(door, "repair", "decide", question["id"], "--test", GLUCOSE)
    worked(door)
    assert states(door, submissions) == {"accepted"}
    snils = Identifier(system="urn:oid:1.2.643.100.3", value="22445766068")
    (patient,) = door.gateway.store.patients_by_identifier(snils)
    assert any(is_result(one) for one in door.gateway.store.everything(patient))
    (undone,) = gateway(door, "repair", "undo", settled["decision"]["id"])
    assert len(undone["documents"]) == 3
    assert not any(is_result(one) for one in door.gateway.store.everything(patient))
    worked(door)
    assert [state(door, one) for one in submissions] == [("needs_info", ["MAP-101"])] * 3
    (again,) = gateway(door, "repair", "list")
    assert (again["id"], again["waiting"], again["decision"]) == (question["id"], 3, None)
    gateway(door, "repair", "decide", question["id"], "--test", FERRITIN)
    worked(door)
    assert states(door, submissions) == {"accepted"}
    assert standing_tests(door, submissions[0]) == {FERRITIN}
    assert undo(door, settled["decision"]["id"]).status_code == 404


def test_of_three_who_undo_at_one_moment_the_others_find_nothing(door: Doorway) -> None:
    """Two operators press the key together: the second is told, not met with an error of ours."""
    unknown(door, "FER-9", 1, name="Ферритин")
    (question,) = gateway(door, "repair", "list")
    (settled,) = gateway(door, "repair", "decide", question["id"], "--test", GLUCOSE)
    worked(door)
    decision, start, bearer = settled["decision"]["id"], Barrier(3), door.bearer()

    def undone(_: int) -> tuple[int, str]:
        client = door.app.test_client()
        start.wait(30)
        answer = client.post(f"/v1/repairs/decisions/{decision}/undo", headers=bearer)
        return answer.status_code, answer.get_json().get("code", "")

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(undone, range(3))) == [(202, ""), *[(404, "SYS-404")] * 2]
    home = str(door.gateway.settings.home)
    refused = CliRunner().invoke(verbs, ["repair", "undo", decision, "--json", "--home", home])
    assert (refused.exit_code, json.loads(refused.stdout)["id"]) == (1, decision)


def test_what_comes_while_a_decision_is_taken_is_not_left_waiting_beside_it(door: Doorway) -> None:
    """A laboratory goes on sending while somebody answers what its first document asks."""
    first = unknown(door, "FER-9", 1, name="Ферритин")
    (question,) = gateway(door, "repair", "list")
    late = [
        door.post(
            "/v1/submissions",
            lab_document(f"late-{n}", code="FER-9", name="Ферритин", unit="мкг/л"),
            type="application/xml",
        ).get_json()["id"]
        for n in range(12)
    ]
    with ThreadPoolExecutor(4) as pool:
        lines = [pool.submit(door.work) for _ in range(3)]
        deciding = pool.submit(
            gateway, door, "repair", "decide", question["id"], "--test", FERRITIN
        )
        for one in (*lines, deciding):
            one.result(120)
    worked(door)
    assert states(door, first + late) == {"accepted"}
    assert gateway(door, "repair", "list") == []


def test_what_has_left_the_house_becomes_an_open_item_instead(tmp_path: Path) -> None:
    """What a clinic has read cannot be unread by us: the laboratory or a person acts."""
    with doorway(tmp_path, '[[routes]]\nto = "clinic-mis"\n') as door:
        clinic = Destination(
            name="clinic-mis",
            kind="fhir_rest",
            organization="org-clinic",
            options={"url": "http://127.0.0.1:9/fhir"},
        )
        door.gateway.store.put_destination(clinic)
        body = lab_document("S-1", code="FER-9", name="Ферритин", unit="мкг/л")
        submission = sent(door, body.replace(b"1267700000336", b"1027700000002"))
        (question,) = door.get("/v1/repairs").get_json()["items"]
        decided = post(door, f"/v1/repairs/{question['id']}/decide", {"test": FERRITIN})
        worked(door)
        (order,) = door.gateway.store.claim("delivery", 5, door.gateway.settings.work.lease)
        door.gateway.store.delivery(order)
        answer = undo(door, decided.get_json()["decision"]["id"]).get_json()
        assert (answer["documents"], answer["open_items"]) == ([], [f"{submission}-1"])
        assert state(door, submission)[0] == "accepted"
        (item,) = door.gateway.store.open_items()
        assert (item.kind, item.problem.code) == ("decision-undone", "DUP-003")


def is_result(resource: dict[str, Any]) -> bool:
    return resource["resourceType"] in ("Observation", "DiagnosticReport")


def test_the_note_of_a_decision_stays_in_its_history_when_it_is_undone(door: Doorway) -> None:
    """A year later somebody asks why; the person who decided may be gone."""
    unknown(door, "FER-9", 1, name="Ферритин")
    (question,) = door.get("/v1/repairs").get_json()["items"]
    (said,) = gateway(
        door, "repair", "decide", question["id"], "--test", GLUCOSE, "--note", "по звонку в ЛИС"
    )
    assert said["decision"]["note"] == "по звонку в ЛИС"
    (standing,) = gateway(door, "repair", "decisions")
    assert standing["note"] == "по звонку в ЛИС"
    gateway(door, "repair", "undo", said["decision"]["id"])
    worked(door)
    order = {"test": FERRITIN, "note": "ошиблись строкой"}
    assert post(door, f"/v1/repairs/{question['id']}/decide", order).status_code == 202
    worked(door)
    for whole in (
        *gateway(door, "repair", "show", question["id"]),
        door.get(f"/v1/repairs/{question['id']}").get_json(),
    ):
        wrong, right = whole["history"]
        assert (wrong["note"], wrong["undone_by"]) == ("по звонку в ЛИС", "operator:local")
        assert (right["note"], right["undone_at"]) == ("ошиблись строкой", None)


def test_the_audit_holds_that_a_note_was_given_and_not_what_it_says(door: Doorway) -> None:
    """The log cannot be erased, and a note may name a patient."""
    unknown(door, "FER-9", 1, name="Ферритин")
    (question,) = door.get("/v1/repairs").get_json()["items"]
    order = {"test": FERRITIN, "note": "Златоустова звонила"}
    post(door, f"/v1/repairs/{question['id']}/decide", order)
    store = door.gateway.store
    with store.room.database.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT detail FROM audit_entry WHERE action = 'repair.decide'"
        ).all()
    assert len(rows) == 1
    assert '"note"' in str(rows[0].detail)
    assert "Златоустова" not in str(rows[0].detail)
    store.seal()
    assert store.verify_audit().valid


def test_a_note_of_five_hundred_signs_is_taken_and_one_more_is_not(door: Doorway) -> None:
    unknown(door, "FER-9", 1, name="Ферритин")
    (question,) = door.get("/v1/repairs").get_json()["items"]
    for path in ("http", "home"):
        order = {"test": FERRITIN, "note": "я" * 501}
        if path == "http":
            assert post(door, f"/v1/repairs/{question['id']}/decide", order).status_code == 400
            continue
        home = str(door.gateway.settings.home)
        words = ("repair", "decide", question["id"], "--test", FERRITIN, "--note", order["note"])
        refused = CliRunner().invoke(verbs, [*words, "--home", home])
        assert refused.exit_code == 1
    assert door.gateway.store.standing(None) == ()
    gateway(door, "repair", "decide", question["id"], "--test", FERRITIN, "--note", "я" * 500)
