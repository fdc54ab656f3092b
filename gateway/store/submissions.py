"""Keeping what senders post: once per content, durable before anybody hears of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, delete, select

from gateway.errors import Rejected
from gateway.model import (
    Covered,
    Ledger,
    Part,
    Problem,
    Receipt,
    SignatureFinding,
    SignatureReport,
    Status,
    Submission,
)
from gateway.store import tables, vault, work
from gateway.store.keys import INTAKE
from gateway.store.room import Room, write_audit, write_event, write_receipt
from gateway.store.statement import Statement, insert_new, insert_rows
from gateway.store.values import Arrival, Kept, StoredSignatures

KEY_TAKEN = Problem(code="DUP-001")

_ROW = Statement(select(tables.submission).where(tables.submission.c.id == bindparam("id")))
_PARTS = Statement(
    select(tables.part)
    .where(tables.part.c.submission == bindparam("submission"))
    .order_by(tables.part.c.ordinal)
)
_BOUND = Statement(
    select(tables.submission.c.content_digest)
    .join(tables.idempotency_key, tables.idempotency_key.c.submission == tables.submission.c.id)
    .where(
        tables.idempotency_key.c.organization == bindparam("organization"),
        tables.idempotency_key.c.token == bindparam("token"),
    )
)

_ASK_ANEW = Statement(
    delete(tables.evidence_record).where(
        tables.evidence_record.c.submission == bindparam("submission"),
        tables.evidence_record.c.sealed.is_(None),
    )
)


def keep(room: Room, arrival: Arrival) -> Kept:
    """Keep an arrival in one transaction, or find that its content is known."""
    rows = _sealed_rows(room, arrival)
    token = None
    if arrival.idempotency_key is not None:
        # Senders put order numbers into their keys: only the token is stored.
        token = room.keys.token("idempotency", arrival.organization, arrival.idempotency_key)

    def transaction(connection: Connection) -> Kept:
        if insert_new(connection, tables.submission, **rows.row):
            _write_new(connection, arrival, rows.parts)
            kept = Kept(
                submission=arrival.id,
                receipt=arrival.receipt,
                known=False,
                status=Status.RECEIVED,
            )
        else:
            kept = _known(room, connection, arrival)
        if token is not None and not insert_new(
            connection,
            tables.idempotency_key,
            organization=arrival.organization,
            token=token,
            submission=kept.submission,
        ):
            # A key in other use takes back all of the above.
            _check_key(connection, arrival, token)
        return kept

    kept = room.database.write(transaction)
    room.waker.ring("submission")
    return kept


def load(room: Room, id: str) -> Submission:
    """Return a kept submission, decrypted.  Raises KeyError, KeyDestroyed and Unreadable.

    It has no parts when its original held several documents and was dropped by now.
    """
    with room.database.read() as connection:
        row = row_of(connection, id)
        rows = _PARTS.all(connection, submission=id)
    for place, part in enumerate(rows):
        if part.ordinal != place:
            raise vault.Unreadable(f"part:{id}:{place}")
    data_key = data_key_of(room, row)
    return Submission(
        id=id,
        organization=row.organization,
        client=row.client,
        kept_at=row.kept_at,
        parts=tuple(
            Part(
                name=part.name,
                media_type=part.media_type,
                body=vault.open_sealed(data_key, part.sealed, f"part:{id}:{part.ordinal}"),
            )
            for part in rows
        ),
    )


def row_of(connection: Connection, id: str) -> Row[Any]:
    """Return a submission's row.  Raises KeyError."""
    row: Row[Any] | None = _ROW.first(connection, id=id)
    if row is None:
        raise KeyError(id)
    return row


def data_key_of(room: Room, row: Row[Any]) -> bytes:
    """Return a submission's own key, whatever it is wrapped under now."""
    outer = room.keys.key(row.key_owner, row.key_generation)
    return vault.unwrap(outer, row.key_wrapped, f"submission:{row.id}:{row.key_owner}")


# --- signatures and ledgers ------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Folded:
    """A signature report without the octets that are stored elsewhere already."""

    report: SignatureReport
    octets: tuple[bytes | None, ...]
    """Per covered object its octets; None where they are the document's."""

    evidence: tuple[tuple[str, ...], ...]
    """Per signature, those of powers of attorney last: ids of evidence rows."""

    def without_octets(self) -> Folded:
        """Return the same for an original whose bytes are no longer kept."""
        return replace(self, octets=tuple(b"" for _ in self.octets))


def fold_report(
    room: Room, report: SignatureReport, row: Row[Any], data_key: bytes
) -> tuple[bytes, list[dict[str, Any]]]:
    """Return a report sealed for the submission's row, and the evidence rows it refers to.

    The signed octets are mostly the document that is stored already, and a revocation list
    serves thousands of submissions: neither is stored again.
    """
    octets: list[bytes | None] = []
    bare, names, rows = [], [], []
    for finding in _every(report):
        octets.extend(_unless_document(one.octets, row.sha256) for one in finding.covered)
        ids = []
        for kind, blob in finding.evidence:
            row_of_evidence = evidence_row(room, kind, blob)
            ids.append(row_of_evidence["id"])
            rows.append(row_of_evidence)
        names.append(tuple(ids))
        covered = tuple(replace(one, octets=b"", received=b"") for one in finding.covered)
        bare.append(replace(finding, covered=covered, evidence=()))
    folded = Folded(
        report=_with(report, bare),
        octets=tuple(octets),
        evidence=tuple(names),
    )
    plain = msgspec.msgpack.encode(folded)
    return vault.seal(data_key, plain, f"signatures:{row.id}"), rows


def sealed_report(
    room: Room, row: Row[Any], data_key: bytes, report: SignatureReport | None
) -> tuple[bytes | None, list[dict[str, Any]]]:
    """Return `fold_report`, or nothing for a submission that was not verified."""
    if report is None:
        return None, []
    return fold_report(room, report, row, data_key)


def write_evidence(connection: Connection, submission: str, rows: list[dict[str, Any]]) -> None:
    """Store evidence that is not there yet; when it ages out is to be asked anew."""
    insert_evidence(connection, rows)
    if rows:
        _ASK_ANEW.run(connection, submission=submission)


def insert_evidence(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Store evidence that is not there yet.

    Always in one order: a transaction waits for another that stores the same.
    """
    for row in sorted(rows, key=itemgetter("id")):
        insert_new(connection, tables.evidence, **row)


def evidence_row(room: Room, kind: str, blob: bytes) -> dict[str, Any]:
    """Return an object of evidence sealed for its row; the same object has the same id."""
    id = room.keys.exact_token("evidence", blob)
    key = room.keys.system_key("evidence")
    return {"id": id, "kind": kind, "sealed": vault.seal(key, blob, f"evidence:{id}:{kind}")}


def signatures(room: Room, id: str) -> StoredSignatures | None:
    """Return the verification result of a submission with its evidence."""
    with room.database.read() as connection:
        row = row_of(connection, id)
    if row.signatures is None:
        return None
    data_key = data_key_of(room, row)
    plain = vault.open_sealed(data_key, row.signatures, f"signatures:{id}")
    folded = msgspec.msgpack.decode(plain, type=Folded)
    document = next((part for part in load(room, id).parts if part.name == "document"), None)
    octets = iter(folded.octets)
    findings = []
    for finding, names in zip(_every(folded.report), folded.evidence, strict=True):
        covered = tuple(_unfold(one, next(octets), document) for one in finding.covered)
        findings.append(replace(finding, covered=covered, evidence=evidence_of(room, names)))
    return StoredSignatures(submission=id, report=_with(folded.report, findings))


def _every(report: SignatureReport) -> tuple[SignatureFinding, ...]:
    """Return the findings on the document's signatures, then on those of powers of attorney."""
    others = (finding for one in report.attorneys for finding in one.signatures)
    return (*report.signatures, *others)


def _with(report: SignatureReport, findings: Iterable[SignatureFinding]) -> SignatureReport:
    """Return the report with other findings, in the order of `_every`."""
    left = iter(findings)
    return replace(
        report,
        signatures=tuple(islice(left, len(report.signatures))),
        attorneys=tuple(
            replace(one, signatures=tuple(islice(left, len(one.signatures))))
            for one in report.attorneys
        ),
    )


def ledgers(room: Room, id: str) -> tuple[Ledger, ...]:
    """Return the ledgers of a submission's mapped documents."""
    document = tables.document
    with room.database.read() as connection:
        row = row_of(connection, id)
        rows = connection.execute(
            select(document.c.id, document.c.ledger)
            .where(document.c.submission == id, document.c.ledger.is_not(None))
            .order_by(document.c.ordinal)
        ).all()
    data_key = data_key_of(room, row)
    return tuple(
        msgspec.msgpack.decode(
            vault.open_sealed(data_key, one.ledger, f"ledger:{one.id}"), type=Ledger
        )
        for one in rows
    )


# --- inside ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Rows:
    row: dict[str, Any]
    parts: list[dict[str, Any]]


def _sealed_rows(room: Room, arrival: Arrival) -> _Rows:
    """Encrypt an arrival under a key of its own, before the transaction."""
    generation, intake = room.keys.intake_key(arrival.kept_at)
    data_key = vault.new_key()
    parts = _sealed_parts(arrival.id, arrival, data_key)
    document = next(part for part in arrival.parts if part.name == "document")
    row = {
        "id": arrival.id,
        "organization": arrival.organization,
        "client": arrival.client,
        "media_type": arrival.media_type,
        "content_digest": arrival.content_digest,
        "size": len(document.body),
        "sha256": hashlib.sha256(document.body).hexdigest(),
        "streebog256": arrival.streebog256,
        "kept_at": arrival.kept_at,
        "status": Status.RECEIVED.value,
        "cause": None,
        "problems": [],
        "next_try": None,
        "receipt": arrival.receipt.number,
        "key_owner": INTAKE,
        "key_generation": generation,
        "key_wrapped": vault.wrap(intake, data_key, f"submission:{arrival.id}:{INTAKE}"),
        "signatures": None,
    }
    return _Rows(row=row, parts=parts)


def _write_new(connection: Connection, arrival: Arrival, parts: list[dict[str, Any]]) -> None:
    at = arrival.kept_at
    for part in parts:
        # One by one: many rows at once go as text, and a part may be long.
        insert_rows(connection, tables.part, [part])
    lane = arrival.organization
    work.add(
        connection,
        work.NewOrder(kind="submission", subject=arrival.id, at=at, kept_at=at, lane=lane),
    )
    write_event(connection, at, arrival.id, "received")
    write_receipt(connection, arrival.receipt, arrival.audit.id, arrival.id)
    write_audit(connection, arrival.audit, receipts={arrival.audit.id: arrival.receipt})


def _check_key(connection: Connection, arrival: Arrival, token: str) -> None:
    """Raise Rejected when the idempotency key stands for other content."""
    bound = _BOUND.scalar(connection, organization=arrival.organization, token=token)
    if bound is not None and bound != arrival.content_digest:
        raise Rejected(KEY_TAKEN)


def _known(room: Room, connection: Connection, arrival: Arrival) -> Kept:
    """The submission that has this content already; a rejected one starts again."""
    row = connection.execute(
        select(tables.submission.c.id, tables.submission.c.status, tables.receipt)
        .join(tables.receipt, tables.receipt.c.number == tables.submission.c.receipt)
        .where(
            tables.submission.c.organization == arrival.organization,
            tables.submission.c.content_digest == arrival.content_digest,
        )
    ).one()
    status = Status(row.status)
    if status is Status.REJECTED:
        _keep_again(room, connection, row.id, arrival)
        work.requeue(connection, row.id, arrival.client, room.clock())
        status = Status.RECEIVED
    receipt = Receipt(number=row.number, kind=row.kind, jws=row.jws, issued_at=row.issued_at)
    return Kept(submission=row.id, receipt=receipt, known=True, status=status)


def _keep_again(room: Room, connection: Connection, id: str, arrival: Arrival) -> None:
    """Keep the bytes of an original that was dropped: they are here again."""
    if _PARTS.all(connection, submission=id):
        return
    data_key = data_key_of(room, row_of(connection, id))
    insert_rows(connection, tables.part, _sealed_parts(id, arrival, data_key))


def _sealed_parts(id: str, arrival: Arrival, data_key: bytes) -> list[dict[str, Any]]:
    return [
        {
            "submission": id,
            "ordinal": ordinal,
            "name": part.name,
            "media_type": part.media_type,
            "size": len(part.body),
            "sealed": vault.seal(data_key, part.body, f"part:{id}:{ordinal}"),
        }
        for ordinal, part in enumerate(arrival.parts)
    ]


def _unless_document(octets: bytes, sha256: str) -> bytes | None:
    return None if hashlib.sha256(octets).hexdigest() == sha256 else octets


def _unfold(one: Covered, octets: bytes | None, document: Part | None) -> Covered:
    whole = document.body if document else b""
    return replace(one, octets=whole if octets is None else octets)


def evidence_of(room: Room, names: tuple[str, ...]) -> tuple[tuple[str, bytes], ...]:
    """Return objects of evidence by their ids.  Raises Unreadable for one that is not there."""
    table = tables.evidence
    with room.database.read() as connection:
        rows = {
            row.id: row for row in connection.execute(select(table).where(table.c.id.in_(names)))
        }
    if missing := set(names) - rows.keys():
        raise vault.Unreadable(f"evidence:{min(missing)}")
    key = room.keys.system_key("evidence")
    return tuple((rows[id].kind, _opened(key, rows[id])) for id in names)


def _opened(key: bytes, row: Row[Any]) -> bytes:
    try:
        return vault.open_sealed(key, row.sealed, f"evidence:{row.id}:{row.kind}")
    except vault.Unreadable:
        # The first rows were not bound to their kind.
        return vault.open_sealed(key, row.sealed, f"evidence:{row.id}")
