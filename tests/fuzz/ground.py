"""What a run stands on: a folder with the test PKI and the seeds, and a bench made from it.

Keys are random, so the seeds are written down: with the same folder the same number of the
same row is the same input, in any process and on any day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import msgspec

from gateway import registry
from gateway.sandbox import pki as sandbox
from gateway.sandbox.pki import Pki
from gateway.verification import Verifier
from tests.corpus.place import CORPUS
from tests.fuzz.mutating import mutated
from tests.fuzz.values import Believed, Form, Seed, dice_of
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import verifier

FORMS = "tests.fuzz.forms"
SEEDS = "seeds.msgpack"
LENT = 0.3
"""Share of inputs that other seeds lend parts to: then what these signed may pass as well."""

FOREIGN_MAX = 40
"""Foreign files that serve as seeds of one row."""

FOREIGN_BYTES_MAX = 48 * 1024

FAMILIES = (
    ("ecdsa", "rsa")
    if ALGORITHMS.provider("gost256").NAME == "gostcrypto"
    else ("gost256", "gost512", "ecdsa", "rsa")
)
"""Whose signatures are changed; the fallback in Python verifies GOST twice a second."""

FIRST = FAMILIES[0]


@dataclass(frozen=True, kw_only=True)
class Input:
    """A changed seed."""

    seed: Seed
    octets: bytes
    lenders: tuple[Seed, ...]
    """Those whose parts it may have, the seed among them."""


@dataclass(frozen=True)
class Bench:
    """The parts of the gateway that judge, in one process."""

    pki: Pki

    @cached_property
    def verifier(self) -> Verifier:
        return verifier(self.pki)


def foreign(*patterns: str) -> Iterator[bytes]:
    """Yield small foreign files by patterns in the folder of collections, evenly chosen."""
    found = sorted(
        path
        for pattern in patterns
        for path in CORPUS.glob(pattern)
        if path.is_file() and path.stat().st_size <= FOREIGN_BYTES_MAX
    )
    step = max(1, -(-len(found) // FOREIGN_MAX))
    for path in found[::step]:
        yield path.read_bytes()


class Ground:
    """The rows of a room of forms, with their seeds."""

    def __init__(self, folder: Path, room: str = FORMS) -> None:
        """Read the folder, or prepare it where it is empty."""
        self.folder, self.room = folder, room
        self._forms = cast("Mapping[str, Form]", registry.discover(room, ("seeds", "judge")))
        self.bench = Bench(sandbox.build(folder / "pki", ALGORITHMS, NOW))
        written = folder / SEEDS
        if not written.exists():
            made = {name: list(form.seeds(self.bench)) for name, form in self._forms.items()}
            written.write_bytes(msgspec.msgpack.encode(made))
        seeds = msgspec.msgpack.decode(written.read_bytes(), type=dict[str, list[Seed]])
        self.rows: dict[str, list[Seed]] = defaultdict(list)
        self._form_of: dict[str, Form] = {}
        for name, several in seeds.items():
            for seed in several:
                self.rows[seed.row].append(seed)
                self._form_of[seed.row] = self._forms[name]
        self._believed: dict[Seed, Believed] = {}

    def form(self, row: str) -> Form:
        return self._form_of[row]

    def believed(self, seed: Seed) -> Believed:
        """Return what is believed of a seed as it is."""
        if seed not in self._believed:
            outcome = self.form(seed.row).judge(self.bench, seed, seed.octets)
            self._believed[seed] = outcome.believed
        return self._believed[seed]

    def input(self, run: int, row: str, number: int) -> Input:
        """Return an input of a run by its number."""
        dice = dice_of(run, row, number)
        seed = dice.choice(self.rows[row])
        lenders = self.rows[row] if dice.random() < LENT else [seed]
        octets = mutated(seed.octets, dice, [one.octets for one in lenders])
        return Input(seed=seed, octets=octets, lenders=tuple(lenders))

    def allowed(self, made: Input) -> Believed:
        """Return all that may be believed of an input: what those it is made of really signed."""
        return frozenset().union(*map(self.believed, made.lenders))
