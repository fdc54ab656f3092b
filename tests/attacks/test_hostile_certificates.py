"""Certificates made to hurt: no crash, and nothing passes.

Changed certificates, lists and answers are tried in `tests/fuzz/`.
"""

from __future__ import annotations

import pytest
from asn1crypto import core, x509
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Indication
from gateway.sandbox import certificates as made
from gateway.trust import Trust, read_signer
from tests.pki.build import ALGORITHMS, ALIVE, NOW, below, issue, list_of, root

ROOT = root()
CA = below(ROOT)
SIGNER = issue(CA)
CA_LIST = bytes(list_of(CA).dump())
ROOT_LIST = bytes(list_of(ROOT).dump())


@given(noise=st.binary(max_size=400))
def test_noise_is_never_believed(noise: bytes) -> None:
    trust = Trust([ROOT.certificate.dump()], algorithms=ALGORITHMS)
    assert trust.judge(noise, [noise], NOW).status is Indication.INDETERMINATE
    assert trust.judge(SIGNER.der, [noise], NOW).status is Indication.INDETERMINATE


@pytest.mark.parametrize("kind", ["snils", "1.2.3.4"])
@pytest.mark.parametrize("depth", [3, 2_000, 12_000])
def test_a_name_nested_without_end_does_not_bring_us_down(kind: str, depth: int) -> None:
    """asn1crypto descends by recursion: 40 KB of brackets end in a RecursionError."""
    der = _nested_name(kind, depth)
    trust = Trust(
        [ROOT.certificate.dump()],
        [CA.certificate.dump()],
        [ROOT_LIST, CA_LIST],
        algorithms=ALGORITHMS,
    )
    assert trust.judge(der, (), NOW).status is Indication.INDETERMINATE
    assert trust.judge(SIGNER.der, [der], NOW).status is Indication.TOTAL_PASSED
    if depth > 3:
        with pytest.raises(ValueError):
            read_signer(der)


def _nested_name(kind: str, depth: int) -> bytes:
    value = core.Null().dump()
    for _ in range(depth):
        size = len(value)
        head = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
        value = b"\x30" + head + value
    pair = x509.NameTypeAndValue({"type": kind, "value": core.Any.load(value)})
    subject = x509.Name(name="", value=x509.RDNSequence([x509.RelativeDistinguishedName([pair])]))
    _, public = ALGORITHMS.generate("gost256")
    extensions = made.signing_extensions(ALIVE, "test")
    return bytes(made.certify(subject, public, extensions, ALIVE, ALGORITHMS, issuer=CA).dump())
