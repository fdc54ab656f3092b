"""The document security store of a PDF: certificates and revocation objects for years later.

Nobody signed it at first, so each of its parts proves itself; to judge them is trust's.

Source: ISO 32000-2, clause 12.8.4.3; ETSI EN 319 142-1, clause 5.4.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.decode_limits import DecodePurpose

from gateway.signatures import cms_file, pdf_file
from gateway.signatures.findings import FORMAT_FAILURE, failed
from gateway.signatures.pdf_file import Reader

CHECK = "validation_material"
OBJECTS_MAX = 256
"""Of each kind; a document of many signatures brings them for all."""

_PURPOSES = {
    "/Certs": DecodePurpose.CERTIFICATE,
    "/CRLs": DecodePurpose.CRL,
    "/OCSPs": DecodePurpose.OCSP_RESPONSE,
}
_OF_ONE_SIGNATURE = {"/Certs": "/Cert", "/CRLs": "/CRL", "/OCSPs": "/OCSP"}
"""How the parts of the store are called in VRI."""


@dataclass(frozen=True, kw_only=True)
class Store:
    """What a document brings to judge its signatures by."""

    certificates: tuple[bytes, ...] = ()
    revocations: tuple[tuple[str, bytes], ...] = ()
    since: int | None = None
    """The first revision that has revocation objects."""


def store_of(reader: Reader) -> Store:
    """Return the store as it stands at the end; raises the flaw of one that cannot be read."""
    if "/DSS" not in reader.root:
        return Store()
    with pdf_file.reading(CHECK, "document security store not readable"):
        found = {part: _objects(reader, part) for part in _PURPOSES}
        crls = [("crl", one) for one in found["/CRLs"]]
        answers = [("ocsp", cms_file.whole_answer(one)) for one in found["/OCSPs"]]
        return Store(
            certificates=tuple(found["/Certs"]),
            revocations=(*crls, *answers),
            since=_since(reader) if crls or answers else None,
        )


def _objects(reader: Reader, part: str) -> list[bytes]:
    """Return the objects of one kind, each once, those that VRI alone names among them."""
    found: dict[tuple[int, int], bytes] = {}
    for reference in _references(reader.root["/DSS"], part):
        key = reference.idnum, reference.generation
        if key in found:
            continue
        if len(found) >= OBJECTS_MAX:
            raise failed(CHECK, FORMAT_FAILURE, f"more than {OBJECTS_MAX} objects of a kind")
        found[key] = pdf_file.decoded(reference.get_object(), _PURPOSES[part])
    return list(dict.fromkeys(found.values()))


def _references(store: Any, part: str) -> Iterator[Any]:
    yield from pdf_file.entry(store, part, ())
    for one in pdf_file.entry(store, "/VRI", {}).values():
        named = one.get_object()
        if isinstance(named, generic.DictionaryObject):
            yield from pdf_file.entry(named, _OF_ONE_SIGNATURE[part], ())


def _since(reader: Reader) -> int:
    for revision in range(reader.total_revisions):
        store = pdf_file.entry(reader.get_historical_resolver(revision).root, "/DSS", ())
        if any(part in store for part in ("/CRLs", "/OCSPs")):
            return revision
    return reader.total_revisions
