"""The table at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from tests.fuzz.trying import Tally
from tests.fuzz.values import PASSED, REFUSED, UNDECIDED

COLUMNS = ("form", "inputs", "passed", "refused", "undecided", "slowest ms", "peak MiB", "failures")


def shown(tallies: Mapping[str, Tally]) -> None:
    """Print a line for every row, and one for all."""
    table = Table(*COLUMNS)
    whole = Tally()
    for row, tally in tallies.items():
        table.add_row(row, *_cells(tally))
        whole.add(tally)
    table.add_section()
    table.add_row("all", *_cells(whole))
    for column in table.columns[1:]:
        column.justify = "right"
    Console(width=120).print(table)


def _cells(tally: Tally) -> tuple[str, ...]:
    counts = [tally.words[word] for word in (PASSED, REFUSED, UNDECIDED)]
    inputs = sum(counts) + sum(one.kind != "believed" for one in tally.failures)
    numbers = (inputs, *counts, round(tally.slowest * 1000), tally.peak >> 20, len(tally.failures))
    return tuple(f"{number:,}" for number in numbers)
