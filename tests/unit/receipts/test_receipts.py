"""Receipts: anybody can check one without asking us, and no changed byte passes."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.receipts.issue import Receipts
from gateway.receipts.verify import verify
from gateway.store import audit_entry

AT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
AUDIT = audit_entry("lis-1", "submission.keep", "s-1", {}, AT)
RECEIPTS = Receipts(bytes(range(32)), "https://gateway.test")
STRANGER = Receipts(bytes(range(1, 33)), "https://gateway.test")
CLAIMS = {"submission": "s-1", "sha256": "00" * 32, "streebog256": None}


def test_a_receipt_says_what_it_is_about_and_what_it_promises() -> None:
    receipt = RECEIPTS.issue("accepted", CLAIMS, AUDIT, AT)
    found = verify(receipt.jws, RECEIPTS.jwks())
    assert (found.valid, found.included, found.reason) == (True, "pending", "")
    assert found.claims["kind"] == "accepted"
    assert found.claims["number"] == receipt.number
    assert receipt.number.startswith("R-20261121-")
    assert found.claims["audit"]["leaf"] == AUDIT.leaf
    assert "streebog256" not in found.claims


def test_anybody_with_an_ed25519_library_can_check_it() -> None:
    """Checked here without any code of ours: RFC 7515, section 5.2."""
    header, payload, signature = RECEIPTS.issue("accepted", CLAIMS, AUDIT, AT).jws.split(".")
    (key,) = RECEIPTS.jwks()["keys"]  # type: ignore[misc]
    decoded = [base64.urlsafe_b64decode(text + "==") for text in (str(key["x"]), signature, header)]
    Ed25519PublicKey.from_public_bytes(decoded[0]).verify(
        decoded[1], f"{header}.{payload}".encode()
    )
    said = json.loads(decoded[2])
    assert (said["alg"], said["typ"], said["kid"]) == ("EdDSA", "receipt+jws", key["kid"])


def test_no_byte_can_be_changed() -> None:
    """Not even the bits of base64 that decoders drop."""
    jws = RECEIPTS.issue("refused", CLAIMS, AUDIT, AT).jws
    jwks = RECEIPTS.jwks()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.="
    for place, old in enumerate(jws):
        for new in (alphabet[(alphabet.index(old) + step) % len(alphabet)] for step in (1, 17)):
            changed = verify(jws[:place] + new + jws[place + 1 :], jwks)
            assert not changed.valid, place
            assert changed.claims == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "ы.ы.ы",
        "null.null.null",
        "bnVsbA.bnVsbA.bnVsbA",
        "W10.e30.AA",
    ],
)
def test_noise_is_no_receipt_and_no_crash(text: str) -> None:
    assert not verify(text, RECEIPTS.jwks()).valid


def test_a_strangers_receipt_is_not_ours() -> None:
    receipt = STRANGER.issue("accepted", CLAIMS, AUDIT, AT)
    assert not verify(receipt.jws, RECEIPTS.jwks()).valid
    forged: dict[str, object] = {"keys": [STRANGER.jwks()["keys"][0] | {"kid": RECEIPTS.kid}]}  # type: ignore[index,operator]
    own = RECEIPTS.issue("accepted", CLAIMS, AUDIT, AT)
    assert not verify(own.jws, forged).valid  # type: ignore[arg-type]


def test_a_signed_head_is_no_receipt_and_a_receipt_no_head() -> None:
    """One key signs both, so the type must tell them apart."""
    head = RECEIPTS.sign_head(3, "00" * 32, AT)
    assert not verify(head, RECEIPTS.jwks()).valid
    assert RECEIPTS.read_head(RECEIPTS.issue("accepted", CLAIMS, AUDIT, AT).jws) is None
    said = RECEIPTS.read_head(head)
    assert said is not None
    assert (said["size"], said["root"]) == (3, "00" * 32)


def test_a_line_end_around_the_receipt_does_no_harm() -> None:
    """People keep receipts in files."""
    assert verify(RECEIPTS.issue("accepted", CLAIMS, AUDIT, AT).jws + "\n", RECEIPTS.jwks()).valid


def test_two_receipts_never_share_a_number() -> None:
    numbers = {RECEIPTS.issue("accepted", CLAIMS, AUDIT, AT).number for _ in range(500)}
    assert len(numbers) == 500


def test_claims_may_not_overrule_the_receipt() -> None:
    with pytest.raises(AssertionError):
        RECEIPTS.issue("accepted", {"number": "R-1"}, AUDIT, AT)
    with pytest.raises(AssertionError):
        RECEIPTS.issue("paid", CLAIMS, AUDIT, AT)
