"""A trusted list comes in by its own signature, from a known signer, and never an older one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.errors import GatewayError, NeedsOperator, Rejected
from gateway.sandbox import certificates as made
from gateway.signatures.sign import Form, sign
from gateway.trust.lists import TrustedList, keep_list, snapshots
from gateway.trust.lists.signers import Signers, read_certificate
from gateway.verification.lists import Admitted, admit
from tests.pki.build import ALGORITHMS, DAY, NOW, Signing, issue, root
from tests.pki.trusted_lists import Listed, european, list_of_lists, russian

AUTHORITY = root("Root", "gost256")
MINISTRY, STRANGER = issue(AUTHORITY, "Ministry"), issue(AUTHORITY, "Stranger")
GOOD = Listed(
    name="УЦ", certificates=[AUTHORITY.certificate.dump()], statuses=[("Действует", "2020-01-01")]
)
GRANTED = Listed(
    name="CA",
    certificates=[AUTHORITY.certificate.dump()],
    statuses=[("granted", "2017-01-01T00:00:00Z")],
)
FORMS = pytest.mark.parametrize("form", ["xmldsig", "xades"])


def signed(octets: bytes, by: Signing = MINISTRY, form: Form = "xmldsig") -> bytes:
    return sign(
        octets,
        key=by.key,
        chain=[by.der],
        algorithms=ALGORITHMS,
        form=form,
        detached=False,
        at=NOW - DAY,
    )


def admitted(
    folder: Path,
    octets: bytes,
    *,
    given: Sequence[bytes] = (MINISTRY.der,),
    now: datetime = NOW,
) -> Admitted:
    lists: list[TrustedList] = snapshots([folder / "trust"])
    signers = Signers(folder / "signers", lists)
    return admit(octets, lists=lists, signers=signers, given=given, algorithms=ALGORITHMS, now=now)


def code(folder: Path, octets: bytes, *, given: Sequence[bytes] = (MINISTRY.der,)) -> str:
    """Return why a list does not come in."""
    with pytest.raises(GatewayError) as refused:
        admitted(folder, octets, given=given)
    assert isinstance(refused.value, NeedsOperator if "SIG-242" in str(refused.value) else Rejected)
    return refused.value.problems[0].code


@FORMS
def test_a_list_that_its_signer_signed_comes_in(tmp_path: Path, form: Form) -> None:
    found = admitted(tmp_path, signed(russian(GOOD), form=form))
    assert (found.found.source, found.signer, found.before) == ("ru", MINISTRY.der, None)


@FORMS
def test_a_changed_list_does_not_come_in(tmp_path: Path, form: Form) -> None:
    """One letter of a status turns an authority that ended into one that is accredited."""
    octets = signed(russian(GOOD), form=form).replace("Действует".encode(), "Действуе7".encode())
    assert code(tmp_path, octets) == "SIG-241"


def test_an_authority_added_beside_what_was_signed_does_not_come_in(tmp_path: Path) -> None:
    whole = signed(russian(GOOD))
    end = "</АккредитованныеУдостоверяющиеЦентры>".encode()
    added = "<УдостоверяющийЦентр><Название>Чужой</Название></УдостоверяющийЦентр>".encode()
    assert code(tmp_path, whole.replace(end, added + end)) == "SIG-241"


def test_a_list_inside_a_signed_envelope_is_no_list(tmp_path: Path) -> None:
    """The signature holds, and over another document than a list."""
    body = russian(GOOD).partition(b"?>")[2]
    assert code(tmp_path, signed(b"<e>" + body + b"</e>")) == "SIG-240"


def test_an_unsigned_list_does_not_come_in(tmp_path: Path) -> None:
    assert code(tmp_path, russian(GOOD)) == "SIG-241"


def test_a_list_signed_twice_does_not_come_in(tmp_path: Path) -> None:
    """Of two signatures one may be by anybody; which of them counts is not for us to choose."""
    assert code(tmp_path, signed(signed(russian(GOOD)), by=STRANGER)) == "SIG-241"


@pytest.mark.parametrize("octets", [b"", b"noise", b"<a/>", b"%PDF-1.7"])
def test_what_is_no_list_does_not_come_in(tmp_path: Path, octets: bytes) -> None:
    assert code(tmp_path, octets) == "SIG-240"


def test_nobody_is_trusted_for_signing(tmp_path: Path) -> None:
    """Neither a stranger below the same authority, nor whoever signed, when nobody is pinned."""
    whole = signed(russian(GOOD))
    assert code(tmp_path, whole, given=[]) == "SIG-242"
    assert code(tmp_path, signed(russian(GOOD), by=STRANGER)) == "SIG-242"
    assert code(tmp_path, whole, given=[AUTHORITY.certificate.dump()]) == "SIG-242"


def test_who_is_not_pinned_is_named_by_fingerprint(tmp_path: Path) -> None:
    with pytest.raises(NeedsOperator) as refused:
        admitted(tmp_path, signed(russian(GOOD)), given=[])
    assert refused.value.problems[0].detail["sha256"] == MINISTRY.certificate.sha256.hex()


def test_a_pinned_signer_is_known_the_next_time(tmp_path: Path) -> None:
    signers = Signers(tmp_path / "signers")
    signers.pin("ru", MINISTRY.der)
    signers.pin("ru", MINISTRY.der)
    assert signers.pinned("ru") == (MINISTRY.der,)
    assert admitted(tmp_path, signed(russian(GOOD)), given=[]).signer == MINISTRY.der
    assert code(tmp_path, signed(european(GRANTED)), given=[]) == "SIG-242"


def test_the_signers_certificate_was_alive_when_the_list_was_issued(tmp_path: Path) -> None:
    period = made.Period(begins=NOW - 3 * DAY, ends=NOW)
    short = issue(AUTHORITY, "Short", period=period)
    inside, before = "2026-11-20T00:00:00", "2026-11-10T00:00:00"
    octets = signed(russian(GOOD, issued=inside), by=short)
    assert admitted(tmp_path, octets, given=[short.der]).signer == short.der
    octets = signed(russian(GOOD, issued=before), by=short)
    assert code(tmp_path, octets, given=[short.der]) == "SIG-241"


@pytest.mark.parametrize(
    ("issued", "version", "expected"),
    [
        ("2026-11-20T00:00:01", "16327", None),
        ("2026-11-20T00:00:00", "16327", None),
        ("2026-11-20T00:00:01", "16326", "SIG-243"),
        ("2026-11-20T00:00:01", "16325", "SIG-243"),
        ("2026-11-19T23:59:59", "16327", "SIG-243"),
        ("2026-11-20T00:00:01", "", "SIG-243"),
        ("2026-11-22T00:00:00", "16327", "SIG-243"),
    ],
    ids=["newer", "same day", "same number", "older number", "older date", "no number", "future"],
)
def test_only_a_newer_list_follows(
    tmp_path: Path, issued: str, version: str, expected: str | None
) -> None:
    """An old list, on which an authority is still accredited, must not come back."""
    keep_list(tmp_path / "trust", signed(russian(GOOD)))
    octets = signed(russian(GOOD, issued=issued, version=version))
    if expected is None:
        assert admitted(tmp_path, octets).before is not None
    else:
        assert code(tmp_path, octets) == expected


def test_the_same_list_again_is_known(tmp_path: Path) -> None:
    octets = signed(russian(GOOD))
    keep_list(tmp_path / "trust", octets)
    assert admitted(tmp_path, octets).known
    assert not admitted(tmp_path, signed(russian(GOOD, version="16327"))).known


def test_lists_of_one_kind_do_not_stand_in_each_others_way(tmp_path: Path) -> None:
    keep_list(tmp_path / "trust", european(GRANTED, territory="LV"))
    octets = signed(european(GRANTED, issued="2026-10-20T00:00:00Z"))
    assert admitted(tmp_path, octets).before is None


def test_a_list_that_has_ended_comes_in_and_says_so(tmp_path: Path) -> None:
    """It may be the latest there is; of certificates issued now it says nothing."""
    octets = signed(european(GRANTED, update="2026-11-21T00:00:00Z"))
    found, age = admitted(tmp_path, octets), 30 * DAY
    assert found.ended(datetime(2026, 11, 21, 0, 0, 1, tzinfo=UTC), age)
    assert not found.ended(datetime(2026, 11, 21, tzinfo=UTC), age)


# The list of lists


def test_a_list_of_lists_names_the_signers_of_the_others(tmp_path: Path) -> None:
    pointing = signed(list_of_lists(("LT", "https://lt.example/tl.xml", [STRANGER.der])))
    keep_list(tmp_path / "trust", pointing)
    by_stranger = signed(european(GRANTED), by=STRANGER)
    assert admitted(tmp_path, by_stranger, given=[]).signer == STRANGER.der
    elsewhere = signed(european(GRANTED, territory="LV"), by=STRANGER)
    assert code(tmp_path, elsewhere, given=[]) == "SIG-242"


def test_the_edition_for_people_names_no_signer(tmp_path: Path) -> None:
    pointing = signed(list_of_lists(("LT", "https://lt.example/tl.pdf", [STRANGER.der])))
    keep_list(tmp_path / "trust", pointing)
    assert code(tmp_path, signed(european(GRANTED), by=STRANGER), given=[]) == "SIG-242"


def test_a_members_own_list_names_nobody(tmp_path: Path) -> None:
    """Only the Union's list of lists speaks of others, whatever a member writes into its own."""
    octets = list_of_lists(("LV", "https://lv.example/tl.xml", [STRANGER.der]), territory="LT")
    keep_list(tmp_path / "trust", signed(octets))
    other = signed(european(GRANTED, territory="LV"), by=STRANGER)
    assert code(tmp_path, other, given=[]) == "SIG-242"


def test_a_list_of_lists_names_its_own_next_signer(tmp_path: Path) -> None:
    pointing = ("EU", "https://eu.example/lotl.xml", [MINISTRY.der, STRANGER.der])
    keep_list(tmp_path / "trust", signed(list_of_lists(pointing)))
    following = list_of_lists(pointing, number="8", issued="2026-11-21T00:00:00Z")
    assert admitted(tmp_path, signed(following, by=STRANGER), given=[]).known is False


@pytest.mark.parametrize("octets", [b"", b"noise", b"\x30\x03\x02\x01\x01", b"-----BEGIN X-----"])
def test_a_pin_is_a_certificate(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "x.crt"
    path.write_bytes(octets)
    with pytest.raises(ValueError, match=r"x\.crt"):
        read_certificate(path)


@pytest.mark.parametrize(("digits", "comes"), [(18, True), (19, False), (5_000, False)])
def test_a_list_whose_number_has_no_end_does_not_come_in(
    tmp_path: Path, digits: int, comes: bool
) -> None:
    octets = signed(russian(GOOD, version="9" * digits))
    if comes:
        assert admitted(tmp_path, octets).found.sequence == 10**digits - 1
    else:
        assert code(tmp_path, octets) == "SIG-240"


@pytest.mark.parametrize(("year", "refused"), [(9000, "SIG-243"), (9999, "SIG-240")])
def test_a_list_of_the_end_of_time_does_not_come_in(
    tmp_path: Path, year: int, refused: str
) -> None:
    """Nothing can be added to its last day; the year before is merely yet to come."""
    octets = signed(european(GRANTED, issued=f"{year}-12-31T23:59:59Z", update=None))
    assert code(tmp_path, octets) in (refused, "SIG-241")
