"""Signs PDF files: PAdES-B and -T, invisible, as an update behind what stands there.

Source: ISO 32000-2, clause 12.8; ETSI EN 319 142-1, clauses 5 and 6.3.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime

from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigSeedSubFilter, enumerate_sig_fields
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import SignatureObject

from gateway.algorithms.interface import Algorithms
from gateway.signatures import pdf_file, sign_cms
from gateway.signatures.findings import Flaw
from gateway.signatures.stamping import Stamp

SIGNATURE_BYTES = 8 * 1024
"""Reserved for the signature, its certificates aside."""

STAMP_BYTES = 24 * 1024
"""Reserved for a time-stamp token with its certificates."""

UNUSED_DIGEST = "sha256"
"""pyHanko wants to digest what is signed; the signature's own digest is taken here."""


def file(
    octets: bytes,
    *,
    key: bytes,
    chain: Sequence[bytes],
    algorithms: Algorithms,
    at: datetime,
    stamp: Stamp | None = None,
) -> bytes:
    """Return the PDF file `octets` with one more signature; those there stay as they are.

    `key` is PKCS#8 DER; `chain` is DER, the signer's certificate first; `at` is written as the
    time of signing; `stamp` gives a token over the signature's value, and what it raises
    passes through.  Raises ValueError for octets that are no PDF file that can be signed.
    """
    try:
        reader = pdf_file.opened(octets)
        with pdf_file.reading("format", "not a PDF file that can be signed"):
            writer = IncrementalPdfFileWriter.from_reader(reader)
            embedding = PdfCMSEmbedder().write_cms(_field_name(reader), writer)
            next(embedding)
            placeholder = SignatureObject(
                timestamp=at,
                subfilter=SigSeedSubFilter.PADES,
                bytes_reserved=2 * _room(chain, stamp is not None),
            )
            embedding.send(SigObjSetup(sig_placeholder=placeholder))
            digest, output = embedding.send(SigIOSetup(md_algorithm=UNUSED_DIGEST))
    except Flaw as flaw:
        raise ValueError(f"Not signed: {flaw.check.detail}.") from flaw
    assert isinstance(output, io.BytesIO)
    written = output.getvalue()
    first, second = digest.reserved_region_start, digest.reserved_region_end
    signature = sign_cms.file(
        written[:first] + written[second:],
        key=key,
        chain=chain,
        algorithms=algorithms,
        detached=True,
        # The dictionary has the time (EN 319 142-1, 6.3: the attribute shall not be there).
        at=None,
        stamp=stamp,
    )
    try:
        embedding.send(signature)
    except SigningError as error:
        raise ValueError("Not signed: the signature is larger than its place.") from error
    return output.getvalue()


def _room(chain: Sequence[bytes], stamped: bool) -> int:
    return SIGNATURE_BYTES + sum(map(len, chain)) + (STAMP_BYTES if stamped else 0)


def _field_name(reader: pdf_file.Reader) -> str:
    """Return the first name of ours that no field has."""
    taken = {str(name) for name, _, _ in enumerate_sig_fields(reader)}
    return next(
        name for number in range(1, len(taken) + 2) if (name := f"Signature{number}") not in taken
    )
