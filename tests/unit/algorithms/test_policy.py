"""The policy of algorithms: what carries a verdict, and when."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime

import pytest

from gateway.algorithms import policy as policies
from gateway.algorithms.interface import DIGESTS, Scheme
from gateway.algorithms.policy import BadPolicy
from tests.pki.build import ALGORITHMS, NOW

OURS = policies.standard()


def rsa(digest: str = "sha256") -> Scheme:
    return Scheme(family="rsa", digest=digest)


@pytest.mark.parametrize("digest", ["md5", "sha1", "gost94"])
@pytest.mark.parametrize("at", [None, NOW])
def test_broken_digests_carry_nothing_made_today(digest: str, at: datetime | None) -> None:
    assert OURS.judge(digest, 0, at)
    assert OURS.judge(rsa(digest), 4096, at)


@pytest.mark.parametrize("digest", ["sha256", "sha512", "sha3_256", "streebog256", "streebog512"])
@pytest.mark.parametrize("at", [None, NOW, datetime(2036, 1, 1, tzinfo=UTC)])
def test_sound_digests_have_no_end_yet(digest: str, at: datetime | None) -> None:
    assert OURS.judge(digest, 0, at) is None


def test_an_old_digest_carries_what_was_provably_made_before_its_end() -> None:
    day = OURS.digests["sha1"].until
    assert day is not None
    end = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert OURS.judge("sha1", 0, end) == "digest sha1 carried until 2012-08-01"
    assert OURS.judge("sha1", 0, end.replace(year=2012, month=7, day=31)) is None


@pytest.mark.parametrize(
    ("family", "digest", "weak", "strong"),
    [
        ("rsa", "sha256", 2047, 2048),
        ("rsa-pss", "sha384", 1024, 3072),
        ("ecdsa", "sha256", 224, 256),
    ],
)
def test_keys_have_a_least_size(family: str, digest: str, weak: int, strong: int) -> None:
    scheme = Scheme(family=family, digest=digest)
    assert OURS.judge(scheme, weak, NOW)
    assert OURS.judge(scheme, strong, NOW) is None


def test_gost_2001_is_history_and_2012_is_not() -> None:
    old = Scheme(family="gost2001", digest="gost94")
    assert OURS.judge(old, 256, NOW)
    assert OURS.judge(old, 256, datetime(2018, 6, 1, tzinfo=UTC)) is None
    assert OURS.judge(Scheme(family="gost256", digest="streebog256"), 256, NOW) is None


def test_what_nobody_listed_is_refused() -> None:
    assert OURS.judge("md2", 0, NOW) == "digest md2 is not in the policy"
    assert OURS.judge(Scheme(family="dsa", digest="sha256"), 2048, NOW)
    assert OURS.judge(rsa(), 512, datetime(1999, 1, 1, tzinfo=UTC))


def test_a_permissive_policy_takes_all_we_can_compute() -> None:
    """For collections of old files, where only the mathematics are asked for."""
    taken = policies.permissive()
    assert taken.judge(rsa("md5"), 512, NOW) is None
    assert taken.judge("md2", 0, NOW)
    assert {name for name in DIGESTS if taken.judge(name, 0, None)} <= {"sha3_224"}


def test_rules_of_ones_own_lie_over_ours() -> None:
    table = tomllib.loads(
        'name = "archive"\ndigests.sha1 = {}\ndigests.sha256 = { until = 2026-01-01 }\n'
        'keys = [{ families = ["rsa"], bits = 1024 }]'
    )
    own = OURS.laid_over(table)
    assert own.name == "archive"
    assert own.judge(rsa("sha1"), 1024, NOW) is None
    assert own.judge("sha256", 0, NOW)
    assert own.judge("sha512", 0, NOW) is None
    assert own.judge(Scheme(family="ecdsa", digest="sha512"), 224, NOW)


def test_a_rule_may_begin_later() -> None:
    own = OURS.laid_over({"digests": {"sha3_256": {"since": date(2030, 1, 1)}}})
    assert own.judge("sha3_256", 0, NOW) == "digest sha3_256 carries since 2030-01-01"
    assert own.judge("sha3_256", 0, datetime(2030, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    "table",
    [
        {"digest": {}},
        {"name": ""},
        {"digests": []},
        {"digests": {"sha1": {"until": "2030"}}},
        {"digests": {"sha1": {"until": NOW}}},
        {"digests": {"sha1": {"forever": True}}},
        {"digests": {"sha1": 7}},
        {"keys": {}},
        {"keys": [7]},
        {"keys": [{"bits": 5}]},
        {"keys": [{"families": [], "bits": 5}]},
        {"keys": [{"families": "rsa", "bits": 5}]},
        {"keys": [{"families": ["rsa"], "bits": True}]},
        {"keys": [{"families": ["rsa"], "bits": -1}]},
        {"keys": [{"families": ["rsa"]}] * 501},
    ],
)
def test_a_table_that_is_no_policy_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(BadPolicy):
        OURS.laid_over(table)


def test_evidence_has_a_day_to_be_renewed_by() -> None:
    assert OURS.foreseen(rsa(), 2048) == date(2028, 12, 31)
    assert OURS.foreseen(rsa(), 4096) is None
    assert OURS.foreseen("sha1", 0) == date(2012, 8, 1)


def test_the_policy_travels_with_the_algorithms() -> None:
    """A form needs no other way to it, and one verifier's policy is not another's."""
    other = ALGORITHMS.under(policies.permissive())
    assert other.refused("sha1") is None
    assert ALGORITHMS.refused("sha1")
    before = ALGORITHMS.at(datetime(2011, 1, 1, tzinfo=UTC))
    assert before.refused("sha1") is None
    assert ALGORITHMS.moment is None
