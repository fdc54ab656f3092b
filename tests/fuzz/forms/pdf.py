"""PDF files with signatures, document time stamps, and a store for the long term."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fuzz.ground import FAMILIES, FIRST, Bench
from tests.fuzz.judging import verified
from tests.fuzz.values import Outcome, Seed
from tests.unit.signatures.pdf_made import pdf_signed, stamped, with_store
from tests.unit.signatures.test_pades import material

NAME = "pdf"
ROW = "pades"
TYPE = "application/pdf"


def seeds(bench: Bench) -> Iterator[Seed]:
    pki = bench.pki
    for family in FAMILIES:
        yield Seed(row=ROW, name=family, octets=pdf_signed(pki, f"{family}-doctor"))
    once = pdf_signed(pki, f"{FIRST}-doctor")
    twice = pdf_signed(pki, "ecdsa-organisation", once)
    stored = with_store(once, *material(pki, FIRST))
    yield Seed(row=ROW, name="twice", octets=twice, ours=False)
    yield Seed(row=ROW, name="stored", octets=stored)
    yield Seed(row=ROW, name="archived", octets=stamped(pki, stored, f"{FIRST}-tsa"))


def judge(bench: Bench, seed: Seed, octets: bytes) -> Outcome:
    return verified(bench, octets, media_type=TYPE)
