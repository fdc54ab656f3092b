"""Time-stamp tokens: what they stamp, who stamped, and what never passes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from asn1crypto import cms, tsp

from gateway.model import CheckedTimestamp, Indication
from gateway.sandbox.pki import Pki
from gateway.signatures.timestamps import UNREAD, TimeStampResp, check_token
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.cms_made import authority
from tests.unit.signatures.made import FAMILIES, signed

STAMPED = b"the value of a signature"


def token(pki: Pki, digest: str = "sha256", name: str = "gost256-tsa") -> bytes:
    return authority(pki, name).stamp(digest, STAMPED, NOW)


def checked(octets: bytes, stamped: bytes = STAMPED) -> CheckedTimestamp:
    return check_token(octets, stamped, "signature", ALGORITHMS)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("digest", ["sha256", "sha512", "streebog256"])
def test_a_token_tells_when_its_octets_existed(pki: Pki, family: str, digest: str) -> None:
    one = checked(token(pki, digest, f"{family}-tsa"))
    assert one.indication is Indication.TOTAL_PASSED, one.checks
    assert (one.kind, one.at) == ("signature", NOW)
    assert one.certificate == pki.signer(f"{family}-tsa").chain()[0]
    assert one.other_certificates == pki.signer(f"{family}-tsa").chain()[1:]


def test_a_token_over_other_octets_proves_nothing(pki: Pki) -> None:
    """Case G2: the imprint is of something else, as when a token is copied over."""
    one = checked(token(pki), STAMPED + b"!")
    assert (one.indication, one.sub_indication) == (Indication.TOTAL_FAILED, "HASH_FAILURE")


def test_a_token_whose_content_was_changed_fails(pki: Pki) -> None:
    octets = token(pki)
    year = octets.index(NOW.strftime("%Y%m%d").encode())
    changed = octets[:year] + b"2001" + octets[year + 4 :]
    assert checked(changed).sub_indication == "HASH_FAILURE"


def test_a_token_whose_signature_was_changed_fails(pki: Pki) -> None:
    octets = token(pki)
    one = checked(octets[:-1] + bytes([octets[-1] ^ 1]))
    assert (one.indication, one.sub_indication) == (Indication.TOTAL_FAILED, "SIG_CRYPTO_FAILURE")


def test_a_weak_imprint_proves_nothing(pki: Pki) -> None:
    one = checked(token(pki, "sha1"))
    assert one.indication is Indication.INDETERMINATE
    assert one.sub_indication == "CRYPTO_CONSTRAINTS_FAILURE"


def test_an_imprint_of_an_unknown_digest_is_undecided(pki: Pki) -> None:
    octets = authority(pki).token("md2", bytes(16), NOW)
    one = checked(octets)
    assert one.indication is Indication.INDETERMINATE
    assert one.sub_indication == "CRYPTO_CONSTRAINTS_FAILURE"


def test_a_signed_document_is_no_token(pki: Pki) -> None:
    """An authority's signature over a document must not pass for a time."""
    one = checked(signed(pki, detached=False))
    assert (one.indication, one.sub_indication, one.at) == (
        Indication.TOTAL_FAILED,
        "FORMAT_FAILURE",
        UNREAD,
    )


@pytest.mark.parametrize(
    "octets", [b"", b"\x30\x00", b"<a/>", bytes(40), b"\x30\x80" * 5000, b"0" * (1 << 21)]
)
def test_noise_is_a_failure_and_never_raises(octets: bytes) -> None:
    one = checked(octets)
    assert (one.indication, one.sub_indication) == (Indication.TOTAL_FAILED, "FORMAT_FAILURE")
    assert one.certificate is None


def _twice(signed: cms.SignedData) -> None:
    signed["signer_infos"].append(signed["signer_infos"][0])


def _detached(signed: cms.SignedData) -> None:
    signed["encap_content_info"] = {"content_type": "tst_info"}


@pytest.mark.parametrize("change", [_twice, _detached])
def test_a_token_has_one_signer_and_its_content(
    pki: Pki, change: Callable[[cms.SignedData], None]
) -> None:
    file = cms.ContentInfo.load(token(pki))
    change(file["content"])
    assert checked(file.dump(force=True)).sub_indication == "FORMAT_FAILURE"


def test_a_certificate_left_out_is_found_among_the_known(pki: Pki) -> None:
    """An authority need not send its certificate when the request did not ask for it."""
    file = cms.ContentInfo.load(token(pki))
    file["content"]["certificates"] = []
    bare = file.dump(force=True)
    one = checked(bare)
    assert one.indication is Indication.INDETERMINATE
    assert one.sub_indication == "NO_SIGNING_CERTIFICATE_FOUND"
    chain = pki.signer("gost256-tsa").chain()
    known = check_token(bare, STAMPED, "archive", ALGORITHMS, chain)
    assert known.indication is Indication.TOTAL_PASSED


def test_the_authority_answers_a_request_with_its_nonce(pki: Pki) -> None:
    request = tsp.TimeStampReq(
        {
            "version": "v1",
            "message_imprint": {
                "hash_algorithm": {"algorithm": "streebog256"},
                "hashed_message": ALGORITHMS.digest("streebog256", STAMPED),
            },
            "nonce": 77,
            "cert_req": True,
        }
    )
    answer = TimeStampResp.load(authority(pki).respond(request.dump(), NOW))
    assert answer["status"]["status"].native == "granted"
    made = answer["time_stamp_token"]
    assert made["content"]["encap_content_info"]["content"].parsed["nonce"].native == 77
    assert checked(made.dump()).indication is Indication.TOTAL_PASSED


@pytest.mark.parametrize(
    ("digest", "octets", "reason"),
    [("sha1", bytes(20), "bad_alg"), ("sha256", bytes(31), "bad_alg")],
)
def test_the_authority_refuses_what_it_should_not_stamp(
    pki: Pki, digest: str, octets: bytes, reason: str
) -> None:
    request = tsp.TimeStampReq(
        {
            "version": "v1",
            "message_imprint": {"hash_algorithm": {"algorithm": digest}, "hashed_message": octets},
        }
    )
    answer = TimeStampResp.load(authority(pki).respond(request.dump(), NOW))
    assert answer["status"]["status"].native == "rejection"
    assert answer["status"]["fail_info"].native == {reason}
    noise = TimeStampResp.load(authority(pki).respond(b"noise", NOW))
    assert noise["status"]["fail_info"].native == {"bad_data_format"}
