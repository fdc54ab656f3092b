"""What the fuzzer hands about: seeds, what became of an input, what a form promises."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tests.fuzz.ground import Bench

PASSED, REFUSED, UNDECIDED = "passed", "refused", "undecided"

Believed = frozenset[tuple[bytes, str]]
"""What would be believed: (digested octets or a moment, who vouches for it)."""


@dataclass(frozen=True, kw_only=True)
class Seed:
    """A good input that others are made of, and what goes with it unchanged."""

    row: str
    """The form of input it stands for: a line of the table."""

    name: str
    octets: bytes
    context: tuple[bytes, ...] = ()
    how: str = ""
    """How it is judged, where a form of input has more ways than one."""

    ours: bool = True
    """We signed it, so it passes as it is; of a foreign file that is not known."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one input."""

    word: str
    believed: Believed = frozenset()


class Form(Protocol):
    """A module in `tests/fuzz/forms/`: where the seeds come from, and who reads the inputs."""

    NAME: str

    def seeds(self, bench: Bench) -> Sequence[Seed]:
        """Return the seeds of every row of this form."""

    def judge(self, bench: Bench, seed: Seed, octets: bytes) -> Outcome:
        """Read `octets`, which were made of `seed`.

        What is documented as an outcome (`Rejected`, ValueError of a reader, …) is caught
        here and told; anything else that is raised is a failure of the gateway.
        """


def dice_of(run: int, row: str, number: int) -> random.Random:
    """Return the dice of one input: the same on every machine."""
    return random.Random(f"{run}:{row}:{number}")
