"""Checks and problems of one document, as they are made."""

from __future__ import annotations

from gateway.model import Check, CheckStatus, Problem


class Found:
    """Checks and problems as they are made."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.checks: list[Check] = []
        self.problems: list[Problem] = []
        self.undecided: list[Problem] = []

    def take(self, other: Found) -> None:
        """Add what was found apart."""
        self.checks += other.checks
        self.problems += other.problems
        self.undecided += other.undecided

    def passed(self, name: str, detail: str = "") -> None:
        self.checks.append(Check(name=name, status=CheckStatus.PASSED, detail=detail))

    def unknown(self, name: str, detail: str) -> None:
        status = CheckStatus.INDETERMINATE
        self.checks.append(Check(name=name, status=status, detail=f"unknown: {detail}"))

    def failed(self, code: str, name: str, found: str, expected: str, place: str = "") -> None:
        detail = f"{found}; expected {expected}"
        self.checks.append(Check(name=name, status=CheckStatus.FAILED, detail=detail))
        told = {"check": name, "found": found, "expected": expected}
        self.problems.append(Problem(code=code, place=place, detail=told))
