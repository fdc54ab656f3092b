"""CMS signatures: CAdES-BES, attached and detached, DER and BER, one signer or several.

A signature must carry signed attributes with content type, message digest and the signing
certificate's digest: what is not CAdES in that sense never passes.  The attributes are
verified over the octets that came, only their tag is the one the standard asks for.  Time-stamp
tokens in files of their own are CMS too, and are told apart.

Source: RFC 5652; RFC 5035; RFC 6211; ETSI EN 319 122-1; R 1323565.1.025 for GOST.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.algorithms.interface import Algorithms
from gateway.model import CheckedSignature, Part
from gateway.signatures import cades, cms_file, findings, timestamp_files
from gateway.signatures.allowance import Allowance
from gateway.signatures.cms_signer import Signer, result
from gateway.signatures.directory import NOBODY, Directory
from gateway.signatures.embedded_records import EmbeddedRecords
from gateway.signatures.findings import Checks

NAME = "cms"


def check(
    document: Part,
    signatures: tuple[Part, ...],
    algorithms: Algorithms,
    *,
    directory: Directory = NOBODY,
) -> tuple[CheckedSignature, ...]:
    """Check the CMS that `document` is, and every CMS in `signatures` beside it."""
    found: list[CheckedSignature] = []
    digests: dict[str, bytes] = {}
    if _recognises(document):
        found.extend(_check_file(document.body, "document", None, algorithms, {}, directory))
    for position, part in enumerate(signatures):
        if _recognises(part):
            place = f"signature[{position}]"
            found.extend(_check_file(part.body, place, document, algorithms, digests, directory))
    return tuple(found)


def _recognises(part: Part) -> bool:
    return cms_file.recognises(part.body, part.media_type) or timestamp_files.is_answer(part.body)


def _check_file(
    octets: bytes,
    place: str,
    beside: Part | None,
    algorithms: Algorithms,
    digests: dict[str, bytes],
    directory: Directory,
) -> Iterator[CheckedSignature]:
    """Check every signer of one CMS file; `beside` is the document it may be detached from.

    `digests` are those of `beside` by name: hundreds of signers cost one digest, not hundreds.
    """
    checks = Checks()
    try:
        plain = timestamp_files.token_in(cms_file.unwrapped(octets))
        signed = cms_file.opened(plain)
    except findings.Flaw as flaw:
        checks.flawed(flaw)
        yield result(checks, place, "CMS")
        return
    if timestamp_files.is_token(signed):
        yield timestamp_files.check(plain, place, beside, algorithms, digests, directory)
        return
    if signed.content is not None:
        digests = {}
    allowance = Allowance()
    outside = beside.body if beside is not None else None
    content = signed.content if signed.content is not None else outside
    records = EmbeddedRecords(plain, signed, content, algorithms, directory, allowance.take)
    for position, signer in enumerate(signed.signers):
        where = f"{place}/signer[{position}]" if len(signed.signers) > 1 else place
        one = Signer(signed, signer, beside, algorithms, digests, directory=directory)
        yield cades.with_additions(one, one.check(where), allowance, records=records)
