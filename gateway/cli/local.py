"""The gateway in the local home: the same answers as over HTTP, read from its databases.

An operator at the machine sees every organisation's submissions; no patient data is shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from gateway.cli.output import Exit, Failed, Output, Wrong, leave
from gateway.settings import BadSettings, Settings

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.app import Gateway
    from gateway.evidence.proof import Proof
    from gateway.model import Submission
    from gateway.trust import Trust

ACTOR = "operator:local"


def settings(out: Output) -> Settings:
    """Return the home's settings.  Raises Wrong for a setting that is wrong."""
    try:
        return Settings.load(out.home, os.environ)
    except BadSettings as error:
        raise Wrong(error.say(out.language)) from error


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


def trust(gateway: Gateway) -> Trust:
    """Return the home's trust material, lists that were fetched included, asking nobody."""
    from gateway.trust import Trust

    sought = gateway.settings.home / "sought" / "lists"
    folders = (*gateway.settings.trust_folders, *([sought] if sought.is_dir() else []))
    return Trust.load(folders, gateway.algorithms, gateway.settings.path_policy)


@contextmanager
def reading(out: Output, id: str) -> Iterator[None]:
    """Say of a submission that is read inside why it cannot be.

    Raises Wrong for one that is not there, or not any more, and Failed for one that is not as
    it was kept.
    """
    from gateway.store import KeyDestroyed, Unreadable

    try:
        yield
    except KeyError:
        raise Wrong(out.say(f"отправки {id} нет", f"there is no submission {id}")) from None
    except KeyDestroyed:
        raise Wrong(out.say(f"{id}: пациент удалён", f"{id}: the patient was erased")) from None
    except Unreadable as error:
        raise Failed(
            out.say(
                f"{id}: повреждено, пропало или подменено в базе: {error}",
                f"{id}: damaged, missing or exchanged in the database: {error}",
            )
        ) from error


def proof(out: Output, gateway: Gateway, kept: Submission, at: datetime) -> Proof | None:
    """Return what a submission's evidence record proves at a moment; None without one.

    Raises what `reading` does.
    """
    from gateway.evidence.proof import proof_of

    with reading(out, kept.id):
        return proof_of(gateway.store, trust(gateway), gateway.algorithms, kept, at)


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
