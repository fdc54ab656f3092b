"""What a sender posted, taken apart into named parts and checked for shape, not for meaning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.door import body, media, multipart
from gateway.errors import Rejected
from gateway.model import ATTORNEY, ATTORNEY_SIGNATURE, Part, Problem, attached

IDEMPOTENCY_KEY_CHARACTERS_MAX = 255
ATTORNEYS_MAX, ATTORNEY_SIGNATURES_MAX = 4, 2
"""Powers of attorney beside a document, and detached signatures of each."""

NAMES = ("document", "signature", "consent", ATTORNEY, ATTORNEY_SIGNATURE)
_UNNAMED = "application/octet-stream"


@dataclass(frozen=True, kw_only=True)
class Intake:
    """A posted document with what came beside it."""

    media_type: str
    """Of the whole request: `multipart/form-data` or the document's own."""

    parts: tuple[Part, ...]
    idempotency_key: str | None

    @property
    def document(self) -> Part:
        return next(part for part in self.parts if part.name == "document")

    @property
    def signatures(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.name == "signature")

    @property
    def beside(self) -> tuple[Part, ...]:
        """Signatures and powers of attorney."""
        return tuple(part for part in self.parts if part.name not in ("document", "consent"))


def read(
    environ: Mapping[str, Any],
    bytes_max: int,
    signatures_max: int,
    *,
    any_type: bool = False,
    only: tuple[str, ...] | None = None,
) -> Intake:
    """Read a request's body into its parts.

    With `any_type` the document's media type is not judged (a signature may be over
    anything); with `only` the request must have one of these types.  What can be
    refused by the headers is refused before a byte of the body is read.
    Raises Rejected with FMT-1xx or LIM-4xx.
    """
    key = _idempotency_key(environ)
    found, options = media.media_type(environ.get("CONTENT_TYPE"))
    known = media.taken() if only is None else only
    if found not in known and (only is not None or (found != media.MULTIPART and not any_type)):
        raise Rejected(Problem(code="FMT-101", place="Content-Type", detail={"media_type": found}))
    octets = body.read(environ, bytes_max)
    if not octets:
        raise Rejected(Problem(code="FMT-108", place="body"))
    if found == media.MULTIPART:
        parts = _parts(multipart.read(octets, options.get("boundary", "")), signatures_max)
    else:
        parts = (Part(name="document", media_type=found, body=octets),)
    intake = Intake(media_type=found, parts=parts, idempotency_key=key)
    if not any_type:
        place = "document" if found == media.MULTIPART else "Content-Type"
        media.check(intake.document.media_type, intake.document.body, place)
    return intake


def _parts(form: tuple[multipart.FormPart, ...], signatures_max: int) -> tuple[Part, ...]:
    count = Counter(part.name for part in form)
    parts = tuple(
        Part(name=part.name, media_type=part.media_type or _UNNAMED, body=part.body)
        for part in form
    )
    powers = attached(parts)
    wrong = (
        set(count) - set(NAMES)
        or count["document"] != 1
        or count["signature"] > signatures_max
        or count["consent"] > 1
        or count[ATTORNEY] > ATTORNEYS_MAX
        or any(len(one.signatures) > ATTORNEY_SIGNATURES_MAX for one in powers)
        or sum(len(one.signatures) for one in powers) != count[ATTORNEY_SIGNATURE]
    )
    if wrong:
        found = [f"{name} × {count[name]}" for name in NAMES]
        # An unknown name is the sender's text and is counted, not said back.
        others = sum(number for name, number in count.items() if name not in NAMES)
        detail = {
            "limit": str(signatures_max),
            "attorneys": str(ATTORNEYS_MAX),
            "attorney_signatures": str(ATTORNEY_SIGNATURES_MAX),
            "found": ", ".join([*found, f"? × {others}"]),
        }
        raise Rejected(Problem(code="FMT-107", place="body", detail=detail))
    for part in form:
        if not part.body:
            raise Rejected(Problem(code="FMT-108", place=part.name))
    return parts


def _idempotency_key(environ: Mapping[str, Any]) -> str | None:
    key = environ.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    text = str(key).strip()
    if (
        not 0 < len(text) <= IDEMPOTENCY_KEY_CHARACTERS_MAX
        or not text.isascii()
        or not text.isprintable()
    ):
        detail = {"name": "Idempotency-Key", "expected": "1–255 printable ASCII characters"}
        raise Rejected(Problem(code="FMT-109", place="Idempotency-Key", detail=detail))
    return text
