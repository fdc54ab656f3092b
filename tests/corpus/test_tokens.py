"""Time-stamp tokens of authorities all over Europe, as they stand in EU DSS's XAdES files."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.model import CheckStatus
from gateway.signatures.timestamps import check_token
from tests.corpus.tally import Tally
from tests.pki.build import ALGORITHMS

TOKEN = re.compile(rb"<[A-Za-z0-9_]+:EncapsulatedTimeStamp[^>]*>([^<]+)<")
OF_WHAT_IT_STAMPS = ("message_imprint", "crypto_policy")
"""Not asked here: what they stamp, and whether SHA-1 authorities still count."""


def tokens(corpus: Path) -> Iterator[tuple[str, bytes]]:
    """Yield each token once, with the name of a file that carries it."""
    seen: set[bytes] = set()
    for path in sorted((corpus / "signatures" / "dss").rglob("*.xml")):
        for written in TOKEN.findall(path.read_bytes()):
            try:
                token = base64.b64decode(re.sub(rb"&#[^;]*;|\s", b"", written), validate=True)
            except binascii.Error:
                continue
            if token not in seen:
                seen.add(token)
                yield path.name, token


def test_every_authoritys_own_signature_is_computed(corpus: Path) -> None:
    tally = Tally("time-stamp tokens of EU DSS")
    for name, token in tokens(corpus):
        one = check_token(token, b"", "signature", ALGORITHMS)
        flaws = [
            f"{check.name}: {check.detail}"
            for check in one.checks
            if check.status is not CheckStatus.PASSED and check.name not in OF_WHAT_IT_STAMPS
        ]
        known = one.certificate is not None
        tally.add("right" if known and not flaws else "undecided", name, "; ".join(flaws))
    if not tally.lines:
        pytest.skip("no time-stamp tokens of EU DSS in the collection of foreign signatures")
    tally.require(right_min=127, undecided_max=0)
