"""Counting how we stand with a collection of foreign files: right, wrong, undecided.

A floor that is only a number hides which files fell; the table names every one that is not
right, so a change of the verifier shows as a line that came or went.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Standing = Literal["right", "wrong", "undecided"]
STANDINGS: tuple[Standing, ...] = ("right", "wrong", "undecided")


@dataclass(frozen=True)
class Line:
    """Where one file stands, and why it is not right."""

    standing: Standing
    file: str
    why: str = ""


@dataclass
class Tally:
    """The files of one collection as they are looked at.

    `right`: we agree with the source.  `wrong`: we decide the other way.  `undecided`: we do
    not decide, and say why.
    """

    name: str
    lines: list[Line] = field(default_factory=list)

    def add(self, standing: Standing, file: str, why: str = "") -> None:
        self.lines.append(Line(standing, file, why))

    def count(self, standing: Standing) -> int:
        return sum(line.standing == standing for line in self.lines)

    def files(self, standing: Standing) -> list[str]:
        return sorted({line.file for line in self.lines if line.standing == standing})

    def table(self) -> str:
        """Return one line of figures, then one for each file that is not right."""
        figures = "  ".join(f"{name} {self.count(name)}" for name in STANDINGS)
        rest = sorted(
            (line for line in self.lines if line.standing != "right"),
            key=lambda line: (STANDINGS.index(line.standing), line.file),
        )
        return "\n".join(
            [
                f"{self.name}: {figures}  of {len(self.lines)}",
                *(f"  {line.standing:9}  {line.file}  {line.why}".rstrip() for line in rest),
            ]
        )

    def require(self, right_min: int, wrong_max: int = 0, undecided_max: int | None = None) -> None:
        """Print the table (shown by `pytest -s` and on failure) and hold it to its floor."""
        print(f"\n{self.table()}")
        assert self.count("right") >= right_min, f"{self.name}: fewer than {right_min} are right"
        assert self.count("wrong") <= wrong_max, f"{self.name}: more than {wrong_max} are wrong"
        if undecided_max is not None:
            found = self.count("undecided")
            assert found <= undecided_max, f"{self.name}: more than {undecided_max} undecided"
