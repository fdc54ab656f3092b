"""What became of a PDF after it was signed, revision by revision.

Validation material, time stamps and further signatures may be added; whatever else an update
writes makes another document of the one that was signed, and is named.  pyHanko compares the
revisions; what it explains, and at which level, is read here, and nothing else is let through.

Source: ISO 32000-2, clauses 12.8.2.2 (DocMDP), 12.8.2.4 (FieldMDP) and 12.8.4 (DSS);
ETSI EN 319 142-1, clause 5.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY, ModificationLevel
from pyhanko.sign.diff_analysis.policy_api import SuspiciousModification
from pyhanko.sign.fields import FieldMDPSpec, MDPPerm, enumerate_sig_fields

from gateway.signatures import pdf_file
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    HASH_FAILURE,
    SIG_CONSTRAINTS_FAILURE,
    Checks,
    failed,
    undecided,
)
from gateway.signatures.pdf_file import Field, Reader, Resolver
from gateway.signatures.pdf_ranges import Extent, startxref_at

CHECK = "later_revisions"
NAMED_MAX = 8
PAGES_MAX = 2_000
DATED = ("/ModDate", "/Producer")
"""Document properties that say who wrote the file last, and when."""


_SAID = {
    "/Annot": "annotation",
    "/Catalog": "catalogue",
    "/Font": "font",
    "/FontDescriptor": "font",
    "/Metadata": "metadata",
    "/Page": "page",
    "/Pages": "page tree",
    "/XObject": "picture or form",
}
"""Kinds of object by their Type, in words; those that LTV updates write are not among them."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the signer allowed to be done afterwards."""

    document: MDPPerm | None = None
    fields: FieldMDPSpec | None = None


def check_later(reader: Reader, field: Field, extent: Extent, checks: Checks) -> None:
    """Check what the revisions behind a signature changed; raises the flaw of a change.

    A change that is forbidden, or that nobody can explain, is HASH_FAILURE: the document that
    readers show is not the one that was signed.  Filled-in form fields are INDETERMINATE, be
    they permitted or not: nobody signed what they say.
    """
    with pdf_file.reading(CHECK, "later revisions not readable"):
        _in_order(reader, extent)
        rules = _rules(reader, field, extent.revision)
        signed = reader.get_historical_resolver(extent.revision)
        known = {name: value is not None for name, value, _ in enumerate_sig_fields(signed)}
        now = {name: value is not None for name, value, _ in enumerate_sig_fields(reader)}
        shown = {
            name: pdf_file.is_stamp(pdf_file.entry(reference.get_object(), "/V"))
            for name, value, reference in enumerate_sig_fields(reader)
            if not known.get(name) and _is_shown(reference.get_object())
        }
        level = ModificationLevel.NONE
        filled: set[str] = set()
        for revision in range(extent.revision + 1, reader.total_revisions):
            later = reader.get_historical_resolver(revision)
            try:
                found = DEFAULT_DIFF_POLICY.apply(
                    signed, later, field_mdp_spec=rules.fields, doc_mdp=rules.document
                )
            except SuspiciousModification as error:
                raise failed(CHECK, HASH_FAILURE, _named(signed, later, revision)) from error
            level = max(level, found.modification_level)
            filled |= found.changed_form_fields
        same_properties = _properties(signed) == _properties(later)
    if level > ModificationLevel.LTA_UPDATES and rules.document is MDPPerm.NO_CHANGES:
        raise failed(CHECK, HASH_FAILURE, "changed after signing, which the signer ruled out")
    if level > ModificationLevel.FORM_FILLING:
        raise failed(CHECK, HASH_FAILURE, "annotations changed after signing")
    if rules.document is not None and shown.keys() - known:
        raise failed(CHECK, HASH_FAILURE, "a field added to a page of a certified document")
    if any(shown.values()):
        raise failed(CHECK, HASH_FAILURE, "a time stamp that shows something on a page")
    if not same_properties:
        detail = "document properties changed after signing"
        raise undecided(CHECK, SIG_CONSTRAINTS_FAILURE, detail)
    if filled - set(now):
        detail = "form fields filled in after signing"
        raise undecided(CHECK, SIG_CONSTRAINTS_FAILURE, detail)
    if any(not is_signed for name, is_signed in now.items() if name not in known):
        detail = "signature fields added after signing, and not signed"
        raise undecided(CHECK, SIG_CONSTRAINTS_FAILURE, detail)
    signatures = level > ModificationLevel.LTA_UPDATES
    allowed = "further signatures" if signatures else "validation material and time stamps"
    checks.passed(CHECK, f"{allowed} added after signing, nothing else")


def _is_shown(field: Any) -> bool:
    """Say whether a field takes room on a page, where its appearance may hide what was signed."""
    widgets = (field, *(kid.get_object() for kid in pdf_file.entry(field, "/Kids", ())))
    for widget in widgets:
        corners = [float(one.get_object()) for one in pdf_file.entry(widget, "/Rect", ())]
        if corners:
            left, bottom, right, top = corners
            if left != right and bottom != top:
                return True
    return False


def _properties(revision: Any) -> dict[str, str]:
    """Return what readers show of a file beside its pages; who adds a time stamp dates it."""
    written = pdf_file.entry(revision.trailer_view, "/Info", {})
    return {str(key): str(written[key]) for key in written if key not in DATED}


def _in_order(reader: Reader, extent: Extent) -> None:
    """Raise the flaw of octets behind the signature that belong to no revision after it."""
    xrefs, end = reader.xrefs, extent.ranges.end
    later = range(extent.revision + 1, reader.total_revisions)
    last = reader.last_startxref
    if not later or startxref_at(reader.octets, len(reader.octets)) != last:
        raise failed(CHECK, HASH_FAILURE, "octets were appended that belong to no revision")
    starts = [int(xrefs.get_xref_container_info(one).start_location) for one in later]
    if min(starts) < end or starts != sorted(starts):
        raise failed(CHECK, HASH_FAILURE, "later revisions stand out of order")


def _rules(reader: Reader, field: Field, revision: int) -> Rules:
    """Return what the signature itself, or else the Lock of its field, allows.

    Both are read as they were signed.
    """
    signed = reader.get_historical_resolver(revision)
    rules = Rules()
    references = pdf_file.entry(signed(field.value_reference), "/Reference", ())
    for one in references:
        reference = one.get_object()
        parameters = pdf_file.entry(reference, "/TransformParams", {})
        if reference["/TransformMethod"] == "/DocMDP":
            # Without P it is 2 (table 257).
            allowed = MDPPerm(int(pdf_file.entry(parameters, "/P", 2)))
            rules = Rules(document=allowed, fields=rules.fields)
        elif reference["/TransformMethod"] == "/FieldMDP":
            rules = Rules(document=rules.document, fields=_spec(parameters))
    lock = pdf_file.entry(signed(field.reference), "/Lock")
    if lock is None:
        return rules
    document = MDPPerm(int(lock["/P"])) if "/P" in lock else None
    return Rules(document=rules.document or document, fields=rules.fields or _spec(lock))


def _spec(written: Any) -> FieldMDPSpec:
    spec = FieldMDPSpec.from_pdf_object(written)
    if spec.fields is not None and not all(isinstance(one, str) for one in spec.fields):
        raise failed(CHECK, FORMAT_FAILURE, "locked fields without names")
    return spec


# --- naming a change -------------------------------------------------------------------


def _named(signed: Resolver, later: Resolver, revision: int) -> str:
    """Return what a revision writes in words that say nothing of anybody."""
    said = "objects that cannot be read"
    with suppress(*pdf_file.UNREADABLE):
        said = ", ".join(sorted(_kinds(signed, later))[:NAMED_MAX]) or "objects"
    return f"revision {revision + 1} changes what was signed; it writes: {said}"


def _kinds(signed: Any, later: Any) -> set[str]:
    kinds: set[str] = set()
    freed = later.refs_freed_in_revision()
    if freed:
        kinds.add("objects taken away")
    contents = set(_contents_of_pages(signed)) | set(_contents_of_pages(later))
    for reference in later.explicit_refs_in_revision():
        if (reference.idnum, reference.generation) in contents:
            kinds.add("page content")
        else:
            kinds.add(_kind(later(reference)))
    return kinds - {""}


def _kind(found: Any) -> str:
    if not isinstance(found, generic.DictionaryObject):
        return ""
    if "/FT" in found:
        return "form field"
    if pdf_file.entry(found, "/Subtype") in ("/Form", "/Image") and "/BBox" in found:
        return "appearance"
    kind = str(pdf_file.entry(found, "/Type", ""))
    return _SAID.get(kind, "annotation" if "/Rect" in found else "")


def _contents_of_pages(handler: Resolver) -> Iterator[tuple[int, int]]:
    """Yield the numbers of the objects that hold what is written on pages."""
    waiting, seen = [handler.root["/Pages"]], 0
    while waiting and seen < PAGES_MAX:
        node, seen = waiting.pop().get_object(), seen + 1
        waiting.extend(pdf_file.entry(node, "/Kids", ()))
        if "/Contents" not in node:
            continue
        written = node.raw_get("/Contents")
        if isinstance(written, generic.IndirectObject):
            yield written.idnum, written.generation
            written = written.get_object()  # type: ignore[no-untyped-call]
        if isinstance(written, generic.ArrayObject):
            yield from ((one.idnum, one.generation) for one in written)
