"""What every verb shares: options, exit codes, and the way results are shown.

Data goes to stdout, progress and messages to stderr.  With `--json` stdout holds JSON and
nothing else: one object, or one object per line for lists.  Colour only on a terminal.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any, Concatenate, NoReturn, ParamSpec

import click
from click.core import ParameterSource

from gateway import errors
from gateway.model import Problem

P = ParamSpec("P")
Decorator = Callable[[Callable[..., None]], Callable[..., None]]

LANGUAGES = errors.LANGUAGES


class Exit(IntEnum):
    """How a verb ends (contract, section 2)."""

    GOOD = 0
    REFUSED = 1
    """Checked and refused: the sender must act."""

    USAGE = 2
    UNDECIDED = 3
    """Not decidable now: missing trust material, try later."""

    FAILED = 4
    """The gateway or the network failed."""


class Failed(Exception):
    """The gateway or the network failed in a way that one line can say."""


class Wrong(Exception):
    """The call cannot be carried out as it was written; one line says why."""


class TurnedAway(Exception):
    """A gateway refused over HTTP; the problems are its own words."""

    def __init__(self, problems: list[dict[str, Any]], code: Exit, line: str = "") -> None:
        """`line` says what the caller does about it, where the gateway cannot know."""
        self.problems = problems
        self.code = code
        self.line = line
        super().__init__()


@dataclass(frozen=True, kw_only=True)
class Output:
    """How to show results, and where the gateway is; the first argument of every verb."""

    json: bool
    quiet: bool
    color: bool
    language: str
    home: Path
    to: str | None = None
    """URL of a gateway to talk to over HTTP; None means the local home."""

    def say(self, ru: str, en: str) -> str:
        """Return the text in the user's language."""
        return en if self.language == "en" else ru

    def data(self, value: object) -> None:
        """Print one JSON object on one line; only with `--json`."""
        if self.json:
            self.raw(json.dumps(value, ensure_ascii=False, default=_plain))

    def raw(self, line: str) -> None:
        """Print a line of data on stdout, whatever the mode."""
        click.echo(line)

    def text(self, line: str = "") -> None:
        """Print a line for people on stdout; nothing with `--json` or `--quiet`."""
        if not self.json and not self.quiet:
            click.echo(line, color=self.color)

    def note(self, line: str) -> None:
        """Print a message on stderr; nothing with `--quiet`."""
        if not self.quiet:
            click.echo(line, err=True, color=_colored(sys.stderr, self.color))

    def complain(self, line: str) -> None:
        """Print an error on stderr, even with `--quiet`."""
        click.echo(line, err=True, color=_colored(sys.stderr, self.color))

    def mark(self, good: bool | None) -> str:
        """Return a coloured mark: a tick, a cross, or an exclamation mark for None."""
        sign, color = {True: ("✔", "green"), False: ("✖", "red"), None: ("!", "yellow")}[good]
        return click.style(sign, fg=color, bold=True)

    def dim(self, line: str) -> str:
        return click.style(line, dim=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table on stdout: drawn on a terminal, tab-separated elsewhere."""
        if self.json or self.quiet:
            return
        rows = [tuple(row) for row in rows]
        if not sys.stdout.isatty():
            for row in (columns, *rows):
                # One row, one line: a cell of two lines is for the drawn table.
                click.echo("\t".join(click.unstyle(cell).replace("\n", " · ") for cell in row))
            return
        self._draw(columns, rows)

    def problems(self, problems: Iterable[Problem], indent: str = "  ") -> None:
        """Print problems for people: code, place, reason and fix."""
        for problem in problems:
            page = errors.say(problem, self.language)
            code = click.style(problem.code, fg="yellow" if problem.warning else "red", bold=True)
            place = f"  {self.dim(problem.place)}" if problem.place else ""
            self.text(f"{indent}{code}  {page.reason}{place}")
            self.text(f"{indent}    {self.say('Что делать', 'What to do')}: {page.fix}")

    def reason(self, problem: Problem) -> str:
        """Return a problem in one line: code, reason, place."""
        place = f" ({problem.place})" if problem.place else ""
        return f"{problem.code}: {errors.say(problem, self.language).reason}{place}"

    def _draw(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column)
        for row in rows:
            table.add_row(*(Text.from_ansi(cell) for cell in row))
        Console(no_color=not self.color).print(table)

    @contextmanager
    def progress(self, total: int, label: str) -> Iterator[Callable[[str], None]]:
        """Show progress on stderr; yields a function to call after each finished piece.

        A drawn bar on a terminal; elsewhere one plain line per piece.
        """
        if self.quiet:
            yield lambda _: None
            return
        if not sys.stderr.isatty():
            yield self._plain_progress(total, label)
            return
        with self._bar(total, label) as step:
            yield step

    def _plain_progress(self, total: int, label: str) -> Callable[[str], None]:
        done = 0

        def step(name: str) -> None:
            nonlocal done
            done += 1
            self.note(f"{label} {done}/{total} {name}")

        return step

    @contextmanager
    def _bar(self, total: int, label: str) -> Iterator[Callable[[str], None]]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        console = Console(stderr=True, no_color=not self.color)
        with Progress(*columns, TextColumn("{task.fields[piece]}"), console=console) as bar:
            task = bar.add_task(label, total=total, piece="")
            yield lambda name: bar.update(task, advance=1, piece=name)


def translated(ru: str, en: str) -> str:
    """Return the text of `--help` in the user's language, chosen when the verb is loaded."""
    return en if language_of(None) == "en" else ru


def leave(code: Exit) -> NoReturn:
    """End the verb with an exit code."""
    click.get_current_context().exit(int(code))


def seconds_since(start: float) -> str:
    """Return the time since `start` (of time.monotonic) with one digit, for people."""
    return f"{time.monotonic() - start:.1f}"


def options(function: Callable[Concatenate[Output, P], None]) -> Callable[..., None]:
    """Give a verb `--json --quiet --no-color --lang --home` and its Output as first argument."""
    return _with_options(function, remote=False)


def options_to(function: Callable[Concatenate[Output, P], None]) -> Callable[..., None]:
    """As `options`, with `--to URL` besides: for verbs that look at a gateway."""
    return _with_options(function, remote=True)


def _with_options(
    function: Callable[Concatenate[Output, P], None], *, remote: bool
) -> Callable[..., None]:
    @functools.wraps(function)
    def verb(*args: Any, **kwargs: Any) -> None:
        before = _before_the_verb()
        out = Output(
            json=kwargs.pop("as_json") or before.as_json,
            quiet=kwargs.pop("quiet") or before.quiet,
            color=_colored(sys.stdout, not (kwargs.pop("no_color") or before.no_color)),
            language=language_of(kwargs.pop("lang") or before.lang),
            home=_home(kwargs.pop("home"), before),
            to=kwargs.pop("to", None),
        )
        _answered(out, lambda: function(out, *args, **kwargs))

    shared: Callable[..., None] = verb
    for option in reversed(_shared_options(remote)):
        shared = option(shared)
    return shared


@dataclass(frozen=True, kw_only=True)
class _Before:
    """Options given before the verb, after `gateway` or a group; the nearest prevails."""

    as_json: bool = False
    quiet: bool = False
    no_color: bool = False
    lang: str | None = None
    home: Path | None = None
    """None unless it was written on the command line."""


def options_before(group: Callable[..., None]) -> Callable[..., None]:
    """Let a group take the options that every verb has, before the verb."""
    shared = group
    for option in reversed(_shared_options(remote=False)):
        shared = option(shared)
    return shared


def _before_the_verb() -> _Before:
    around, context = [], click.get_current_context().parent
    while context is not None:
        around.append(context)
        context = context.parent
    written = [
        one for one in around if one.get_parameter_source("home") is ParameterSource.COMMANDLINE
    ]
    return _Before(
        as_json=any(one.params.get("as_json") for one in around),
        quiet=any(one.params.get("quiet") for one in around),
        no_color=any(one.params.get("no_color") for one in around),
        lang=next((one.params["lang"] for one in around if one.params.get("lang")), None),
        home=written[0].params["home"] if written else None,
    )


def _home(given: Path, before: _Before) -> Path:
    """Return the home: what is written at the verb, else before it, else what a verb takes."""
    source = click.get_current_context().get_parameter_source("home")
    if before.home is not None and source is not ParameterSource.COMMANDLINE:
        return before.home
    return given


def _answered(out: Output, run: Callable[[], None]) -> None:
    """Run a verb and turn the errors it may raise into words and an exit code."""
    try:
        run()
    except errors.Rejected as error:
        _refuse(out, error, Exit.REFUSED)
    except (errors.TryLater, errors.NeedsOperator) as error:
        _refuse(out, error, Exit.UNDECIDED)
    except TurnedAway as error:
        _turned_away(out, error)
    except Wrong as error:
        raise click.UsageError(str(error)) from error
    except Failed as error:
        _fail(out, str(error))
    except BrokenPipeError:
        # The reader of our output went away (`gateway list | head`): not a failure of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _fail(out, out.say(f"Сбой: {error}", f"Failed: {error}"))


def _refuse(out: Output, error: errors.GatewayError, code: Exit) -> NoReturn:
    out.data({"problems": [problem_json(p, out.language) for p in error.problems]})
    out.problems(error.problems, indent="")
    leave(code)


def _turned_away(out: Output, error: TurnedAway) -> NoReturn:
    out.data({"problems": error.problems})
    for one in error.problems:
        place = f" ({one['place']})" if one.get("place") not in (None, "", "/") else ""
        out.complain(f"{one['code']}  {one['reason']}{place}")
        out.complain(f"    {out.say('Что делать', 'What to do')}: {one['fix']}")
    if error.line:
        out.complain(error.line)
    leave(error.code)


def _fail(out: Output, line: str) -> NoReturn:
    out.data({"error": line})
    out.complain(line)
    leave(Exit.FAILED)


def problem_json(problem: Problem, language: str) -> dict[str, object]:
    """Return a problem as the JSON of every verb has it."""
    page = errors.say(problem, language)
    return {
        "code": problem.code,
        "title": page.title,
        "place": problem.place,
        "reason": page.reason,
        "fix": page.fix,
        "warning": problem.warning,
    }


def _shared_options(remote: bool) -> list[Decorator]:
    shared: list[Decorator] = [
        click.option(
            "--json", "as_json", is_flag=True, help=translated("Вывод в JSON.", "Output as JSON.")
        ),
        click.option(
            "--quiet", "-q", is_flag=True, help=translated("Только данные.", "Data only.")
        ),
        click.option("--no-color", is_flag=True, help=translated("Без цвета.", "No colour.")),
        click.option(
            "--lang",
            type=click.Choice(LANGUAGES),
            help=translated("Язык сообщений.", "Language of messages."),
        ),
        click.option(
            "--home",
            type=click.Path(path_type=Path, file_okay=False),
            envvar="GATEWAY_HOME",
            default="var",
            show_default=True,
            help=translated("Папка шлюза.", "The gateway's folder."),
        ),
    ]
    if remote:
        text = translated("Адрес шлюза (иначе папка).", "URL of a gateway (else the folder).")
        shared.append(click.option("--to", metavar="URL", envvar="GATEWAY_URL", help=text))
    return shared


def language_of(chosen: str | None, arguments: Sequence[str] | None = None) -> str:
    """Return the language: the option, `--lang` anywhere in the call, GATEWAY_LANG, Russian."""
    if chosen is None:
        chosen = _lang_in(sys.argv[1:] if arguments is None else arguments)
    if chosen is None:
        chosen = os.environ.get("GATEWAY_LANG", "")[:2].lower()
    return chosen if chosen in LANGUAGES else LANGUAGES[0]


def _lang_in(arguments: Sequence[str]) -> str | None:
    for place, one in enumerate(arguments):
        if one.startswith("--lang="):
            return one.removeprefix("--lang=")
        if one == "--lang" and place + 1 < len(arguments):
            return arguments[place + 1]
    return None


def _colored(stream: Any, wanted: bool) -> bool:
    return bool(wanted and stream.isatty() and "NO_COLOR" not in os.environ)


def _plain(value: object) -> object:
    """Turn a value JSON does not know into one it does."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form.")
