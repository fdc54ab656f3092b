"""Pages for people, answers for machines and numbers for operators; nothing from elsewhere."""

import json
import re
from collections.abc import Iterator

import pytest

from gateway import errors
from gateway.api import create_app
from tests.doorway import FHIR, SECRET, Doorway, basic, document, doorway

SNILS = "11223344595"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    with doorway(tmp_path_factory.mktemp("home")) as opened:
        yield opened


@pytest.mark.parametrize("path", ["/docs", "/docs/errors", "/docs/errors/LIM-413"])
@pytest.mark.parametrize("language", ["ru", "en"])
def test_a_page_is_whole_in_both_languages_and_loads_only_our_style(
    door: Doorway, path: str, language: str
) -> None:
    answer = door.http.get(f"{path}?lang={language}", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert answer.headers["Content-Language"] == language
    assert f'<html lang="{language}">' in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script" not in answer.text
    assert " style=" not in answer.text
    loaded = re.findall(r'(?:src|rel="stylesheet" href)="([^"]*)"', answer.text)
    assert loaded == ["/docs/docs.css"]
    assert door.http.get("/docs/docs.css").mimetype == "text/css"


def test_the_reference_names_every_address_there_is(door: Doorway) -> None:
    """A route that is not in the reference does not exist for those who read it."""
    text = door.http.get("/docs").text
    for rule in door.app.url_map.iter_rules():
        path = re.sub(r"<[^>]*:?(type|id)>", r"{\1}", rule.rule)
        first = re.split(r"<|/\$|\{", path)[0].rstrip("/")
        assert first in text or first.startswith(("/docs", "/fhir")), rule.rule


def test_the_language_is_the_readers(door: Doorway) -> None:
    for header, word in (("en-GB,en;q=0.9", "What to do"), ("ru", "Что делать"), ("fr", "Что")):
        headers = {"Accept": "text/html", "Accept-Language": header}
        assert word in door.http.get("/docs/errors/SYS-404", headers=headers).text
    said = door.http.get("/nowhere", headers={"Accept-Language": "en"}).get_json(force=True)
    assert said["title"] == errors.explain("SYS-404", "en").title


def test_every_code_has_a_page_and_an_unknown_code_has_none(door: Doorway) -> None:
    for code in errors.codes():
        page = door.http.get(f"/docs/errors/{code}", headers={"Accept": "application/json"})
        said = page.get_json()
        assert said["code"] == code
        assert said["cause"]
        assert said["example"]
    assert door.http.get("/docs/errors/XXX-999").status_code == 404


def test_capabilities_name_formats_limits_tests_and_codes(door: Doorway) -> None:
    body = door.http.get("/v1/capabilities").get_json()
    assert FHIR in body["media_types"]
    assert body["limits"]["body_bytes_max"] == 25 * 1024 * 1024
    assert len(body["tests"]) >= 60
    assert [one["code"] for one in body["errors"]] == list(errors.codes())


def test_every_answer_carries_the_security_headers(door: Doorway) -> None:
    for path in ("/docs", "/healthz", "/v1/submissions", "/fhir/metadata", "/nowhere"):
        headers = door.http.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "'none'" in headers["Content-Security-Policy"]
    assert door.http.get("/v1/submissions").headers["Cache-Control"] == "no-store"


def test_liveness_and_readiness(door: Doorway) -> None:
    assert door.http.get("/healthz").get_json() == {"status": "ok"}
    ready = door.http.get("/readyz").get_json()
    assert ready["checks"] == dict.fromkeys(("database", "disk", "keys", "worker"), "ok")


def test_a_gateway_whose_worker_stopped_is_not_ready(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with doorway(tmp_path_factory.mktemp("home")) as door:
        door.gateway.start()
        assert door.http.get("/readyz").status_code == 200
        door.gateway.workers.stop()
        answer = door.http.get("/readyz")
        body = answer.get_json(force=True)
        assert (answer.status_code, body["code"]) == (503, "SYS-503")
        assert body["checks"]["worker"] == "failed"
        assert body["checks"]["database"] == "ok"


def test_numbers_have_bounded_labels_and_no_identifiers(door: Doorway) -> None:
    """A path, an id or a made-up method must not become a label."""
    for number in range(20):
        door.http.get(f"/v1/submissions/{SNILS}{number}", headers=door.bearer())
        door.http.open(f"/x{number}", method=f"M{number}")
    text = door.http.get("/metrics").text
    assert SNILS not in text
    assert 'route="/v1/submissions/<key:submission>"' in text
    assert 'method="OTHER"' in text
    assert "M1" not in text
    assert 'gateway_items{kind="submissions_received"}' in text
    assert 'gateway_http_refusals_total{code="SYS-404"}' in text


def test_the_log_of_a_request_holds_no_path_query_header_or_secret(
    door: Doorway, capsys: pytest.CaptureFixture[str]
) -> None:
    door.bearer("lab"), door.bearer("clinic")
    capsys.readouterr()
    door.get(f"/v1/submissions?number={SNILS}")
    door.get(f"/fhir/Patient?identifier=urn:oid:1.2.643.100.3|{SNILS}", "clinic")
    door.get(f"/fhir/Patient/{SNILS}", "clinic")
    door.http.post("/oauth/token", data={"grant_type": SNILS}, headers=basic("lab", SECRET))
    door.keep(document().replace(b"collection", b"SURNAME"))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line]
    told = [line for line in lines if line["event"] == "http.request"]
    assert len(told) == 5
    assert {"method", "route", "http_status", "ms", "client", "trace_id"} <= set(told[0])
    assert all("held_back" not in line for line in told)
    text = json.dumps(lines)
    for secret in (SNILS, SECRET, "SURNAME", door.tokens["lab"]):
        assert secret not in text


def test_a_fault_is_logged_by_place_and_answered_without_a_word_of_it(
    door: Doorway, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not one of our handlers is broken here; a route of the test's own is."""

    def break_down() -> str:
        raise RuntimeError(f"surname of {SNILS}")

    app = create_app(door.gateway)
    app.add_url_rule("/test/fault", view_func=break_down)
    answer = app.test_client().get("/test/fault")
    body = answer.get_json(force=True)
    assert (answer.status_code, body["code"]) == (500, "SYS-500")
    log = capsys.readouterr().err
    assert "RuntimeError" in log
    assert body["trace_id"] in log
    assert SNILS not in log + answer.text


def test_the_callers_trace_is_carried_on(door: Doorway) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    said = door.http.get("/nowhere", headers=headers).get_json(force=True)
    assert said["trace_id"].replace("-", "") == trace
    other = door.http.get("/nowhere", headers={"traceparent": "x" * 500}).get_json(force=True)
    assert len(other["trace_id"]) == 36
