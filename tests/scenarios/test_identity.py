"""Whose card it is, over the weeks of a life: days 5 to 8 and 20 (semantics, rule 11)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.access import SCOPES_BY_ROLE
from gateway.model import Destination, Identifier, Json, Problem
from gateway.store.tables import document
from gateway.store.values import Client, Organization
from tests.doorway import OGRN, SECRET_HASH, Doorway, doorway
from tests.scenarios.repairs import lab_document, sent, state, worked

SNILS, ENP = "urn:oid:1.2.643.100.3", "urn:oid:1.2.643.2.69.1.1.1.6.228"
MOTHER = '<identifier system="snils">224-457-660 68</identifier>'
CHILD = '<identifier system="snils">112-233-445 95</identifier>'
BIRTH = '<identifier system="birth-certificate">V-МЮ 123456</identifier>'
PASSPORT = '<identifier system="foreign-passport">AA 1234567</identifier>'


def person(family: str, given: str, born: str, sex: str, patronymic: str = "") -> str:
    middle = f"<patronymic>{patronymic}</patronymic>" if patronymic else ""
    return (
        f"<name><family>{family}</family><given>{given}</given>{middle}</name>"
        f"<birthDate>{born}</birthDate><sex>{sex}</sex>"
    )


WOMAN = person("Златоустова", "Мария", "1991-07-25", "female", "Кирилловна")
BABY = person("Златоустова", "Девочка", "2026-11-01", "female")


@pytest.fixture
def environ() -> dict[str, str]:
    """The environment the gateway is opened in; tests/postgres names its databases here."""
    return {}


@pytest.fixture
def door(tmp_path: Path, environ: dict[str, str]) -> Iterator[Doorway]:
    with doorway(tmp_path, environ=environ) as opened:
        store = opened.gateway.store
        store.put_organization(
            Organization(
                id="org-house",
                name="house",
                kind="operator",
                identifiers=(Identifier(system=OGRN, value="1027700000009"),),
            )
        )
        store.put_client(
            Client(
                id="house",
                name="house",
                organization="org-house",
                role="operator",
                secret_hash=SECRET_HASH,
            )
        )
        yield opened


def send(door: Doorway, number: str, identifiers: str, patient: str) -> str:
    return sent(door, lab_document(number, identifiers=identifiers, patient=patient))


def codes(door: Doorway, submission: str) -> tuple[str, list[str]]:
    """Return state and codes, less the check digit of the test laboratory's made-up ОГРН."""
    status, found = state(door, submission)
    return status, [code for code in found if code != "PAT-101"]


def card_of(door: Doorway, system: str, value: str) -> str:
    (number,) = door.gateway.store.patients_by_identifier(Identifier(system=system, value=value))
    return number


def shown(door: Doorway, number: str) -> Json:
    """Return the Patient of a card that must be there."""
    card = door.gateway.store.card(number)
    assert card is not None
    assert card.resource is not None
    return card.resource


def questions(door: Doorway, client: str = "house") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = door.get("/v1/repairs", client=client).get_json()["items"]
    return [door.get(f"/v1/repairs/{one['id']}", client=client).get_json() for one in found]


def decide(door: Doorway, question: dict[str, Any], card: str) -> dict[str, Any]:
    octets = json.dumps({"card": card}).encode()
    answer = door.post(
        f"/v1/repairs/{question['id']}/decide", octets, type="application/json", client="house"
    )
    assert answer.status_code == 202, answer.get_data(as_text=True)
    worked(door)
    found: dict[str, Any] = answer.get_json()
    return found


def test_day_5_a_mothers_number_on_her_newborn_changes_nothing_on_her_card(door: Doorway) -> None:
    """A baby's bilirubin on the mother's card would be treated as hers."""
    send(door, "A-1", MOTHER, WOMAN)
    mother = card_of(door, SNILS, "22445766068")
    before = door.gateway.store.everything(mother)
    newborn = send(door, "A-2", MOTHER, BABY)
    assert codes(door, newborn) == ("needs_info", ["PAT-106"])
    assert door.gateway.store.everything(mother) == before


def test_day_5_the_birth_document_opens_a_provisional_card_that_a_number_confirms(
    door: Doorway,
) -> None:
    """The card keeps its id, so nothing that was sent about the child has to move."""
    assert codes(door, send(door, "A-1", BIRTH, BABY)) == ("accepted", [])
    child = card_of(door, "urn:oid:1.2.643.2.69.1.1.1.6.249", "VМЮ123456")
    assert door.gateway.store.provisional(child)
    month_later = send(door, "A-2", BIRTH + CHILD, BABY)
    assert codes(door, month_later) == ("accepted", [])
    assert card_of(door, SNILS, "11223344595") == child
    assert not door.gateway.store.provisional(child)
    events = [one.name for one in door.gateway.store.events(month_later)]
    assert "confirmed" in events


def test_day_6_twins_with_initials_alone_are_chosen_by_nobody_but_a_person(door: Doorway) -> None:
    """Two candidates, masked, for the operator alone; the machine chooses none."""
    first = person("Иванов", "Илья", "2015-03-05", "male")
    second = person("Иванов", "Игорь", "2015-03-05", "male")
    send(door, "T-1", CHILD, first)
    send(door, "T-2", '<identifier system="snils">087-654-303 00</identifier>', second)
    initials = person("Иванов", "И", "2015-03-05", "male")
    waiting = send(door, "T-3", "", initials)
    assert codes(door, waiting) == ("needs_info", ["PAT-104"])
    (question,) = questions(door)
    titles = [one["title"] for one in question["suggestions"] if one["answer"] != "new"]
    assert titles == ["И***ов И., 20**"] * 2
    assert {one["why"] for one in question["suggestions"]} >= {"СНИЛС ***95", "СНИЛС ***00"}
    assert "Иванов" not in json.dumps(question, ensure_ascii=False)
    assert questions(door, "lab") == []
    chosen = card_of(door, SNILS, "08765430300")
    before = shown(door, chosen)
    decide(door, question, chosen)
    assert codes(door, waiting) == ("accepted", [])
    assert shown(door, chosen)["name"] == before["name"]
    reports = [r for r in door.gateway.store.everything(chosen) if is_report(r)]
    assert len(reports) == 2


def test_a_decision_about_one_twin_says_nothing_about_the_next_document(door: Doorway) -> None:
    """What the documents of twins say may be quite the same."""
    send(door, "T-1", CHILD, person("Иванов", "Илья", "2015-03-05", "male"))
    initials = person("Иванов", "И", "2015-03-05", "male")
    send(door, "T-3", "", initials)
    (question,) = questions(door)
    decide(door, question, card_of(door, SNILS, "11223344595"))
    assert codes(door, send(door, "T-4", "", initials)) == ("needs_info", ["PAT-104"])


def test_a_newborn_may_get_a_card_of_its_own_without_the_mothers_number(door: Doorway) -> None:
    """The number stays the mother's: the child's next document must not find her."""
    send(door, "A-1", MOTHER, WOMAN)
    newborn = send(door, "A-2", MOTHER, BABY)
    (question,) = questions(door)
    # Likeliest first: the number leads to the mother, and the question is about her child.
    answers = [one["answer"] for one in question["suggestions"]]
    assert answers == ["new", card_of(door, SNILS, "22445766068")]
    decide(door, question, "new")
    assert codes(door, newborn) == ("accepted", [])
    mother = card_of(door, SNILS, "22445766068")
    view = door.gateway.store.standing(None)[0].decision
    child = view.answer["card"]
    assert child != mother
    card = shown(door, child)
    assert "identifier" not in card
    assert card["birthDate"] == "2026-11-01"


def test_day_7_a_foreigner_in_two_scripts_is_one_patient_by_the_passport(door: Doorway) -> None:
    """Cyrillic, then Latin: one passport, one card, and no number of a registry is invented."""
    cyrillic = person("Ким", "Алина", "1990-02-02", "female")
    latin = person("Kim", "Alina", "1990-02-02", "female")
    assert codes(door, send(door, "K-1", PASSPORT, cyrillic)) == ("accepted", [])
    assert codes(door, send(door, "K-2", PASSPORT, latin)) == ("accepted", [])
    number = card_of(door, "urn:oid:1.2.643.2.69.1.1.1.6.9", "AA1234567")
    names = shown(door, number)["name"]
    assert isinstance(names, list)
    assert [name["family"] for name in names if isinstance(name, dict)] == ["Kim", "Ким"]
    assert len([r for r in door.gateway.store.everything(number) if is_report(r)]) == 2


def test_day_8_a_new_surname_is_the_same_patient_with_both_names(door: Doorway) -> None:
    """Marriage changes a name, not a blood group."""
    send(door, "M-1", MOTHER, WOMAN)
    married = person("Новикова", "Мария", "1991-07-25", "female", "Кирилловна")
    assert codes(door, send(door, "M-2", MOTHER, married)) == ("accepted", ["PAT-107"])
    names = shown(door, card_of(door, SNILS, "22445766068"))["name"]
    assert isinstance(names, list)
    said = [(name["family"], name["use"]) for name in names if isinstance(name, dict)]
    assert said == [("Новикова", "official"), ("Златоустова", "old")]


@pytest.mark.parametrize(
    "other",
    [
        person("Златоустова", "Мария", "1991-07-26", "female"),
        person("Златоустова", "Мария", "1991-07-25", "male"),
    ],
)
def test_another_birth_date_or_sex_under_one_number_waits(door: Doorway, other: str) -> None:
    send(door, "M-1", MOTHER, WOMAN)
    before = shown(door, card_of(door, SNILS, "22445766068"))
    waiting = send(door, "M-2", MOTHER, other)
    assert codes(door, waiting) == ("needs_info", ["PAT-103"])
    (question,) = questions(door)
    decide(door, question, question["suggestions"][0]["answer"])
    assert codes(door, waiting) == ("accepted", [])
    # A person said whose it is, not that the card was wrong.
    after = shown(door, card_of(door, SNILS, "22445766068"))
    for name in ("birthDate", "gender", "name"):
        assert after[name] == before[name]


def test_a_laboratory_sees_no_question_about_a_patient_and_cannot_answer_one(
    door: Doorway,
) -> None:
    """Candidates, even masked, would tell a stranger who is a patient here."""
    waiting = send(door, "T-3", "", person("Иванов", "И", "2015-03-05", "male"))
    (question,) = questions(door)
    path = f"/v1/repairs/{question['id']}"
    assert door.get(path).status_code == 404
    body = json.dumps({"card": "new"}).encode()
    assert door.post(f"{path}/decide", body, type="application/json").status_code == 404
    view = door.get(f"/v1/submissions/{waiting}").get_json()
    assert "Иван" not in json.dumps(view, ensure_ascii=False)
    assert "repairs.write" in SCOPES_BY_ROLE["operator"]


def test_a_card_nobody_knows_is_refused_as_an_answer(door: Doorway) -> None:
    send(door, "T-3", "", person("Иванов", "И", "2015-03-05", "male"))
    (question,) = questions(door)
    body = json.dumps({"card": "no-such-card"}).encode()
    answer = door.post(
        f"/v1/repairs/{question['id']}/decide", body, type="application/json", client="house"
    )
    assert (answer.status_code, answer.get_json()["code"]) == (400, "FMT-109")


def test_candidates_are_found_by_birth_date_through_a_token(door: Doorway) -> None:
    send(door, "M-1", MOTHER, WOMAN)
    assert len(door.gateway.store.candidates(date(1991, 7, 25))) == 1
    assert door.gateway.store.candidates(date(1991, 7, 26)) == ()


def is_report(resource: dict[str, Any]) -> bool:
    return bool(resource["resourceType"] == "DiagnosticReport")


ROUTES = """
[[routes]]
to = "clinic-mis"
"""


@pytest.fixture
def routed(tmp_path: Path, environ: dict[str, str]) -> Iterator[Doorway]:
    """A gateway that sends every result to the ordering clinic's system."""
    with doorway(tmp_path / "routed", ROUTES, environ=environ) as opened:
        opened.gateway.store.put_destination(
            Destination(
                name="clinic-mis",
                kind="fhir_rest",
                organization="org-clinic",
                options={"url": "http://127.0.0.1:9/fhir"},
            )
        )
        yield opened


def ordered(body: bytes) -> bytes:
    """Return the document as ordered by the test clinic."""
    return body.replace(b"1267700000336", b"1027700000002")


def anonymous(number: str) -> bytes:
    text = ordered(lab_document(number)).decode()
    return re.sub(r"<patient>.*?</patient>", "<anonymous/>", text, flags=re.DOTALL).encode()


def test_day_20_an_anonymous_test_opens_no_card_and_is_answered_to_its_room(
    routed: Doorway,
) -> None:
    """The room knows its order by number; nobody else ever learns there was a test."""
    submission = sent(routed, anonymous("HIV-1"))
    assert codes(routed, submission) == ("accepted", [])
    view = routed.gateway.store.view(submission, None)
    assert view is not None
    (delivery,) = view.documents[0].deliveries
    assert delivery.destination == "clinic-mis"
    (order,) = routed.gateway.store.claim("delivery", 5, routed.gateway.settings.work.lease)
    sending = routed.gateway.store.delivery(order)
    kinds = {str(one["resourceType"]) for one in sending.resources}
    assert "Patient" not in kinds
    assert "DiagnosticReport" in kinds
    orders = [one for one in sending.resources if one["resourceType"] == "ServiceRequest"]
    assert "Н-2026-5503" in json.dumps(orders, ensure_ascii=False)
    assert "Златоустова" not in json.dumps(list(sending.resources), default=str)


def test_an_anonymous_test_that_nobody_ordered_waits_for_a_person(routed: Doorway) -> None:
    """There is nobody to answer: it is kept, and shown to nobody."""
    body = anonymous("HIV-2").replace(b"1027700000002", b"1267700000336")
    assert codes(routed, sent(routed, body)) == ("needs_info", ["PAT-108"])


def labelled(number: str, label: str = "V") -> bytes:
    """Return a document of a woman who has a name, with a label of confidentiality."""
    body = ordered(lab_document(number, identifiers=MOTHER, patient=WOMAN))
    return body.replace(b"<document>", f'<document confidentiality="{label}">'.encode())


def agree(door: Doorway, organization: str) -> None:
    store, clock = door.gateway.store, door.gateway.clock
    resource: Json = {"resourceType": "Consent"}
    who = (Identifier(system=SNILS, value="22445766068"),)
    store.add_grant(who, organization, "TREAT", clock(), None, resource, "test")


def read_by(door: Doorway, client: str, patient: str) -> tuple[int, list[str]]:
    """Return the total and the types a clinic sees of a patient."""
    answer = door.get(f"/fhir/Patient/{patient}/$everything", client=client).get_json()
    return answer["total"], [one["resource"]["resourceType"] for one in answer["entry"]]


def test_day_20_a_labelled_result_is_absent_without_a_ground_of_its_own(routed: Doorway) -> None:
    """A consent to see the card is no leave to see this; the room that ordered it may."""
    submission = sent(routed, labelled("HIV-3"))
    assert codes(routed, submission) == ("accepted", [])
    patient = card_of(routed, SNILS, "22445766068")
    for organization in ("org-clinic", "org-clinic2"):
        agree(routed, organization)
    total, types = read_by(routed, "clinic", patient)
    assert {"Patient", "Observation", "DiagnosticReport"} <= set(types)
    assert total == len(types)
    total, types = read_by(routed, "clinic2", patient)
    assert not {"Observation", "DiagnosticReport", "ServiceRequest", "Specimen"} & set(types)
    assert total == len(types)
    observation = next(
        one
        for one in routed.gateway.store.everything(patient)
        if one["resourceType"] == "Observation"
    )
    path = f"/fhir/Observation/{observation['id']}"
    assert routed.get(path, client="clinic").status_code == 200
    hidden, unknown = (
        routed.get(one, client="clinic2") for one in (path, "/fhir/Observation/no-such")
    )
    assert hidden.status_code == unknown.status_code == 404


def test_a_labelled_result_does_not_leave_on_a_general_consent(routed: Doorway) -> None:
    agree(routed, "org-clinic")
    body = labelled("HIV-4").replace(b"1027700000002", b"1267700000336")
    submission = sent(routed, body)
    assert codes(routed, submission) == ("accepted", ["CON-308"])
    view = routed.gateway.store.view(submission, None)
    assert view is not None
    assert view.documents[0].deliveries == ()


def test_a_result_without_the_label_leaves_on_a_general_consent(routed: Doorway) -> None:
    agree(routed, "org-clinic")
    body = labelled("HIV-5", "N").replace(b"1027700000002", b"1267700000336")
    submission = sent(routed, body)
    view = routed.gateway.store.view(submission, None)
    assert view is not None
    assert len(view.documents[0].deliveries) == 1


def test_a_choice_of_card_taken_back_leaves_that_card_and_asks_again(door: Doorway) -> None:
    """Reversible to the last link: a number bound by the choice leads there no more."""
    send(door, "M-1", MOTHER, WOMAN)
    other = person("Златоустова", "Мария", "1991-07-26", "female")
    policy = '<identifier system="enp">7752084324519825</identifier>'
    waiting = send(door, "M-2", MOTHER + policy, other)
    (question,) = questions(door)
    chosen = card_of(door, SNILS, "22445766068")
    settled = decide(door, question, chosen)
    assert card_of(door, ENP, "7752084324519825") == chosen
    path = f"/v1/repairs/decisions/{settled['decision']['id']}/undo"
    assert door.post(path, b"{}", type="application/json").status_code == 404
    answer = door.post(path, b"{}", type="application/json", client="house")
    assert answer.get_json()["documents"] == [f"{waiting}-1"]
    assert door.gateway.store.cards(Identifier(system=ENP, value="7752084324519825")) == ()
    assert len([r for r in door.gateway.store.everything(chosen) if is_report(r)]) == 1
    worked(door)
    assert codes(door, waiting) == ("needs_info", ["PAT-103"])


MIS = '<identifier system="mis">77-1</identifier>'
POLICY = '<identifier system="enp">7752084324519825</identifier>'


def of_hers(door: Doorway, number: str, identifiers: str = MIS, patient: str = WOMAN) -> str:
    """Send a document for the clinic, by a number of the laboratory unless told."""
    body = lab_document(number, identifiers=identifiers, patient=patient)
    return sent(door, ordered(body))


def chosen_as_hers(door: Doorway, number: str) -> tuple[str, str]:
    """Have a doubtful document with a new number put on her card; return it and the decision."""
    doubtful = person("Златоустова", "Мария", "1991-07-26", "female")
    submission = of_hers(door, number, MOTHER + MIS, doubtful)
    assert codes(door, submission) == ("needs_info", ["PAT-103"])
    (question,) = door.gateway.repairs.waiting(None)
    card = card_of(door, SNILS, "22445766068")
    settled = door.gateway.repairs.decide(question, {"card": card}, by="operator:test")
    worked(door)
    assert codes(door, submission) == ("accepted", [])
    return submission, settled.decision.id


def whose(door: Doorway, submission: str) -> str:
    """Return the card of a submission's one document."""
    with door.gateway.store.room.database.read() as connection:
        wanted = select(document.c.patient).where(document.c.submission == submission)
        return str(connection.execute(wanted).scalar_one())


def test_a_number_bound_by_a_choice_taken_back_leads_nowhere_though_its_result_has_left(
    routed: Doorway,
) -> None:
    """Else the next stranger's result would go to the same wrong card, without a question."""
    of_hers(routed, "A-0", MOTHER)
    hers = card_of(routed, SNILS, "22445766068")
    first, decision = chosen_as_hers(routed, "A-1")
    second = of_hers(routed, "A-2")
    assert (codes(routed, second), whose(routed, second)) == (("accepted", []), hers)
    store, lease = routed.gateway.store, routed.gateway.settings.work.lease
    while orders := store.claim("delivery", 9, lease):
        for order in orders:
            store.delivery(order)
            # Nobody can say whether the clinic holds it.
            store.delivery_failed(order, Problem(code="DLV-101"), None)
    undone = routed.gateway.repairs.undo(decision, by="operator:test")
    assert (undone.opened, set(undone.left)) == ((), {f"{first}-1", f"{second}-1"})
    assert {one.document for one in store.open_items()} == set(undone.left)
    third = of_hers(routed, "A-3")
    assert whose(routed, third) not in (hers, "None")


def test_what_came_by_a_number_bound_by_a_choice_is_opened_again_with_it(routed: Doorway) -> None:
    """Nothing has left: the first asks, the later one and the number it brought leave her card."""
    of_hers(routed, "A-0", MOTHER)
    hers = card_of(routed, SNILS, "22445766068")
    first, decision = chosen_as_hers(routed, "A-1")
    second = of_hers(routed, "A-2", MIS + POLICY)
    assert whose(routed, second) == card_of(routed, ENP, "7752084324519825") == hers
    undone = routed.gateway.repairs.undo(decision, by="operator:test")
    assert set(undone.opened) == {f"{first}-1", f"{second}-1"}
    assert routed.gateway.store.cards(Identifier(system=ENP, value="7752084324519825")) == ()
    worked(routed)
    assert codes(routed, first) == ("needs_info", ["PAT-103"])
    assert whose(routed, second) not in (hers, "None")


def test_a_number_that_a_document_confirmed_by_itself_outlives_the_choice(routed: Doorway) -> None:
    """Her own СНИЛС beside the number says whose it is; the choice is needed no more."""
    of_hers(routed, "A-0", MOTHER)
    hers = card_of(routed, SNILS, "22445766068")
    first, decision = chosen_as_hers(routed, "A-1")
    assert whose(routed, of_hers(routed, "A-2", MOTHER + MIS)) == hers
    undone = routed.gateway.repairs.undo(decision, by="operator:test")
    assert undone.opened == (f"{first}-1",)
    assert whose(routed, of_hers(routed, "A-3")) == hers


def test_a_patients_numbers_outlive_a_decision_about_a_code(routed: Doorway) -> None:
    """What a code means says nothing of whose the result is: no second card is opened."""
    body = lab_document("A-1", code="FER-9", name="Ферритин", unit="мкг/л")
    submission = sent(routed, body)
    (question,) = routed.gateway.repairs.waiting(None)
    settled = routed.gateway.repairs.decide(question, {"test": "1009034"}, by="operator:test")
    worked(routed)
    hers = whose(routed, submission)
    assert whose(routed, sent(routed, lab_document("A-2"))) == hers
    routed.gateway.repairs.undo(settled.decision.id, by="operator:test")
    assert whose(routed, sent(routed, lab_document("A-3"))) == hers


def test_a_missing_basis_is_settled_once_for_all_of_a_patient(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """A person says "store it, send it to nobody", once; another patient is asked about apart."""
    toml = '[[routes]]\nto = "clinic-mis"\nwithout_basis = "ask"\n'
    with doorway(tmp_path, toml, environ) as door:
        clinic = Destination(
            name="clinic-mis",
            kind="fhir_rest",
            organization="org-clinic",
            options={"url": "http://127.0.0.1:9/fhir"},
        )
        door.gateway.store.put_destination(clinic)
        waiting = [send(door, f"C-{n}", MOTHER, WOMAN) for n in range(3)]
        assert [codes(door, one) for one in waiting] == [("needs_info", ["CON-301"])] * 3
        another = send(door, "C-9", CHILD, BABY)
        question, other = door.gateway.repairs.waiting(None)
        assert (question.waiting, other.waiting) == (3, 1)
        door.gateway.repairs.decide(question, {"consent": "none"}, by="operator:test")
        worked(door)
        assert codes(door, another) == ("needs_info", ["CON-301"])
        assert [codes(door, one) for one in waiting] == [("accepted", ["CON-301"])] * 3
        assert door.get("/v1/repairs").get_json()["items"] == []
