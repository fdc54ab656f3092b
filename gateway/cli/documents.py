"""The files a verb is given: found, typed, and signed or made fresh when that is asked for."""

from __future__ import annotations

import glob
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.files import STDIN, content
from gateway.cli.output import Output, Wrong, translated
from gateway.model import ATTORNEY, ATTORNEY_SIGNATURE, Part
from gateway.signatures import jose_files
from gateway.xml.parser import is_xml

if TYPE_CHECKING:
    from gateway.sandbox.stories import Outgoing, Signing

FHIR_JSON, XML = "application/fhir+json", "application/xml"
SUFFIXES = {
    ".json": FHIR_JSON,
    ".xml": XML,
    ".p7m": "application/pkcs7-mime",
    ".jose": "application/jose",
}
SIGNATURE_SUFFIXES = (".p7s", ".sig", ".sgn", ".jws")
SIGNATURE_TYPE = "application/pkcs7-signature"
SIGNER_DEFAULT = "gost256-doctor"

attorney_option = click.option(
    "--attorney",
    "attorneys",
    multiple=True,
    help=translated(
        "Машиночитаемая доверенность (XML, её подпись рядом); можно повторять.",
        "Machine-readable power of attorney (XML, its signature beside); repeatable.",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Given:
    """A document as it will be sent."""

    name: str
    document: Part
    signatures: tuple[Part, ...]
    attorneys: tuple[Part, ...] = ()
    """Powers of attorney, each before its own signatures."""

    @property
    def beside(self) -> tuple[Part, ...]:
        return (*self.signatures, *self.attorneys)


def find(out: Output, names: Sequence[str]) -> tuple[str, ...]:
    """Return the files that names, patterns and folders stand for.  Raises Wrong for none.

    In a folder every file of a known type counts, signatures beside documents do not.
    """
    found: list[str] = []
    for name in names:
        found += [STDIN] if name == STDIN else _expanded(out, name)
    return tuple(dict.fromkeys(found))


def _expanded(out: Output, name: str) -> list[str]:
    path = Path(name)
    if path.is_dir():
        files = sorted(str(p) for p in path.rglob("*") if p.is_file() and p.suffix in SUFFIXES)
    elif path.is_file():
        files = [name]
    else:
        files = sorted(f for f in glob.glob(name, recursive=True) if Path(f).is_file())
    if not files:
        raise Wrong(out.say(f"{name}: нечего взять", f"{name}: nothing to take"))
    return files


def read(out: Output, name: str, signature: str | None, media_type: str | None) -> Given:
    """Return the document in a file, with the detached signatures that lie beside it."""
    octets = _octets(out, name)
    kind = media_type or _kind(out, name, octets)
    document = Part(name="document", media_type=kind, body=octets)
    files = [signature] if signature else list(_beside(name))
    signatures = tuple(_signature(out, "signature", file) for file in files)
    return Given(name=name, document=document, signatures=signatures)


def _signature(out: Output, part: str, file: str) -> Part:
    """Return a signature file as a part; one by its content a JWS or XML is not called CMS."""
    octets = _octets(out, file)
    if jose_files.is_compact(octets) or jose_files.is_json_serialised(octets):
        return Part(name=part, media_type=SUFFIXES[".jose"], body=octets)
    kind = XML if is_xml(octets[:64]) else SIGNATURE_TYPE
    return Part(name=part, media_type=kind, body=octets)


def attorneys(out: Output, names: Sequence[str]) -> tuple[Part, ...]:
    """Return powers of attorney as parts, each with the detached signatures that lie beside it."""
    parts = []
    for name in names:
        parts.append(Part(name=ATTORNEY, media_type=XML, body=_octets(out, name)))
        parts += [_signature(out, ATTORNEY_SIGNATURE, file) for file in _beside(name)]
    return tuple(parts)


def signed(out: Output, given: Given, signer: str | None, *, fresh: bool) -> Given:
    """Return the document signed with a key of the home's sandbox, made fresh before if asked."""
    from gateway.algorithms import standard
    from gateway.sandbox import fresh as freshness
    from gateway.sandbox import pki, stories

    now = datetime.now(UTC)
    octets = given.document.body
    if fresh:
        octets = freshness.fresh(octets, now, lambda: str(uuid.uuid4()))
    keys = pki.load(out.home)
    name = signer or SIGNER_DEFAULT
    if name not in keys.signers:
        known = ", ".join(keys.signers) or out.say("нет ни одного", "there are none")
        raise Wrong(
            out.say(f"в {out.home} нет подписанта {name}", f"{out.home} has no signer {name}")
            + f": {known}"
        )
    files = keys.signer(name)
    pair = stories.KeyPair(key=files.private_key(), chain=files.chain())
    made: Outgoing = stories.signed(
        octets,
        given.document.media_type,
        _signing(given.document.media_type, name),
        [pair],
        standard("auto"),
        now,
    )
    return Given(name=given.name, document=made.document, signatures=made.signatures)


def _signing(media_type: str, signer: str) -> Signing:
    from gateway.sandbox.stories import Signing

    if media_type in (XML, "text/xml"):
        return Signing(form="xmldsig", place="enveloped", signers=(signer,))
    return Signing(form="cades", place="detached", signers=(signer,))


def _octets(out: Output, file: str) -> bytes:
    if file != STDIN and not Path(file).is_file():
        raise Wrong(out.say(f"{file}: нет такого файла", f"{file}: no such file"))
    return content(out, file)


def _kind(out: Output, name: str, octets: bytes) -> str:
    """Return the media type by the file's name, else by how its content begins."""
    known = SUFFIXES.get(Path(name).suffix.lower())
    if known is not None:
        return known
    start = octets[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:1] == b"{":
        return FHIR_JSON
    if start[:1] == b"<":
        return XML
    if octets[:1] == b"\x30" or start.startswith(b"-----BEGIN"):
        return SUFFIXES[".p7m"]
    raise Wrong(
        out.say(
            f"{name}: непонятно, что это; назовите --media-type",
            f"{name}: cannot tell what it is; give --media-type",
        )
    )


def _beside(name: str) -> Iterator[str]:
    if name == STDIN:
        return
    for suffix in SIGNATURE_SUFFIXES:
        if Path(name + suffix).is_file():
            yield name + suffix
