"""The log says what happened and cannot say to whom."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from gateway import logs
from gateway.errors import Rejected
from gateway.model import Problem

UUID = "01991b2c-7f00-7000-8000-123456789012"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    logs.configure(stream)
    yield stream
    logs.configure()


def last(stream: io.StringIO) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(stream.getvalue().splitlines()[-1])
    return line


def test_a_line_is_one_json_object_with_time_level_logger_and_event(written: io.StringIO) -> None:
    structlog.get_logger("gateway.line").info("document.settled", submission=UUID, duration_ms=12.5)
    line = last(written)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "gateway.line",
        "event": "document.settled",
        "submission": UUID,
        "duration_ms": 12.5,
    }


@pytest.mark.parametrize(
    "key", ["family", "snils", "body", "identifier", "patient", "value", "name"]
)
def test_a_key_nobody_allowed_is_held_back_and_counted(written: io.StringIO, key: str) -> None:
    """A list of what is forbidden is never complete; a list of what is allowed is."""
    structlog.get_logger().info("submission.kept", **{key: "plain"})
    assert key not in last(written)
    assert last(written)["held_back"] == 1


@pytest.mark.parametrize(
    "value",
    [
        "Иванов",
        "112-233-445 95",
        "11223344595",
        "1234567890123456",
        11223344595,
        "x" * 201,
        ["FMT-301", "Петрова"],
        {"family": "Ivanov"},
        b"bytes",
    ],
)
def test_patient_data_under_an_allowed_key_is_held_back(
    written: io.StringIO, value: object
) -> None:
    """An allowed key is no safe conduct: `place=` may be given the wrong variable."""
    structlog.get_logger().info("submission.kept", place=value)
    assert "place" not in last(written)


@pytest.mark.parametrize(
    "value",
    [
        UUID,
        f"document {UUID}",
        "/entry/3/resource/valueQuantity/value",
        "/l:result/l:test[4]/@code",
        "OBX[3]-2",
        "2026-11-21T10:00:00.123456+00:00",
        ["SIG-203", "PAT-103"],
        202,
        None,
        True,
    ],
)
def test_codes_paths_times_and_our_own_ids_pass(written: io.StringIO, value: object) -> None:
    structlog.get_logger().info("submission.kept", place=value)
    assert last(written)["place"] == value


def test_a_sentence_as_event_is_not_written(written: io.StringIO) -> None:
    """An event built from a text could hold anything."""
    structlog.get_logger().info("Kept a result of Ivanov")
    assert last(written)["event"] == "unnamed"
    assert "Ivanov" not in written.getvalue()


def test_an_exception_shows_its_type_and_way_but_not_its_text(written: io.StringIO) -> None:
    """int("Ivanov") quotes its argument in its message."""
    try:
        int("Ivanov")
    except ValueError:
        structlog.get_logger().exception("line.failed")
    line = last(written)
    assert line["error"] == "ValueError"
    assert line["frames"][-1].startswith("test_logs.py:")
    assert "Ivanov" not in written.getvalue()


def test_an_error_of_ours_shows_its_codes(written: io.StringIO) -> None:
    error = Rejected(Problem(code="DUP-001", place="/entry/0"))
    structlog.get_logger().warning("submission.refused", exc_info=error)
    assert last(written)["codes"] == ["DUP-001"]


def test_what_a_library_says_is_noted_without_its_words(written: io.StringIO) -> None:
    """A web server logs whole query strings: `Patient?identifier=…`."""
    logging.getLogger("werkzeug").warning("GET /fhir/Patient?identifier=%s", "11223344595")
    assert last(written)["event"] == "library.said"
    assert last(written)["logger"] == "werkzeug"
    assert "11223344595" not in written.getvalue()


def test_a_library_in_good_spirits_is_not_heard(written: io.StringIO) -> None:
    logging.getLogger("urllib3").info("Starting new HTTP connection")
    assert written.getvalue() == ""
