"""Time-stamp tokens in files of their own: told apart from signatures, and judged as stamps."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.model import CheckedSignature, Indication, Part
from gateway.sandbox.pki import Pki
from gateway.signatures import cms as form
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.cms_made import stamp, tlv
from tests.unit.signatures.made import BUNDLE, beside, document, verifier

GRANTED = tlv(0x30, b"\x02\x01\x00")
WORDED = tlv(0x30, b"\x02\x01\x01" + tlv(0x30, tlv(0x0C, b"Operation Okay")))
REJECTED = tlv(0x30, b"\x02\x01\x02")


def bare(token: bytes) -> bytes:
    return token


def answered(token: bytes) -> bytes:
    return tlv(0x30, GRANTED + token)


def answered_in_words(token: bytes) -> bytes:
    return tlv(0x30, WORDED + token)


def checked(file: bytes, *, over: bytes = BUNDLE) -> CheckedSignature:
    (one,) = form.check(document(over), beside(file), ALGORITHMS)
    return one


@pytest.mark.parametrize("written", [bare, answered, answered_in_words])
def test_a_token_beside_its_document_stamps_it_and_signs_nothing(
    pki: Pki, written: Callable[[bytes], bytes]
) -> None:
    """As `openssl ts` writes them; that a document existed says not who answers for it."""
    one = checked(written(stamp(pki, BUNDLE)))
    assert (one.format, one.indication) == ("RFC3161", Indication.INDETERMINATE)
    assert one.checks[-1].detail == "a time stamp alone: nobody signed"
    assert [(c.octets, c.scope) for c in one.covered] == [(BUNDLE, "FULL")]
    assert [(s.at, s.indication) for s in one.timestamps] == [(NOW, Indication.TOTAL_PASSED)]


@pytest.mark.parametrize("written", [bare, answered])
def test_a_token_of_another_document_fails(pki: Pki, written: Callable[[bytes], bytes]) -> None:
    one = checked(written(stamp(pki, BUNDLE)), over=BUNDLE + b" ")
    assert (one.indication, one.sub_indication) == (Indication.TOTAL_FAILED, "HASH_FAILURE")
    assert one.covered == ()


def test_a_changed_token_fails_and_covers_nothing(pki: Pki) -> None:
    token = stamp(pki, BUNDLE)
    one = checked(token[:-1] + bytes([token[-1] ^ 1]))
    assert (one.indication, one.sub_indication) == (Indication.TOTAL_FAILED, "SIG_CRYPTO_FAILURE")
    assert one.covered == ()


def test_a_token_alone_is_over_nothing_at_hand(pki: Pki) -> None:
    file = Part(name="document", media_type="", body=answered(stamp(pki, BUNDLE)))
    (one,) = form.check(file, (), ALGORITHMS)
    assert (one.indication, one.sub_indication) == (
        Indication.INDETERMINATE,
        "SIGNED_DATA_NOT_FOUND",
    )


@pytest.mark.parametrize(
    "file",
    [
        tlv(0x30, REJECTED),
        tlv(0x30, GRANTED),
        answered(b"\x30\x80" * 2_000),
        tlv(0x30, GRANTED + b"\x05\x00" * 2),
    ],
)
def test_an_answer_without_a_readable_token_is_a_failure_not_a_crash(pki: Pki, file: bytes) -> None:
    report = verifier(pki).verify(document(BUNDLE), beside(file), NOW)
    assert [(one.indication, one.sub_indication) for one in report.signatures] == [
        (Indication.TOTAL_FAILED, "FORMAT_FAILURE")
    ]


def test_the_authority_is_judged_as_one_that_stamps(pki: Pki) -> None:
    """Not as a signer whose certificate is only for stamping, which would mislead."""
    report = verifier(pki).verify(document(BUNDLE), beside(stamp(pki, BUNDLE)), NOW)
    (one,) = report.signatures
    assert one.signer is None
    assert [stamp.indication for stamp in one.timestamps] == [Indication.TOTAL_PASSED]
    assert all(check.name != "key_usage" for check in one.checks)
