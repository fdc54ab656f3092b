"""Certificates, lists and OCSP answers made to hurt: no crash, and nothing changed passes."""

from __future__ import annotations

import pytest
from asn1crypto import core, x509
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Indication
from gateway.sandbox import certificates as made
from gateway.trust import Trust, read_signer
from tests.pki.build import ALGORITHMS, ALIVE, CURRENT, NOW, below, issue, list_of, root

ROOT = root()
CA = below(ROOT)
SIGNER = issue(CA)
RESPONDER = issue(CA, "Responder", made.responder_extensions()).as_authority()
GOOD = {
    "leaf": SIGNER.der,
    "ca": bytes(CA.certificate.dump()),
    "crl": bytes(list_of(CA).dump()),
    "ocsp": bytes(
        made.ocsp_response(SIGNER.certificate, CA, RESPONDER, CURRENT, ALGORITHMS).dump()
    ),
}
ROOT_LIST = bytes(list_of(ROOT).dump())


def passes(pieces: dict[str, bytes], by: str) -> bool:
    """Judge on the authority's list or on the OCSP answer; malformed material is refused."""
    crls = [ROOT_LIST, pieces["crl"]] if by == "crl" else [ROOT_LIST]
    ocsps = [pieces["ocsp"]] if by == "ocsp" else []
    anchors = [bytes(ROOT.certificate.dump())]
    try:
        trust = Trust(anchors, [pieces["ca"]], crls, ocsps, algorithms=ALGORITHMS)
    except ValueError:
        return False
    return trust.judge(pieces["leaf"], (), NOW).status is Indication.TOTAL_PASSED


@pytest.mark.parametrize("by", ["crl", "ocsp"])
def test_the_unchanged_pieces_pass(by: str) -> None:
    assert passes(GOOD, by)


@given(data=st.data())
def test_one_changed_octet_in_anything_is_never_believed(data: st.DataObject) -> None:
    """Every octet of a certificate, a list and an answer is signed or says how it is."""
    piece = data.draw(st.sampled_from(sorted(GOOD)))
    place = data.draw(st.integers(0, len(GOOD[piece]) - 1))
    changed = bytearray(GOOD[piece])
    changed[place] ^= data.draw(st.integers(1, 255))
    by = "ocsp" if piece == "ocsp" else "crl"
    changed_pieces = {**GOOD, piece: bytes(changed)}
    if piece == "ocsp" and _in_responder_certificate(place):
        # Whether the certificate comes along unchanged is the responder's business.
        passes(changed_pieces, by)
        return
    assert not passes(changed_pieces, by)


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
        [ROOT_LIST, GOOD["crl"]],
        algorithms=ALGORITHMS,
    )
    assert trust.judge(der, (), NOW).status is Indication.INDETERMINATE
    assert trust.judge(SIGNER.der, [der], NOW).status is Indication.TOTAL_PASSED
    if depth > 3:
        with pytest.raises(ValueError):
            read_signer(der)


def _in_responder_certificate(place: int) -> bool:
    der = bytes(RESPONDER.certificate.dump())
    start = GOOD["ocsp"].index(der)
    return start <= place < start + len(der)


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
