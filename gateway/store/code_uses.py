"""How laboratories use their own codes: what a changed meaning is noticed by (rule 12).

A use says nothing of a patient, but holds a sender's own words: it is sealed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import select

from gateway.model import CodeUse
from gateway.store import repair_tables, vault
from gateway.store.room import Room

OPENED_MAX = 50_000

Memory = dict[str, CodeUse]
"""Uses that were opened once, by token; they never change."""


def uses(
    room: Room, memory: Memory, organization: str, codes: Iterable[tuple[str, str]]
) -> tuple[CodeUse, ...]:
    """Return how an organisation has used these of its codes (system, code)."""
    tokens = sorted({_code_token(room, organization, system, code) for system, code in codes})
    if not tokens:
        return ()
    use = repair_tables.code_use
    with room.database.read() as connection:
        rows = connection.execute(select(use).where(use.c.code_token.in_(tokens))).all()
    key = room.keys.system_key("code-use")
    found = []
    for row in rows:
        opened = memory.get(row.token)
        if opened is None:
            plain = vault.open_sealed(key, row.sealed, f"code-use:{row.token}")
            opened = msgspec.json.decode(plain, type=CodeUse)
            if len(memory) >= OPENED_MAX:
                memory.clear()
            memory[row.token] = opened
        found.append(opened)
    return tuple(found)


def use_rows(room: Room, organization: str, found: Iterable[CodeUse]) -> list[dict[str, Any]]:
    """Return the rows of newly known uses of codes, sealed."""
    key, now = room.keys.system_key("code-use"), room.clock()
    rows = []
    for one in found:
        plain = msgspec.json.encode(one)
        token = room.keys.exact_token("code-use", organization.encode() + b"\x00" + plain)
        rows.append(
            {
                "token": token,
                "code_token": _code_token(room, organization, one.system, one.code),
                "sealed": vault.seal(key, plain, f"code-use:{token}"),
                "seen_at": now,
            }
        )
    return rows


def _code_token(room: Room, organization: str, system: str, code: str) -> str:
    words = json.dumps([organization, system, code], ensure_ascii=False)
    return room.keys.exact_token("code", words.encode())
