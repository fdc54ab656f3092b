"""Importing pyHanko without letting it change how asn1crypto reads for everybody else.

pyHanko teaches asn1crypto's classes more names at import, wherever in the process that happens.
asn1crypto looks names up through a reverse table that it builds at its first use, so what is
taught later is half known: a certificate or an attribute with such a name can no longer be read
at all, where before it was read as unknown.  What we read must not depend on whether somebody
sent a PDF before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# These teach as well, and before anybody reads: what they teach is to stay.
import pyhanko_certvalidator  # noqa: F401
from asn1crypto import cms, tsp, x509  # noqa: F401


@contextmanager
def untaught() -> Iterator[None]:
    """Import within this what teaches asn1crypto; at the end its tables are as they were."""
    tables: tuple[dict[str, Any], ...] = (
        x509.ExtensionId._map,
        x509.Extension._oid_specs,
        cms.CMSAttributeType._map,
        cms.CMSAttribute._oid_specs,
    )
    before = [dict(table) for table in tables]
    try:
        yield
    finally:
        for table, was in zip(tables, before, strict=True):
            for taught in table.keys() - was.keys():
                del table[taught]
            table.update(was)
