"""One desk for both: the gateway in the local home, or one over HTTP (`--to`).

Every answer is the JSON of /v1, so a verb does not care which it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

from gateway.cli import local, remote
from gateway.cli.output import Output, Wrong
from gateway.model import Part

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.cli.remote import Remote
    from gateway.pipeline import DryRun

Object = dict[str, Any]

ANOTHERS_REPORT = "DUP-104"

PAGES_MAX = 1000


class Desk(Protocol):
    """What verbs ask a gateway."""

    def view(self, submission: str) -> Object | None:
        """Return a submission, or None when there is none this user may see."""

    def events(self, submission: str) -> list[Object]: ...

    def receipts(self, submission: str) -> list[Object]: ...

    def receipt(self, number: str) -> Object | None:
        """Return a receipt by its number, with its `submission`; None as for `view`."""

    def find(self, filters: Mapping[str, str], limit: int) -> Iterator[Object]:
        """Yield submissions, newest first; names of filters are those of GET /v1/submissions."""

    def replay_document(self, submission: str, document: str) -> bool:
        """Put one document on the line again; False when there is none this user may see."""

    def check(self, document: Part, beside: tuple[Part, ...]) -> Object: ...

    def jwks(self) -> Object:
        """Return the public keys receipts are signed with."""

    def proof(self, submission: str, kind: str, number: str) -> Object | None: ...


@contextmanager
def at_desk(out: Output) -> Iterator[Desk]:
    """Open the gateway that `--to` or `--home` name."""
    if out.to is not None:
        yield RemoteDesk(remote.connect(out))
        return
    with local.opened(out) as gateway:
        yield LocalDesk(gateway, out.language)


class RemoteDesk:
    """A gateway over HTTP."""

    def __init__(self, gateway: Remote) -> None:
        self.gateway = gateway

    def view(self, submission: str) -> Object | None:
        return self._found(f"/v1/submissions/{submission}")

    def events(self, submission: str) -> list[Object]:
        found = self._found(f"/v1/submissions/{submission}/events") or {}
        return list(found.get("events", []))

    def receipts(self, submission: str) -> list[Object]:
        found = self._found(f"/v1/submissions/{submission}/receipts") or {}
        return list(found.get("receipts", []))

    def receipt(self, number: str) -> Object | None:
        return self._found(f"/v1/receipts/{quote(number, safe='')}")

    def find(self, filters: Mapping[str, str], limit: int) -> Iterator[Object]:
        query = dict(filters)
        for _ in range(PAGES_MAX):
            page = self._found("/v1/submissions", **query, limit=str(min(limit, 200))) or {}
            for item in page.get("items", [])[:limit]:
                limit -= 1
                yield item
            if limit <= 0 or not page.get("next_cursor"):
                return
            query["cursor"] = page["next_cursor"]

    def replay_document(self, submission: str, document: str) -> bool:
        query = urlencode({"document": document})
        answer = self.gateway.post(f"/v1/submissions/{quote(submission)}/replay?{query}")
        if answer.status == 404:
            return False
        remote.expected(answer, 202)
        return True

    def check(self, document: Part, beside: tuple[Part, ...]) -> Object:
        answer = self.gateway.post_parts("/v1/check", document, beside)
        if answer.status == 200:
            return answer.body
        # What the door refuses the line would never see: for the sender it is a refusal too.
        if answer.status in (400, 413, 415, 422) and "problems" in answer.body:
            return {"outcome": "rejected", "problems": answer.body["problems"]}
        return remote.expected(answer, 200)

    def jwks(self) -> Object:
        return self._found("/oauth/jwks") or {}

    def proof(self, submission: str, kind: str, number: str) -> Object | None:
        return self._found(f"/v1/submissions/{submission}/receipts/{kind}/proof", number=number)

    def _found(self, path: str, **query: str) -> Object | None:
        answer = self.gateway.get(path, **query)
        if answer.status == 404:
            return None
        return remote.expected(answer, 200)


class LocalDesk:
    """The home on this machine; its operator sees every organisation's submissions."""

    def __init__(self, gateway: Gateway, language: str) -> None:
        self.gateway = gateway
        self.language = language

    def view(self, submission: str) -> Object | None:
        from gateway.api import present

        found = self.gateway.store.view(submission, None)
        return present.submission(found, self.language) if found else None

    def events(self, submission: str) -> list[Object]:
        from gateway.api import present

        return [present.event(one) for one in self.gateway.store.events(submission)]

    def receipts(self, submission: str) -> list[Object]:
        from gateway.api import present

        rows = self.gateway.store.receipts(submission)
        return [present.receipt_row(row, submission) for row in rows]

    def receipt(self, number: str) -> Object | None:
        from gateway.api import present

        row = self.gateway.store.receipt(number)
        if row is None:
            return None
        return {"submission": row.submission, **present.receipt_row(row, row.submission)}

    def find(self, filters: Mapping[str, str], limit: int) -> Iterator[Object]:
        from gateway.api import present
        from gateway.model import Status
        from gateway.store.values import Filter

        cursor: str | None = None
        status = filters.get("status")
        for _ in range(PAGES_MAX):
            page = self.gateway.store.list(
                Filter(
                    organizations=None,
                    status=Status(status) if status else None,
                    cause=filters.get("cause"),
                    sender=filters.get("sender"),
                    number=filters.get("number"),
                    since=_moment(filters.get("from")),
                    until=_moment(filters.get("to")),
                    cursor=cursor,
                    limit=min(limit, 200),
                )
            )
            for view in page.items[:limit]:
                limit -= 1
                yield present.submission(view, self.language)
            cursor = page.next_cursor
            if limit <= 0 or cursor is None:
                return

    def replay_document(self, submission: str, document: str) -> bool:
        try:
            self.gateway.store.replay(submission, local.ACTOR, document)
        except KeyError:
            return False
        return True

    def check(self, document: Part, beside: tuple[Part, ...]) -> Object:
        from gateway.door.problems import finding
        from gateway.verification import to_json

        found = self._dry_run(document, beside)
        return {
            "outcome": str(found.outcome),
            "problems": [finding(one, self.language) for one in found.problems],
            "signatures": to_json(found.report) if found.report else None,
        }

    def jwks(self) -> Object:
        return dict(self.gateway.receipts.jwks())

    def proof(self, submission: str, kind: str, number: str) -> Object | None:
        return self.gateway.store.proof(number)

    def _dry_run(self, document: Part, beside: tuple[Part, ...]) -> DryRun:
        """Judge as the home's first laboratory to which the report's series, if any, belongs.

        Nobody sends here, so nothing is said of whether the sender is the custodian: the
        laboratory goes without its numbers.
        """
        found: DryRun | None = None
        for organization in self.gateway.store.organizations():
            if organization.kind == "laboratory":
                sender = replace(organization, identifiers=())
                found = self.gateway.line.check(document, beside, sender)
                if all(one.code != ANOTHERS_REPORT for one in found.problems):
                    return found
        if found is not None:
            return found
        raise Wrong(
            "в доме нет ни одной лаборатории: gateway admin org add"
            if self.language == "ru"
            else "there is no laboratory in this home: gateway admin org add"
        )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
