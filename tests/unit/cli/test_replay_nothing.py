"""A replay of nothing says so and leaves no run behind, in the home and over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Call, Served


def runs(call: Call, home: Path) -> list[str]:
    return call("replay", "--runs", "--home", home, "--json").stdout.splitlines()


@pytest.mark.parametrize("dry", [(), ("--dry-run",), ("--wait",)])
def test_an_unknown_id_or_a_filter_that_fits_nothing_starts_no_run(
    call: Call, sandbox: Path, dry: tuple[str, ...]
) -> None:
    """A list of empty runs hides the real ones; a good exit hides the slip."""
    before = runs(call, sandbox)
    unknown = call("replay", "nope", *dry, "--home", sandbox, "--lang", "en")
    assert (unknown.code, unknown.stderr) == (1, "there is no submission nope\n")
    fits_nothing = call("replay", "--cause", "MAP-199", *dry, "--home", sandbox, "--json")
    assert fits_nothing.code == 1
    assert [one["code"] for one in fits_nothing.json["problems"]] == ["FMT-113"]
    assert runs(call, sandbox) == before


def test_over_http_the_same_is_said_with_the_same_exit(call: Call, served: Served) -> None:
    to = ("--to", served.url, "--home", served.home)
    before = runs(call, served.home)
    unknown = call("replay", "nope", *to, "--json")
    assert (unknown.code, unknown.json["id"]) == (1, "nope")
    fits_nothing = call("replay", "--cause", "MAP-199", *to, "--json")
    assert fits_nothing.code == 1
    assert [one["code"] for one in fits_nothing.json["problems"]] == ["FMT-113"]
    assert runs(call, served.home) == before
