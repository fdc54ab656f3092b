"""Fuzzes every form of input: `python -m tests.fuzz --count 200000 --seed 1`.

With `--form` and `--number` one input is tried again, in this process, and its traceback shown.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from tests.fuzz.ground import Ground
from tests.fuzz.running import Line, Run, again
from tests.fuzz.table import shown
from tests.fuzz.trying import Task, tally

LINES_EVERY = 60.0


@click.command()
@click.option("--count", default=200_000, help="Inputs of all forms together.")
@click.option("--seed", default=1, help="Another seed makes other inputs.")
@click.option("--workers", default=2)
@click.option("--ground", type=click.Path(path_type=Path), help="Folder of an earlier run.")
@click.option("--form", help="Row of the table.")
@click.option("--number", type=int, help="Number of an input in its row.")
def main(
    count: int, seed: int, workers: int, ground: Path | None, form: str | None, number: int | None
) -> None:
    folder = ground or Path(tempfile.mkdtemp(prefix="gateway-fuzz-"))
    if form is not None and number is not None:
        sys.exit(_once(folder, seed, form, number))
    run = Run(folder, seed, workers=workers)
    tty = sys.stderr.isatty()

    def write(line: str) -> None:
        click.echo(f"\r{line}  " if tty else line, nl=not tty, err=True)

    run.go(count, Line(write, 0.5 if tty else LINES_EVERY))
    click.echo(err=True)
    shown(run.tallies)
    for one in run.failures:
        click.echo(f"{one.kind}: {one.row} {one.number}\n  {again(folder, seed, one)}")
    if run.failures:
        click.echo(f"Inputs, seeds and tracebacks: {folder / 'failures'}")
    sys.exit(bool(run.failures))


def _once(folder: Path, seed: int, form: str, number: int) -> int:
    class Current:
        value = number

    found = tally(Ground(folder), seed, Task(row=form, start=number, end=number + 1), Current())
    shown({form: found})
    for one in found.failures:
        click.echo(f"{one.kind}\n{one.detail}")
    return len(found.failures)


if __name__ == "__main__":
    main()
