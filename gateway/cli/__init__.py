"""The command line: `gateway VERB …`, one verb one file.

A module in this folder that defines `command` (a click command) is a verb; its file name is
the verb's name.  Dropping the file in is all it takes.  A verb is imported only when it is
called, so `gateway explain` does not wait for the web server's libraries.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from gateway.cli import russian
from gateway.cli.output import Exit, language_of, options_before, translated

russian.install()
russian.speak(language_of(None))


class Verbs(click.Group):
    """A group that finds its commands in this folder."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        # Before the words are read: a call that cannot be read is refused in this language.
        russian.speak(language_of(None, args))
        return super().make_context(info_name, args, parent, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        modules = sorted(entry.name for entry in pkgutil.iter_modules(__path__))
        return [verb_name(name) for name in modules if _verb(name) is not None]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        modules = {verb_name(entry.name): entry.name for entry in pkgutil.iter_modules(__path__)}
        return _verb(modules[name]) if name in modules else None


def verb_name(module_name: str) -> str:
    """Return the verb a module of this folder gives.

    >>> verb_name("map"), verb_name("two_words")
    ('map', 'two-words')
    """
    return module_name.replace("_", "-")


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=translated(
        "Шлюз обмена медицинской информацией: результаты лабораторий с электронной подписью"
        " попадают в карту пациента и в клинику, с квитанцией на каждом шаге.\n\n"
        "Начать: gateway demo. Коды завершения: 0 хорошо, 1 отказано (дело за отправителем),"
        " 2 неверный вызов, 3 сейчас не решить (попробуйте позже), 4 сбой шлюза или сети.",
        "A health-information exchange gateway: laboratories' signed results reach the"
        " patient's card and the clinic, with a receipt for every step.\n\n"
        "Start with: gateway demo. Exit codes: 0 good, 1 refused (the sender must act),"
        " 2 wrong usage, 3 not decidable now (try later), 4 the gateway or network failed.",
    ),
)
@click.version_option(package_name="fhir-gateway", prog_name="gateway")
@options_before
def verbs(**before: object) -> None:
    """Each verb reads what was given before it from the context."""


def _verb(module_name: str) -> click.Command | None:
    """Return the verb of a module; None for modules that verbs share."""
    module = importlib.import_module(f"{__name__}.{module_name}")
    command = getattr(module, "command", None)
    return command if isinstance(command, click.Command) else None


def main() -> None:
    """Run the command line; the console script `gateway` calls this."""
    # The user's terminal may be set to a codepage without Cyrillic: say it with "?" rather
    # than die while reporting.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    try:
        verbs(prog_name="gateway")
    except Exception as error:
        if os.environ.get("GATEWAY_DEBUG"):
            raise
        # Python would end with 1, which means "refused" here; and a message may quote what was
        # being worked, so the type and the place are all that is said.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        said = str(error) if type(error).__name__.startswith("Bad") else ""
        print(f"{type(error).__name__} ({place}) {said}".rstrip(), file=sys.stderr)
        print("GATEWAY_DEBUG=1: traceback", file=sys.stderr)
        sys.exit(int(Exit.FAILED))
