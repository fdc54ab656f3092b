"""What is new on a trusted list beside the snapshot before it."""

from __future__ import annotations

from gateway.trust.lists import read_list
from gateway.trust.lists.changes import Change, changes
from tests.pki.build import issue, root
from tests.pki.trusted_lists import Listed, european, russian

AUTHORITY = root("Root", "ecdsa")
ONE, TWO = (issue(AUTHORITY, title).der for title in ("One", "Two"))
ACTIVE, SUSPENDED = ("Действует", "2020-01-01"), ("Приостановлена", "2026-11-01")
ENDED = ("Прекращена", "2026-11-01")


def listed(*certificates: bytes, name: str = "УЦ", status: tuple[str, str] = ACTIVE) -> Listed:
    return Listed(name=name, certificates=certificates, statuses=[status])


def told(before: tuple[Listed, ...], after: tuple[Listed, ...]) -> list[Change]:
    old = read_list(russian(*before, issued="2026-11-19T00:00:00", version="1"))
    return list(changes(old, read_list(russian(*after, version="2"))))


def test_nothing_changed() -> None:
    assert told((listed(ONE),), (listed(ONE),)) == []


def test_an_authority_came_and_another_went() -> None:
    came, went = told((listed(ONE, name="Старый"),), (listed(TWO, name="Новый"),))
    assert (came.kind, came.provider, came.now, came.good) == ("added", "Новый", "действует", True)
    assert (went.kind, went.provider) == ("removed", "Старый")


def test_accreditation_was_suspended_or_ended() -> None:
    """To the day: suspended is another word than ended, and neither is accredited."""
    for status, word in ((SUSPENDED, "приостановлена"), (ENDED, "прекращена")):
        (found,) = told((listed(ONE),), (listed(ONE, status=status),))
        assert (found.kind, found.was, found.now, found.good) == (
            "status",
            "действует",
            word,
            False,
        )
        assert found.since is not None


def test_a_status_that_begins_later_has_not_changed_yet() -> None:
    later = listed(ONE, status=("Прекращена", "2026-12-01"))
    both = Listed(name="УЦ", certificates=[ONE], statuses=[*later.statuses, ACTIVE])
    assert told((listed(ONE),), (both,)) == []


def test_certificates_were_added_and_removed() -> None:
    (more,) = told((listed(ONE),), (listed(ONE, TWO),))
    assert (more.kind, len(more.keys_added), len(more.keys_removed)) == ("keys", 1, 0)
    (less,) = told((listed(ONE, TWO),), (listed(ONE),))
    assert (less.kind, len(less.keys_added), len(less.keys_removed)) == ("keys", 0, 1)
    assert more.keys_added == less.keys_removed


def test_an_authority_that_was_renamed_is_the_same_one() -> None:
    assert told((listed(ONE, name="ООО УЦ"),), (listed(ONE, name="АО УЦ"),)) == []


def test_one_without_readable_certificates_is_known_by_its_name() -> None:
    assert told((listed(b"noise"),), (listed(b"noise"),)) == []
    kinds = [one.kind for one in told((listed(b"noise"),), (listed(b"noise", name="Иной"),))]
    assert sorted(kinds) == ["added", "removed"]


def test_of_a_first_list_everything_is_new() -> None:
    service = Listed(name="CA", certificates=[ONE], statuses=[("granted", "2017-01-01T00:00:00Z")])
    (found,) = changes(None, read_list(european(service)))
    assert (found.kind, found.now) == ("added", "granted")
