"""The user's inputs to path validation come from the configuration, and only known ones."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.trust import PathPolicy, Trust, read_policy
from tests.pki.build import ALGORITHMS, NOW, below, issue, list_of, root

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
