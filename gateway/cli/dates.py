"""Days and times as options take them, shown by an example and not in strptime's letters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from gateway.cli import russian
from gateway.cli.output import Output, Wrong


class When(click.DateTime):
    """A day or a time of `formats`, shown as `ru` or `en`, such as `example`."""

    def __init__(self, formats: Sequence[str], ru: str, en: str, example: str) -> None:
        super().__init__(formats)
        self.shown = ru, en
        self.example = example

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return russian.either(*self.shown)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            ru, en = self.shown
            said = russian.either(
                f"{value!r}: нужно в виде {ru}, например {self.example}.",
                f"{value!r} is not written as {en}, such as {self.example}.",
            )
            self.fail(said, param, ctx)


DAY = When(["%Y-%m-%d"], "ГГГГ-ММ-ДД", "YYYY-MM-DD", "2026-11-21")
TIME = When(
    ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
    "ГГГГ-ММ-ДД[Tчч:мм[:сс[Z]]]",
    "YYYY-MM-DD[Thh:mm[:ss[Z]]]",
    "2026-11-21T10:00",
)


def moment(out: Output, option: str, written: str | None) -> datetime | None:
    """Return a moment to the second and finer; without an offset it is UTC.  Raises Wrong."""
    if written is None:
        return None
    try:
        read = datetime.fromisoformat(written)
    except ValueError as error:
        raise Wrong(
            out.say(
                f"{option} {written}: нужен ISO 8601, например 2026-11-21T10:00:00Z",
                f"{option} {written}: ISO 8601 is needed, such as 2026-11-21T10:00:00Z",
            )
        ) from error
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
