"""Accreditation is what a trusted list says of the day a certificate was issued."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gateway.trust import PathPolicy, Trust
from gateway.trust.lists import NotAList, keep_list, read_list
from gateway.trust.lists.values import SERVICES_MAX
from tests.pki.build import ALGORITHMS, below, root
from tests.pki.trusted_lists import Listed, european, russian

ROOT = root("Root", "gost256")
CA, OTHER = below(ROOT, "Аккредитованный УЦ"), below(ROOT, "Другой УЦ")
CA_CERTIFICATE, OTHER_CERTIFICATE = CA.certificate.dump(), OTHER.certificate.dump()
AGE = PathPolicy.list_age_max

HISTORY = (
    ("Прекращена", "2025-07-01T00:00:00"),
    ("Действует", "2024-03-01T00:00:00"),
    ("Приостановлена", "2024-01-01T00:00:00"),
    ("Действует", "2020-01-01T00:00:00"),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def listed(*statuses: tuple[str, str], certificate: bytes = CA_CERTIFICATE) -> Listed:
    return Listed(name="АО «УЦ»", certificates=[certificate], statuses=statuses)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "root.der").write_bytes(ROOT.certificate.dump())
    return tmp_path


def state(folder: Path, moment: datetime, certificate: bytes = CA_CERTIFICATE) -> str:
    return Trust.load([folder], ALGORITHMS).accreditation(certificate, moment).state


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2019-12-31T20:59:59", "not"),
        ("2019-12-31T21:00:00", "accredited"),
        ("2023-12-31T20:59:59", "accredited"),
        ("2023-12-31T21:00:00", "not"),
        ("2024-06-01T00:00:00", "accredited"),
        ("2025-06-30T20:59:59", "accredited"),
        ("2025-06-30T21:00:00", "not"),
        ("2026-11-20T00:00:00", "not"),
    ],
)
def test_an_authority_is_judged_on_the_day_of_issue(
    folder: Path, moment: str, expected: str
) -> None:
    """Days begin at Moscow's midnight; a suspension and a later end have their moments."""
    keep_list(folder, russian(listed(*HISTORY)))
    assert state(folder, at(moment)) == expected


def test_the_answer_names_its_source_and_the_day_of_its_snapshot(folder: Path) -> None:
    keep_list(folder, russian(listed(("Действует", "2020-01-01"))))
    found = Trust.load([folder], ALGORITHMS).accreditation(CA_CERTIFICATE, at("2026-01-01"))
    assert (found.state, found.source, found.provider) == ("accredited", "ru", "АО «УЦ»")
    assert found.snapshot_date == date(2026, 11, 20)


def test_without_a_list_nothing_is_known(folder: Path) -> None:
    found = Trust.load([folder], ALGORITHMS).accreditation(CA_CERTIFICATE, at("2026-01-01"))
    assert (found.state, found.source, found.snapshot_date) == ("unknown", "", None)


def test_an_authority_on_no_list_is_not_accredited(folder: Path) -> None:
    """Only a list that speaks for the day can say so."""
    keep_list(folder, russian(listed(("Действует", "2020-01-01"))))
    assert state(folder, at("2026-11-20"), OTHER_CERTIFICATE) == "not"
    issued = at("2026-11-19T21:00:00")
    assert state(folder, issued + AGE, OTHER_CERTIFICATE) == "not"
    assert state(folder, issued + AGE + timedelta(seconds=1), OTHER_CERTIFICATE) == "unknown"


def test_an_old_snapshot_does_not_speak_for_a_new_certificate(folder: Path) -> None:
    keep_list(folder, russian(listed(("Действует", "2020-01-01"))))
    issued = at("2026-11-19T21:00:00")
    assert state(folder, issued + AGE) == "accredited"
    assert state(folder, issued + AGE + timedelta(seconds=1)) == "unknown"


def test_the_newest_snapshot_that_knows_an_authority_counts(folder: Path) -> None:
    """An end is dated back, or an authority is dropped: earlier snapshots are still there."""
    good, ended = ("Действует", "2020-01-01"), ("Прекращена", "2024-01-01")
    keep_list(folder, russian(listed(good), issued="2025-01-01"))
    assert state(folder, at("2024-06-01")) == "accredited"
    keep_list(folder, russian(listed(ended, good), issued="2025-06-01"))
    assert state(folder, at("2024-06-01")) == "not"
    other = Listed(name="Другой", certificates=[OTHER_CERTIFICATE], statuses=[good])
    keep_list(folder, russian(other, issued="2026-01-01"))
    assert state(folder, at("2024-06-01")) == "not"
    assert state(folder, at("2023-06-01")) == "accredited"
    assert len(list(folder.glob("ru-*.xml"))) == 3


def test_a_key_that_a_newer_snapshot_drops_is_accredited_no_more(folder: Path) -> None:
    """An authority is taken off, or one of its keys is: what it issues since is nobody's."""
    good = ("Действует", "2020-01-01")
    other = Listed(name="Другой", certificates=[OTHER_CERTIFICATE], statuses=[good])
    keep_list(folder, russian(listed(good), other, issued="2026-11-01T00:00:00"))
    keep_list(folder, russian(other, issued="2026-11-10T00:00:00"))
    dropped = at("2026-11-09T21:00:00")
    assert state(folder, dropped - timedelta(seconds=1)) == "accredited"
    assert state(folder, dropped) == "not"
    assert state(folder, dropped, OTHER_CERTIFICATE) == "accredited"
    assert state(folder, dropped + AGE + timedelta(seconds=1)) == "unknown"


def test_a_key_that_a_newer_european_snapshot_drops_is_unknown(folder: Path) -> None:
    good = ("granted", "2017-01-01T00:00:00Z")
    other = listed(good, certificate=OTHER_CERTIFICATE)
    keep_list(folder, european(listed(good), issued="2026-11-01T00:00:00Z"))
    keep_list(folder, european(other, issued="2026-11-10T00:00:00Z"))
    assert state(folder, at("2026-11-09")) == "accredited"
    assert state(folder, at("2026-11-10")) == "unknown"


@pytest.mark.parametrize(
    ("current", "expected"), [("Прекращена", "unknown"), ("Действует", "accredited")]
)
def test_a_status_of_no_day_leaves_unknown_what_was_good_before(
    folder: Path, current: str, expected: str
) -> None:
    day = "<ДействуетС>2025-01-01</ДействуетС>"
    octets = russian(listed((current, "2025-01-01"), ("Действует", "2020-01-01")))
    keep_list(folder, octets.replace(day.encode(), b""))
    assert state(folder, at("2025-06-01")) == expected


@pytest.mark.parametrize(
    ("current", "before", "expected"),
    [("Прекращена", "Действует", "not"), ("Действует", "Приостановлена", "accredited")],
)
def test_of_two_statuses_of_one_day_the_current_one_counts(
    folder: Path, current: str, before: str, expected: str
) -> None:
    day = "2024-03-01T00:00:00"
    octets = russian(listed((current, day), (before, day)))
    # The history may tell the older of the two first.
    head, history, tail = octets.partition("<ИсторияСтатусовАккредитации>".encode())
    stated = tail.split("</СтатусАккредитации>".encode(), 2)
    tail = "</СтатусАккредитации>".encode().join([stated[1], stated[0], stated[2]])
    keep_list(folder, head + history + tail)
    assert state(folder, at("2024-06-01")) == expected


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((), "unknown"),
        ((("Действует неизвестно как", "2020-01-01"),), "unknown"),
        ((("Прекращена", "2025-01-01"),), "unknown"),
        ((("  ДЕЙСТВУЕТ ", "2020-01-01T00:00:00+03:00"),), "accredited"),
        ((("Аннулирована", "2020-01-01"),), "not"),
    ],
)
def test_what_a_list_does_not_say_stays_unknown(
    folder: Path, statuses: tuple[tuple[str, str], ...], expected: str
) -> None:
    keep_list(folder, russian(listed(*statuses)))
    assert state(folder, at("2024-01-01")) == expected


def test_the_key_counts_and_not_the_certificate(folder: Path) -> None:
    """An authority renews its certificate over the same key."""
    broken = Listed(name="УЦ", certificates=[b"noise"], statuses=[("Действует", "2020-01-01")])
    renewed = listed(("Действует", "2020-01-01"))
    kept = keep_list(folder, russian(broken, renewed))
    assert kept.unread == 1
    assert state(folder, at("2024-01-01")) == "accredited"
    assert state(folder, at("2024-01-01"), b"noise") == "unknown"


def test_a_european_list_is_a_second_source(folder: Path) -> None:
    statuses = (("withdrawn", "2024-01-01T00:00:00Z"), ("granted", "2017-01-01T00:00:00Z"))
    old = ("undersupervision", "2010-01-01T00:00:00Z")
    keep_list(folder, european(listed(*statuses, old)))
    assert state(folder, at("2009-01-01")) == "not"
    assert state(folder, at("2012-01-01")) == "accredited"
    assert state(folder, at("2018-01-01")) == "accredited"
    assert state(folder, at("2024-01-01")) == "not"
    found = Trust.load([folder], ALGORITHMS).accreditation(CA_CERTIFICATE, at("2018-01-01"))
    assert found.source == "eu-LT"
    assert state(folder, at("2018-01-01"), OTHER_CERTIFICATE) == "unknown"


def test_a_european_list_speaks_until_its_next_update(folder: Path) -> None:
    keep_list(folder, european(listed(("granted", "2017-01-01T00:00:00Z"))))
    assert state(folder, at("2027-05-20T00:00:00")) == "accredited"
    assert state(folder, at("2027-05-20T00:00:01")) == "unknown"


def test_a_european_service_of_another_kind_issues_nothing_qualified(folder: Path) -> None:
    stamps = Listed(
        name="TSA",
        certificates=[CA_CERTIFICATE],
        statuses=[("granted", "2017-01-01T00:00:00Z")],
        kinds=["http://uri.etsi.org/TrstSvc/Svctype/TSA/QTST"],
    )
    with pytest.raises(NotAList):
        keep_list(folder, european(stamps))
    other = listed(("granted", "2017-01-01T00:00:00Z"), certificate=OTHER_CERTIFICATE)
    keep_list(folder, european(stamps, other))
    assert state(folder, at("2018-01-01")) == "unknown"


def test_the_russian_list_is_asked_first(folder: Path) -> None:
    keep_list(folder, european(listed(("granted", "2017-01-01T00:00:00Z"))))
    assert state(folder, at("2018-01-01")) == "accredited"
    keep_list(folder, russian(listed(("Действует", "2020-01-01"))))
    assert state(folder, at("2018-01-01")) == "not"


def test_a_list_comes_in_and_goes_without_a_restart(folder: Path) -> None:
    trust = Trust.load([folder], ALGORITHMS)
    assert trust.accreditation(CA_CERTIFICATE, at("2024-01-01")).state == "unknown"
    keep_list(folder, russian(listed(("Действует", "2020-01-01"))))
    assert trust.accreditation(CA_CERTIFICATE, at("2024-01-01")).state == "accredited"
    next(folder.glob("ru-*.xml")).unlink()
    assert trust.accreditation(CA_CERTIFICATE, at("2024-01-01")).state == "unknown"


GOOD = russian(listed(("Действует", "2020-01-01")))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"noise",
        b"<a/>",
        GOOD[:-20],
        GOOD.replace("<Дата>".encode(), "<Дата>завтра".encode()),
        GOOD.replace("Дата>".encode(), "Число>".encode()),
        GOOD.replace(b"2020-01-01", b"2020-13-01"),
        GOOD.replace("<Версия>".encode(), b'<!DOCTYPE a [<!ENTITY b "c">]>&b;'),
        russian(),
        european(listed(("granted", "2017-01-01")), territory="../"),
    ],
)
def test_what_is_no_list_is_kept_nowhere(folder: Path, octets: bytes) -> None:
    with pytest.raises(NotAList):
        keep_list(folder, octets)
    assert [path.name for path in folder.iterdir()] == ["root.der"]
    (folder / "odd.xml").write_bytes(octets)
    trust = Trust.load([folder], ALGORITHMS)
    assert trust.freshness(at("2026-11-21")).ignored == ("odd.xml",)


def test_a_list_of_too_many_is_refused() -> None:
    center = "<УдостоверяющийЦентр/>".encode()
    start, end = GOOD.split("<УдостоверяющийЦентр>".encode())
    end = end.partition("</УдостоверяющийЦентр>".encode())[2]
    assert len(read_list(start + center * SERVICES_MAX + end).services) == SERVICES_MAX
    with pytest.raises(NotAList):
        read_list(start + center * (SERVICES_MAX + 1) + end)


def test_the_freshness_of_the_newest_snapshot_of_each_list_is_told(folder: Path) -> None:
    good = listed(("Действует", "2020-01-01"))
    for issued in ("2026-11-20", "2026-01-01"):
        keep_list(folder, russian(good, issued=issued))
    keep_list(folder, european(listed(("granted", "2017-01-01T00:00:00Z"))))
    trust = Trust.load([folder], ALGORITHMS)

    def told(now: str) -> list[tuple[str, date, bool]]:
        found = trust.freshness(at(now)).snapshots
        return [(one.source, one.issued_on, one.stale) for one in found]

    day = date(2026, 11, 20)
    assert told("2026-11-21") == [("eu-LT", day, False), ("ru", day, False)]
    assert told("2027-01-21") == [("eu-LT", day, False), ("ru", day, True)]
