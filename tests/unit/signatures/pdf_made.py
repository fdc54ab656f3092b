"""PDF files made, signed and then updated, for the tests of PAdES and its attacks."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigMDPSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp, SignatureObject

from gateway.model import CheckedSignature, Indication
from gateway.sandbox.pki import Pki
from gateway.signatures import pades, sign_cms
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.cms_made import authority
from tests.unit.signatures.made import document, signed

CATALOGUE, PAGES, PAGE, CONTENT, FONT = 1, 2, 3, 4, 5
RESULT = b"BT /F1 12 Tf 72 700 Td (Haemoglobin 141 g/L) Tj ET"
FORGED = b"BT /F1 12 Tf 72 700 Td (Haemoglobin 41 g/L) Tj ET"


def stream(octets: bytes, more: bytes = b"") -> bytes:
    return b"<< /Length %d %s>>\nstream\n%s\nendstream" % (len(octets), more, octets)


def objects(content: bytes = RESULT) -> dict[int, bytes]:
    """Return the objects of a one-page report."""
    return {
        CATALOGUE: b"<< /Type /Catalog /Pages 2 0 R >>",
        PAGES: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        PAGE: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        CONTENT: stream(content),
        FONT: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    }


def built(parts: Mapping[int, bytes], head: bytes = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n") -> bytes:
    """Return a PDF file of these objects."""
    return appended(head, parts, size=max(parts) + 1, previous=None)


def appended(
    file: bytes,
    parts: Mapping[int, bytes],
    *,
    size: int | None = None,
    previous: int | None = -1,
    more: bytes = b"",
) -> bytes:
    """Return a file with an update behind it, written by hand: whatever `parts` say.

    `previous` is where the cross-reference of before stands; -1 finds it.
    """
    if previous == -1:
        previous = last_startxref(file)
    octets, places = bytearray(file), {}
    for number, body in parts.items():
        places[number] = len(octets)
        octets += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(octets)
    octets += b"xref\n"
    if previous is None:
        octets += b"0 1\n0000000000 65535 f \n"
    for number, place in places.items():
        octets += b"%d 1\n%010d 00000 n \n" % (number, place)
    size = size or max(declared_size(file), *(number + 1 for number in parts))
    before = b"" if previous is None else b" /Prev %d" % previous
    octets += b"trailer\n<< /Size %d /Root 1 0 R%s %s>>\n" % (size, before, more)
    octets += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(octets)


def last_startxref(file: bytes) -> int:
    return int(re.findall(rb"startxref\s+(\d+)\s+%%EOF", file)[-1])


def declared_size(file: bytes) -> int:
    return max(map(int, re.findall(rb"/Size (\d+)", file)))


def updated(file: bytes, change: Callable[[IncrementalPdfFileWriter], None]) -> bytes:
    """Return a file with an update behind it that pyHanko writes."""
    writer = IncrementalPdfFileWriter(io.BytesIO(file))
    change(writer)
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def compressed(parts: Mapping[int, bytes]) -> bytes:
    """Return a PDF file whose objects stand in one object stream (PDF 1.5)."""
    places, octets = [], b""
    for number, body in parts.items():
        places.append(b"%d %d" % (number, len(octets)))
        octets += body + b"\n"
    index = b" ".join(places) + b" "
    holder, table = max(parts) + 1, max(parts) + 2
    packed = zlib.compress(index + octets)
    entries = b"/Type /ObjStm /N %d /First %d /Filter /FlateDecode " % (len(parts), len(index))
    file = b"%PDF-1.7\n"
    where = len(file)
    file += b"%d 0 obj\n%s\nendobj\n" % (holder, stream(packed, entries))
    start = len(file)
    rows = {0: (0, 0, 255), holder: (1, where, 0), table: (1, start, 0)}
    rows |= {number: (2, holder, at) for at, number in enumerate(parts)}
    packed = b"".join(
        bytes([kind]) + place.to_bytes(3, "big") + bytes([index])
        for _, (kind, place, index) in sorted(rows.items())
    )
    assert sorted(rows) == list(range(table + 1))
    entries = b"/Type /XRef /Size %d /W [1 3 1] /Root 1 0 R " % (table + 1)
    file += b"%d 0 obj\n%s\nendobj\n" % (table, stream(packed, entries))
    return file + b"startxref\n%d\n%%%%EOF\n" % start


REPORT = built(objects())


def pdf_signed(pki: Pki, name: str = "gost256-doctor", file: bytes = REPORT) -> bytes:
    return signed(pki, name, "pades", octets=file)


def checked(file: bytes) -> tuple[CheckedSignature, ...]:
    return pades.check(document(file, "application/pdf"), (), ALGORITHMS)


def said(one: CheckedSignature) -> str:
    """Return all that the checks say."""
    return "; ".join(f"{check.name}: {check.detail}" for check in one.checks)


def whole(found: tuple[CheckedSignature, ...]) -> bool:
    """Say whether anything passes, or counts as over the whole file."""
    return any(
        one.indication is Indication.TOTAL_PASSED
        or any(c.scope == "FULL" or c.covers_enclosing for c in one.covered)
        for one in found
    )


def embedded(
    file: bytes,
    make: Callable[[bytes], bytes],
    *,
    dictionary: Any = None,
    name: str = "Other",
    mdp: SigMDPSetup | None = None,
    change: Callable[[Any], None] = lambda written: None,
) -> bytes:
    """Return a file with a signature of whatever `make` returns for what is signed.

    `change` may change the signature dictionary before it is written.
    """
    writer = IncrementalPdfFileWriter(io.BytesIO(file))
    embedding = PdfCMSEmbedder().write_cms(name, writer)
    next(embedding)
    placeholder = dictionary or SignatureObject(timestamp=NOW, bytes_reserved=2 * 24 * 1024)
    change(placeholder)
    embedding.send(SigObjSetup(sig_placeholder=placeholder, mdp_setup=mdp))
    digest, output = embedding.send(SigIOSetup(md_algorithm="sha256"))
    written = output.getvalue()
    first, second = digest.reserved_region_start, digest.reserved_region_end
    embedding.send(make(written[:first] + written[second:]))
    return bytes(output.getvalue())


def cms_of(pki: Pki, name: str = "rsa-doctor", *, detached: bool = True) -> Callable[..., bytes]:
    signer = pki.signer(name)

    def make(octets: bytes) -> bytes:
        return sign_cms.file(
            octets,
            key=signer.private_key(),
            chain=signer.chain(),
            algorithms=ALGORITHMS,
            detached=detached,
            at=None,
        )

    return make


def certified(pki: Pki, permission: MDPPerm, file: bytes = REPORT) -> bytes:
    """Return a file whose first signature says what may be done to it afterwards."""
    mdp = SigMDPSetup(md_algorithm="sha256", certify=True, docmdp_perms=permission)
    return embedded(file, cms_of(pki), mdp=mdp)


def stamped(pki: Pki, file: bytes, name: str = "gost256-tsa", field: str = "Stamp") -> bytes:
    """Return a file with a document time stamp over all of it."""

    def make(octets: bytes) -> bytes:
        return authority(pki, name).stamp("sha256", octets, NOW)

    dictionary = DocumentTimestamp(bytes_reserved=2 * 24 * 1024)
    return embedded(file, make, dictionary=dictionary, name=field)


def with_store(file: bytes, certificates: list[bytes], crls: list[bytes]) -> bytes:
    """Return a file with a document security store."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        def put(parts: list[bytes]) -> generic.ArrayObject:
            made = [writer.add_object(generic.StreamObject(stream_data=one)) for one in parts]
            return generic.ArrayObject(made)

        store = generic.DictionaryObject({pdf_name("/Type"): pdf_name("/DSS")})
        store[pdf_name("/Certs")] = put(certificates)
        store[pdf_name("/CRLs")] = put(crls)
        writer.root[pdf_name("/DSS")] = writer.add_object(store)
        writer.update_root()

    return updated(file, change)


def byte_range(file: bytes) -> tuple[int, int, int, int]:
    """Return the numbers of the last byte range in a file."""
    found = re.findall(rb"/ByteRange \[(\d+) (\d+) (\d+) (\d+)\]", file)[-1]
    first, length, second, rest = map(int, found)
    return first, length, second, rest


def with_range(file: bytes, *numbers: int, written: bytes | None = None) -> bytes:
    """Return a file whose last byte range says something else, every place kept."""
    found = list(re.finditer(rb"/ByteRange \[[^\]]*\] *", file))[-1]
    new = written or b"/ByteRange [%s]" % b" ".join(b"%d" % one for one in numbers)
    assert len(new) <= len(found[0])
    return file[: found.start()] + new.ljust(len(found[0])) + file[found.end() :]
