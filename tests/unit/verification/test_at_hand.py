"""Signatures that only name their certificate, and the one that lies in a trust folder."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from asn1crypto import cms, x509

from gateway.model import Indication, Part, SignatureFinding, SignatureReport
from gateway.sandbox.pki import Pki
from gateway.signatures import jose
from gateway.signatures.cms_attributes import SIGNATURE_TIME_STAMP
from gateway.trust import Trust
from gateway.verification import Verifier, differences, judged_again
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.cms_made import adding, attribute, stamp, value_of
from tests.unit.signatures.made import BUNDLE, beside, document, signed

NAME = "ecdsa-doctor"
NOT_FOUND = (Indication.INDETERMINATE, "NO_SIGNING_CERTIFICATE_FOUND")

Signed = tuple[Part, tuple[Part, ...]]


def in_cms(pki: Pki) -> Signed:
    info = cms.ContentInfo.load(signed(pki, NAME))
    info["content"]["certificates"] = []
    return document(BUNDLE), beside(info.dump(force=True))


def in_jws(pki: Pki) -> Signed:
    files = pki.signer(NAME)
    thumbprint = jose.encoded(hashlib.sha256(files.chain()[0]).digest()).decode()
    header = {"alg": "ES256", "iat": int(NOW.timestamp()), "x5t#S256": thumbprint}
    head = jose.encoded(json.dumps(header).encode())
    octets = head + b"." + jose.encoded(BUNDLE)
    value = ALGORITHMS.sign(files.private_key(), jose.ALGORITHMS["ES256"][0], octets)
    return document(BUNDLE), beside(head + b".." + jose.encoded(value))


def in_xades(pki: Pki) -> Signed:
    """KeyInfo holds nothing; SigningCertificateV2 names the certificate by its digest."""
    octets = re.sub(rb"<ds:KeyInfo>.*</ds:KeyInfo>", b"", signed(pki, NAME, "xades"), flags=re.S)
    return document(octets), ()


NAMING = pytest.mark.parametrize("made", [in_cms, in_jws, in_xades])


def verifier(pki: Pki, *more: Path) -> Verifier:
    return Verifier(Trust.load([pki.trust, *more], ALGORITHMS), ALGORITHMS)


def folder(place: Path, *certificates: bytes) -> Path:
    for number, der in enumerate(certificates):
        (place / f"{number}.der").write_bytes(der)
    return place


def verdict(report: SignatureReport) -> tuple[Indication, str | None]:
    (one,) = report.signatures
    return one.indication, one.sub_indication


@NAMING
def test_a_certificate_in_a_trust_folder_is_found_and_judged(
    pki: Pki, tmp_path: Path, made: Callable[[Pki], Signed]
) -> None:
    file, signatures = made(pki)
    assert verdict(verifier(pki).verify(file, signatures, NOW)) == NOT_FOUND
    at_hand = verifier(pki, folder(tmp_path, pki.signer(NAME).chain()[0]))
    found = at_hand.verify(file, signatures, NOW)
    assert verdict(found) == (Indication.TOTAL_PASSED, None)
    assert _signer(found.signatures[0]) == hashlib.sha256(pki.signer(NAME).chain()[0]).hexdigest()


@NAMING
def test_lying_in_a_folder_makes_nobody_trusted(
    pki: Pki, tmp_path: Path, made: Callable[[Pki], Signed]
) -> None:
    file, signatures = made(pki)
    place = folder(tmp_path, pki.signer(NAME).chain()[0])
    alone = Verifier(Trust.load([place], ALGORITHMS), ALGORITHMS)
    assert verdict(alone.verify(file, signatures, NOW)) == (
        Indication.INDETERMINATE,
        "NO_CERTIFICATE_CHAIN_FOUND",
    )


@NAMING
def test_a_certificate_that_comes_later_is_found_without_a_restart(
    pki: Pki, tmp_path: Path, made: Callable[[Pki], Signed]
) -> None:
    file, signatures = made(pki)
    one = verifier(pki, tmp_path)
    assert verdict(one.verify(file, signatures, NOW)) == NOT_FOUND
    folder(tmp_path, pki.signer(NAME).chain()[0])
    assert verdict(one.verify(file, signatures, NOW)) == (Indication.TOTAL_PASSED, None)


@pytest.mark.parametrize("broken", [False, True])
@NAMING
def test_the_verdict_comes_out_again_without_the_folder(
    pki: Pki, tmp_path: Path, made: Callable[[Pki], Signed], broken: bool
) -> None:
    """The certificate that was lent is evidence, of a failure as well."""
    file, signatures = made(pki)
    if broken:
        file = document(file.body.replace(b"5.00", b"5.01").replace(b"5,10", b"5,11"))
    at_hand = verifier(pki, folder(tmp_path, pki.signer(NAME).chain()[0]))
    stored = at_hand.verify(file, signatures, NOW)
    assert (stored.indication is Indication.TOTAL_FAILED) is broken
    assert differences(stored, judged_again(stored, file, signatures, ALGORITHMS, NOW)) == ()


def test_two_certificates_of_one_name_at_hand_decide_nothing(pki: Pki, tmp_path: Path) -> None:
    """Whose number is given twice has not named anybody."""
    file, signatures = in_cms(pki)
    der = pki.signer(NAME).chain()[0]
    other = x509.Certificate.load(der).copy()
    other["signature_value"] = b"\x00"
    place = folder(tmp_path, der, other.dump(force=True))
    assert verdict(verifier(pki, place).verify(file, signatures, NOW)) == NOT_FOUND


# --- the certificate of a time-stamping authority ------------------------------------------

AUTHORITY = "gost256-tsa"


def bare_token(pki: Pki, octets: bytes, digest: str = "sha256") -> bytes:
    """Return a token that brings no certificate, as when nobody asked for it."""
    token = cms.ContentInfo.load(stamp(pki, octets, digest))
    token["content"]["certificates"] = []
    return bytes(token.dump(force=True))


def stamps(report: SignatureReport) -> list[tuple[Indication, str | None]]:
    (one,) = report.signatures
    return [(stamp.indication, stamp.sub_indication) for stamp in one.timestamps]


def test_an_authority_in_a_trust_folder_is_found_and_judged(pki: Pki, tmp_path: Path) -> None:
    octets = signed(pki, NAME)
    token = attribute(SIGNATURE_TIME_STAMP, bare_token(pki, value_of(octets)))
    file, signatures = document(BUNDLE), beside(adding(octets, token))
    assert stamps(verifier(pki).verify(file, signatures, NOW)) == [NOT_FOUND]
    at_hand = verifier(pki, folder(tmp_path, pki.signer(AUTHORITY).chain()[0]))
    found = at_hand.verify(file, signatures, NOW)
    assert stamps(found) == [(Indication.TOTAL_PASSED, None)]
    assert found.signatures[0].level == "T"


@pytest.mark.parametrize("digest", ["sha256", "sha1"])
def test_an_authority_that_was_lent_is_evidence(pki: Pki, tmp_path: Path, digest: str) -> None:
    """Of a token that is believed, and of one that is too weak for that."""
    file, signatures = document(BUNDLE), beside(bare_token(pki, BUNDLE, digest))
    at_hand = verifier(pki, folder(tmp_path, pki.signer(AUTHORITY).chain()[0]))
    stored = at_hand.verify(file, signatures, NOW)
    assert differences(stored, judged_again(stored, file, signatures, ALGORITHMS, NOW)) == ()


def _signer(finding: SignatureFinding) -> str:
    assert finding.signer is not None
    return finding.signer.certificate_sha256
