"""The user's inputs to path validation come from the configuration, and only known ones."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from gateway.algorithms.policy import standard
from gateway.sandbox import certificates as made
from gateway.sandbox.certificates import Period
from gateway.trust import PathPolicy, Trust, read_policy
from tests.pki.build import ALGORITHMS, CURRENT, DAY, NOW, below, issue, list_of, root

KC1, FOREIGN = "1.2.643.100.113.1", "1.2.3.4"


def test_an_empty_table_asks_for_nothing() -> None:
    assert read_policy({}) == PathPolicy()


def test_a_full_table_is_read() -> None:
    table = {
        "policies": [KC1],
        "explicit_policy": True,
        "policy_mapping_inhibited": True,
        "any_policy_inhibited": True,
        "revocation_hours_max": 12,
    }
    assert read_policy(table) == PathPolicy(
        policies=frozenset({KC1}),
        explicit_policy=True,
        policy_mapping_inhibited=True,
        any_policy_inhibited=True,
        revocation_age_max=timedelta(hours=12),
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("policies", []),
        ("policies", "1.2.3"),
        ("policies", ["any"]),
        ("policies", [7]),
        ("explicit_policy", 1),
        ("any_policy_inhibited", "yes"),
        ("revocation_hours_max", 0),
        ("revocation_hours_max", True),
        ("revocation_hours_max", "12"),
        ("weak_algorithms", True),
    ],
)
def test_what_a_policy_does_not_know_is_refused_by_name(key: str, value: object) -> None:
    """Weak algorithms among it: no configuration lets them in."""
    with pytest.raises(ValueError, match=key):
        read_policy({key: value})


@pytest.mark.parametrize(
    ("asked", "explicit", "expected"),
    [
        (KC1, True, None),
        (FOREIGN, True, "CERTIFICATE_CHAIN_GENERAL_FAILURE"),
        (FOREIGN, False, None),
    ],
)
def test_a_path_must_be_good_for_a_policy_that_is_asked_for(
    asked: str, explicit: bool, expected: str | None
) -> None:
    """Signers of the sandbox are certified for КС1, as every qualified certificate."""
    anchor = root("Root", "ecdsa")
    authority = below(anchor)
    trust = Trust(
        [anchor.certificate.dump()],
        [authority.certificate.dump()],
        [list_of(anchor).dump(), list_of(authority).dump()],
        algorithms=ALGORITHMS,
        policy=PathPolicy(policies=frozenset({asked}), explicit_policy=explicit),
    )
    assert trust.judge(issue(authority).der, (), NOW).sub_indication == expected


@pytest.mark.parametrize(
    ("digest", "expected"),
    [("sha256", "CRYPTO_CONSTRAINTS_FAILURE"), ("sha384", None)],
)
def test_the_policy_of_algorithms_is_asked_for_the_moment(
    digest: str, expected: str | None
) -> None:
    """A digest that ends today carries a certificate yesterday and not tomorrow."""
    anchor = root("Root", "ecdsa")
    authority = below(anchor)
    table = {"digests": {digest: {"until": date(NOW.year, NOW.month, NOW.day)}}}
    long = Period(begins=NOW - 9 * DAY, ends=NOW + 9 * DAY)
    trust = Trust(
        [anchor.certificate.dump()],
        [authority.certificate.dump()],
        [list_of(anchor, period=long).dump(), list_of(authority, period=long).dump()],
        algorithms=ALGORITHMS.under(standard().laid_over(table)),
    )
    signer = issue(authority).der
    assert trust.judge(signer, (), NOW - DAY).sub_indication is None
    found = trust.judge(signer, (), NOW + DAY)
    assert found.sub_indication == expected
    details = [check.detail for check in found.checks if check.name == "crypto_policy"]
    assert any("sha256 carried until" in detail for detail in details) is bool(expected)


def test_a_list_by_an_algorithm_that_ended_is_none() -> None:
    """Certificates of one family, and an authority whose lists are signed by another."""
    anchor = root("Root", "gost512")
    weak = below(anchor, "Weak")
    table = {"keys": [{"families": ["gost256"], "bits": 256, "until": date(2020, 1, 1)}]}
    algorithms = ALGORITHMS.under(standard().laid_over(table))
    usage = made.extension("key_usage", {"crl_sign"}, critical=True)
    lister = issue(anchor, "Weak", [usage], family="gost256").as_authority()
    for crl, expected in ((list_of(lister), "TRY_LATER"), (list_of(weak), None)):
        trust = Trust(
            [anchor.certificate.dump()],
            [weak.certificate.dump(), lister.certificate.dump()],
            [list_of(anchor, period=CURRENT).dump(), crl.dump()],
            algorithms=algorithms,
        )
        assert trust.judge(issue(weak).der, (), NOW).sub_indication == expected
