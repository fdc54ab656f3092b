"""Every JWS algorithm that is claimed holds over its key, and over no other."""

from __future__ import annotations

from functools import cache

import pytest

from gateway.model import Indication
from gateway.signatures import jose, sign_json
from tests.pki.build import ALGORITHMS, NOW, Signing
from tests.unit.signatures.made import BUNDLE
from tests.unit.signatures.made_json import compact, one, signing

CLASSIC = [name for name in jose.ALGORITHMS if not name.startswith("GOST")]


@cache
def key(name: str) -> Signing:
    return signing("RS256" if name[:2] in ("RS", "PS") else name)


@pytest.mark.parametrize("name", CLASSIC)
def test_a_claimed_algorithm_holds_over_its_key_and_over_this_content(name: str) -> None:
    octets = compact(key(name), name)
    good = one(octets)
    assert good.indication is Indication.TOTAL_PASSED, good.checks
    assert [c.octets for c in good.covered] == [BUNDLE]
    bad = one(octets, BUNDLE + b" ")
    assert (bad.indication, bad.sub_indication) == (Indication.TOTAL_FAILED, "SIG_CRYPTO_FAILURE")


@pytest.mark.parametrize("name", CLASSIC)
def test_one_changed_bit_of_a_value_fails(name: str) -> None:
    head, _, value = compact(key(name), name).split(b".")
    raw = bytearray(jose.decoded(value, ""))
    raw[len(raw) // 2] ^= 1
    assert one(head + b".." + jose.encoded(bytes(raw))).indication is Indication.TOTAL_FAILED


@pytest.mark.parametrize("name", ["ES256", "BP256R1"])
def test_a_raw_value_with_zeros_or_of_another_length_fails(name: str) -> None:
    """Case E9: r or s of zero proves everything where it is not refused; DER is no raw value."""
    head, _, value = compact(key(name), name).split(b".")
    raw = jose.decoded(value, "")
    half = len(raw) // 2
    for broken in (bytes(len(raw)), raw[:half] + bytes(half), raw + b"\0", raw[:-1], b""):
        found = one(head + b".." + jose.encoded(broken))
        assert found.indication is Indication.TOTAL_FAILED, broken


@pytest.mark.parametrize(
    ("made", "claimed"),
    [("ES256", "BP256R1"), ("BP256R1", "ES256"), ("Ed25519", "Ed448"), ("ES384", "ES256")],
)
def test_a_key_of_another_curve_fails_by_name(made: str, claimed: str) -> None:
    """Case E7: the curve belongs to the algorithm, whatever the certificate says."""
    octets = compact(key(made), made)
    head, _, value = octets.split(b".")
    other = jose.decoded(head, "").replace(made.encode(), claimed.encode(), 1)
    found = one(jose.encoded(other) + b".." + value)
    assert (found.indication, found.sub_indication) == (
        Indication.TOTAL_FAILED,
        "SIG_CRYPTO_FAILURE",
    )
    assert any(check.name == "algorithm_binding" for check in found.checks)


@pytest.mark.parametrize("name", ["Ed25519", "Ed448", "BP256R1", "ES512"])
def test_what_we_sign_with_a_key_holds_by_it(name: str) -> None:
    made = sign_json.file(
        BUNDLE,
        key=key(name).key,
        chain=[key(name).der],
        algorithms=ALGORITHMS,
        detached=True,
        at=NOW,
    )
    found = one(made)
    assert (found.indication, found.level, found.claimed_at) == (
        Indication.TOTAL_PASSED,
        "B",
        NOW,
    )
