"""`gateway demo`: the sandbox with everything running, and the stories through it."""

from __future__ import annotations

import os
import shlex
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli import words
from gateway.cli.output import (
    Exit,
    Output,
    Wrong,
    language_of,
    leave,
    options,
    seconds_since,
    translated,
)

if TYPE_CHECKING:
    from gateway.sandbox.demo import Running
    from gateway.sandbox.home import Sandbox
    from gateway.sandbox.walk import Told

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
FAST = "gost-engine"


@click.command(
    "demo",
    help=translated(
        "Песочница одной командой: свой УЦ, две лаборатории, клиника и истории."
        " Работает до Ctrl-C; с --once завершается после историй (0, если все сошлись).",
        "A sandbox in one command: its own PKI, two laboratories, a clinic and the stories."
        " Stays up until Ctrl-C; with --once ends after the stories (0 if all came out).",
    ),
)
@click.option(
    "--once", is_flag=True, help=translated("Завершить после историй.", "End after the stories.")
)
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(1, 65535),
    help=translated("Порт шлюза.", "Port of the gateway."),
)
@click.option(
    "--samples",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=SAMPLES,
    help=translated("Папка с историями.", "Folder of stories."),
)
@options
def command(out: Output, once: bool, port: int, samples: Path) -> None:
    from gateway.cli.serve import require_free
    from gateway.sandbox import demo
    from gateway.sandbox.stories import BadStory
    from gateway.sandbox.story_files import load_stories

    started = time.monotonic()
    # A service manager ends us with SIGTERM: the children are stopped all the same.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    require_free(out, demo.HOST, port)
    try:
        stories = load_stories(samples)
    except BadStory as error:
        raise Wrong(str(error)) from error
    out.note(out.say(f"Песочница в {out.home}…", f"The sandbox in {out.home}…"))
    made = demo.prepare(out.home, port, stories, datetime.now(UTC))
    _provider(out, made)
    try:
        with demo.running(made) as alive:
            walk = demo.walk(made, out.language, lambda: datetime.now(UTC))
            with out.progress(len(stories), out.say("История", "Story")) as step:
                told = walk.tell_all(stories, lambda one: step(one.story.name))
            _results(out, told, seconds_since(started))
            if not once:
                _stay(out, alive)
    except KeyboardInterrupt:
        out.note(out.say("Остановлено.", "Stopped."))
        return
    leave(Exit.GOOD if all(one.ok for one in told) else Exit.REFUSED)


def _provider(out: Output, made: Sandbox) -> None:
    if made.provider == FAST:
        out.note(f"{out.mark(True)} " + out.say("ГОСТ", "GOST") + f": {made.provider}")
        return
    out.note(
        f"{out.mark(None)} "
        + out.say(
            f"ГОСТ: {made.provider} на чистом Python. Работает так же, но подпись под документом в"
            " 20 КБ проверяется около 0,15 с вместо 0,001 с, и в квитанциях нет Стрибога."
            " Быстрее: apt install libengine-gost-openssl",
            f"GOST: {made.provider} in pure Python. It works the same, but a signature on 20 KB"
            " takes about 0.15 s to verify instead of 0.001 s, and receipts carry no Streebog."
            " Faster: apt install libengine-gost-openssl",
        )
    )


def _results(out: Output, told: list[Told], seconds: str) -> None:
    out.data(
        {
            "stories": [
                {
                    "name": one.story.name,
                    "title": one.story.titles[out.language],
                    "expected": words.all_facts(one.expected, out.language),
                    "actual": _actual(out, one),
                    "ok": one.ok,
                    "submission": one.submission,
                    "receipt": one.receipt,
                    "seconds": round(one.seconds, 3),
                }
                for one in told
            ]
        }
    )
    columns = (
        ("", "История", "Ожидалось", "Вышло", "Квитанция")
        if out.language == "ru"
        else ("", "Story", "Expected", "Happened", "Receipt")
    )
    out.table(columns, [_row(out, one) for one in told])
    good = sum(one.ok for one in told)
    out.text(
        out.say(
            f"Сошлось {good} из {len(told)} за {seconds} с",
            f"{good} of {len(told)} as expected in {seconds} s",
        )
    )


def _row(out: Output, one: Told) -> tuple[str, ...]:
    title = f"{one.story.name}\n{out.dim(one.story.titles[out.language])}"
    return (
        out.mark(one.ok),
        title,
        words.all_facts(one.expected, out.language),
        _actual(out, one),
        one.receipt,
    )


def _actual(out: Output, one: Told) -> str:
    found = words.all_facts(one.actual, out.language)
    return "\n".join(part for part in (found, one.failure) if part)


def said_again(out: Output) -> str:
    """Return the options the next call needs to find the same home and speak the same language."""
    home = Path(os.environ.get("GATEWAY_HOME") or "var")
    again = f" --home {shlex.quote(str(out.home))}" if out.home != home else ""
    return again + (f" --lang {out.language}" if out.language != language_of(None, ()) else "")


def _stay(out: Output, alive: Running) -> None:
    """Say where everything is and wait for Ctrl-C."""
    made = alive.sandbox
    rows = [
        (out.say("API", "API"), f"{made.url}/v1"),
        (out.say("Справочник API", "API reference"), f"{made.url}/docs"),
        ("FHIR", f"{made.url}/fhir"),
        (out.say("Учебная клиника", "Sandbox clinic"), made.clinic_url),
        (
            out.say("Вход", "Log in"),
            out.say(
                f"клиенты и их секреты: {made.home / 'sandbox.json'}",
                f"clients and their secrets: {made.home / 'sandbox.json'}",
            ),
        ),
        (
            out.say("Попробовать", "Try"),
            f"gateway send samples/01-transaction-gost256/result.json --fresh --sign --wait"
            f" --to {made.url}{said_again(out)}",
        ),
        (out.say("Журналы", "Logs"), str(made.home / "logs")),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        out.text(f"  {out.dim(name.ljust(width))}  {value}")
    out.text(out.say("Ctrl-C останавливает.", "Ctrl-C stops."))
    while alive.up:
        time.sleep(0.5)
    out.complain(
        out.say("Процесс песочницы завершился, см. ", "A process of the sandbox ended, see ")
        + str(made.home / "logs")
    )
    leave(Exit.FAILED)
