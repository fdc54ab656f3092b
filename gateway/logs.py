"""The log: JSON lines on stderr that cannot carry a patient's data.

Three sieves, because a log is copied to places no key protects: only the keys of `KEYS` pass;
an event is a name, never a sentence; a value must look like a code, a path or an
identifier of ours.  Whatever is held back is counted in `held_back`, so nothing vanishes unsaid.
Of an exception the log has its type and the lines it came through, never its text.

What libraries log through the standard library passes the same sieves: logger, level and
exception type stay, the words do not.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Any, TextIO

import structlog

from gateway.errors import GatewayError

KEYS = frozenset(
    {
        # which piece of work
        "trace_id", "submission", "document", "delivery", "destination", "organization",
        "client", "receipt", "order", "subject", "step", "part", "kind", "thread",
        # what came of it
        "status", "indication", "sub_indication", "code", "codes", "place", "outcome",
        "error", "frames", "at", "attempt", "next_try",
        # how much, how long
        "count", "size", "ms", "duration_ms", "limit",
        # the web
        "method", "route", "http_status", "media_type", "host", "port", "pid",
        # the gateway itself
        "version", "provider", "database", "mapping", "signal",
    }
)  # fmt: skip
"""Every key a log line may have beside time, level, logger and event."""

VALUE_LENGTH_MAX = 200
FRAMES_MAX = 12

_EVENT = re.compile(r"[a-z][a-z0-9_]{0,39}(\.[a-z0-9_]{1,40}){0,4}")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@+*()\[\]{}=,#$<>|~ -]*")
# СНИЛС (11 digits, often with dashes), ЕНП (16), phone, passport: long runs of digits that no
# identifier of ours has.  UUIDs are cut out first: a group of one may be all digits.
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[0-9.+:Z]*")
_NUMBER = re.compile(r"\d(?:[ -]?\d){9,}")

Event = MutableMapping[str, Any]


def configure(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send our log and the libraries' to `stream` (default: stderr as it is at each line).

    May be called again; the last call holds.
    """
    structlog.configure(
        processors=[_sieve, _line],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *names: _Writer(stream, str(names[0]) if names else "gateway"),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _LibraryHandler)]:
        root.removeHandler(handler)
    root.addHandler(_LibraryHandler(level=logging.WARNING))


def clean(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields that may be logged, with `held_back` counting the others.

    >>> clean({"submission": "0198a", "surname": "Иванов", "place": "001-123-456 78"})
    {'submission': '0198a', 'held_back': 2}
    """
    kept = {key: value for key, value in fields.items() if key in KEYS and _harmless(value)}
    if held_back := len(fields) - len(kept):
        kept["held_back"] = held_back
    return kept


def _harmless(value: object) -> bool:
    if value is None or isinstance(value, bool | float):
        return True
    if isinstance(value, int):
        return not _NUMBER.fullmatch(str(abs(value)))
    if isinstance(value, list | tuple):
        return len(value) <= FRAMES_MAX and all(_harmless(item) for item in value)
    if not isinstance(value, str) or len(value) > VALUE_LENGTH_MAX:
        return False
    rest = _TIME.sub("", _UUID.sub("", value))
    return _PLAIN.fullmatch(rest) is not None and _NUMBER.search(rest) is None


def _sieve(logger: _Writer, method: str, event: Event) -> Event:
    """Keep what may be said; the event's name and the exception's type come first."""
    name = str(event.pop("event", ""))
    failure = _exception(event.pop("exc_info", None))
    if failure is not None:
        event.update(_of_exception(failure))
    line: Event = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": method,
        "logger": logger.name,
        "event": name if _EVENT.fullmatch(name) else "unnamed",
    }
    line.update(clean(event))
    return line


def _line(logger: _Writer, method: str, event: Event) -> str:
    return json.dumps(event, ensure_ascii=True)


def _exception(given: object) -> BaseException | None:
    if given is True:
        return sys.exc_info()[1]
    if isinstance(given, tuple):
        given = given[1]
    return given if isinstance(given, BaseException) else None


def _of_exception(failure: BaseException) -> dict[str, object]:
    said: dict[str, object] = {
        "error": type(failure).__name__,
        "frames": _frames(failure.__traceback__),
    }
    if isinstance(failure, GatewayError):
        said["codes"] = [problem.code for problem in failure.problems][:FRAMES_MAX]
    return said


def _frames(trace: TracebackType | None) -> list[str]:
    """Return `file:line function` of the innermost frames; never a source line or a value."""
    frames = [
        f"{Path(frame.f_code.co_filename).name}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(trace)
    ]
    return frames[-FRAMES_MAX:]


class _Writer:
    """Writes whole lines, one at a time, from any thread."""

    lock = threading.Lock()

    def __init__(self, stream: TextIO | None, name: str) -> None:
        self.stream = stream
        self.name = name

    def _write(self, line: str) -> None:
        stream = self.stream or sys.stderr
        with self.lock:
            stream.write(line + "\n")
            stream.flush()

    debug = info = warning = error = critical = exception = _write


class _LibraryHandler(logging.Handler):
    """Passes on that a library had something to say, not what it said."""

    def emit(self, record: logging.LogRecord) -> None:
        failure = _exception(record.exc_info)
        log = structlog.get_logger(record.name)
        write = log.error if record.levelno >= logging.ERROR else log.warning
        write("library.said", exc_info=failure, order=record.lineno)
