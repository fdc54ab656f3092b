"""The gateway in the local home: the same answers as over HTTP, read from its databases.

An operator at the machine sees every organisation's submissions; no patient data is shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from gateway.cli.output import Exit, Output, Wrong, leave
from gateway.settings import BadSettings, Settings

if TYPE_CHECKING:
    from gateway.app import Gateway

ACTOR = "operator:local"


def settings(out: Output) -> Settings:
    """Return the home's settings.  Raises Wrong for a setting that is wrong."""
    try:
        return Settings.load(out.home, os.environ)
    except BadSettings as error:
        raise Wrong(str(error)) from error


@contextmanager
def opened(out: Output) -> Iterator[Gateway]:
    """Open the gateway of an existing home, not started; closed on the way out.

    Raises Wrong when there is no home: looking at one must not create it.
    """
    from gateway.app import open_gateway

    if not (out.home / "gateway.toml").exists():
        raise Wrong(
            out.say(
                f"в {out.home} нет шлюза: создайте его (gateway init или gateway demo)"
                " или укажите --home, --to",
                f"there is no gateway in {out.home}: make one (gateway init or gateway demo)"
                " or give --home, --to",
            )
        )
    gateway = open_gateway(settings(out))
    try:
        yield gateway
    finally:
        gateway.close()


def view(gateway: Gateway, submission: str, out: Output) -> dict[str, Any] | None:
    """Return a submission as GET /v1/submissions/{id} gives it; None when there is none."""
    from gateway.api import present

    found = gateway.store.view(submission, None)
    return present.submission(found, out.language) if found else None


def no_organization(out: Output, id: str) -> NoReturn:
    """End the verb with 1: an organisation that was named is not there."""
    line = out.say(
        f"организации {id} нет: gateway admin org add",
        f"there is no organisation {id}: gateway admin org add",
    )
    out.data({"id": id, "error": line})
    out.complain(line)
    leave(Exit.REFUSED)
