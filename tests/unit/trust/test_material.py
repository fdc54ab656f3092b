"""Trust folders: what is read, what is noticed, what is remembered."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto import pem

from gateway.sandbox.certificates import Period
from gateway.trust import Trust
from tests.pki.build import ALGORITHMS, DAY, NOW, Signing, below, issue, list_of, root

ROOT = root()
CA = below(ROOT)
SIGNER = issue(CA)


def put(folder: Path, name: str, kind: str, der: bytes) -> None:
    """Write as everybody should: beside, then renamed."""
    beside = folder.parent / name
    beside.write_bytes(pem.armor(kind, der) if kind else der)
    beside.replace(folder / name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "trust"
    place.mkdir()
    put(place, "root.crt", "CERTIFICATE", ROOT.certificate.dump())
    put(place, "ca.der", "", CA.certificate.dump())
    put(place, "root.crl", "X509 CRL", list_of(ROOT).dump())
    put(place, "ca.crl", "", list_of(CA).dump())
    return place


def word(trust: Trust, signing: Signing = SIGNER) -> str | None:
    return trust.judge(signing.der, (), NOW).sub_indication


def test_pem_and_der_are_told_apart_by_their_bytes(folder: Path) -> None:
    assert word(Trust.load([folder], ALGORITHMS)) is None


def test_only_what_signed_itself_is_an_anchor(folder: Path) -> None:
    """An intermediate in the folder helps to find a path, it does not end one."""
    (folder / "root.crt").unlink()
    assert word(Trust.load([folder], ALGORITHMS)) == "NO_CERTIFICATE_CHAIN_FOUND"


def test_a_certificate_that_claims_to_have_signed_itself_is_no_anchor(tmp_path: Path) -> None:
    """Same subject and issuer, another key's signature."""
    twin = root()
    forged = issue(twin, "Root")
    assert forged.certificate.self_issued
    (tmp_path / "forged.crt").write_bytes(forged.der)
    assert Trust.load([tmp_path], ALGORITHMS).freshness(NOW).anchors == 0


def test_many_objects_may_share_a_file_and_folders_may_nest(tmp_path: Path) -> None:
    bundle = b"".join(
        pem.armor(kind, der)
        for kind, der in (
            ("CERTIFICATE", ROOT.certificate.dump()),
            ("CERTIFICATE", CA.certificate.dump()),
            ("X509 CRL", list_of(ROOT).dump()),
            ("X509 CRL", list_of(CA).dump()),
        )
    )
    nested = tmp_path / "a" / "b"
    nested.mkdir(parents=True)
    (nested / "all.pem").write_bytes(bundle)
    assert word(Trust.load([tmp_path], ALGORITHMS)) is None


def test_private_keys_and_notes_are_left_alone_and_named(folder: Path) -> None:
    (folder / "README").write_text("Кто сюда пишет, тот решает, кому верить.")
    put(folder, "root.key", "PRIVATE KEY", ROOT.key)
    trust = Trust.load([folder], ALGORITHMS)
    assert word(trust) is None
    assert trust.freshness(NOW).ignored == ("README", "root.key")


def test_a_missing_folder_is_an_empty_one(tmp_path: Path) -> None:
    assert word(Trust.load([tmp_path / "none"], ALGORITHMS)) == "NO_CERTIFICATE_CHAIN_FOUND"


def test_a_folder_that_appears_later_is_noticed(folder: Path, tmp_path: Path) -> None:
    trust = Trust.load([tmp_path / "later"], ALGORITHMS)
    assert word(trust) == "NO_CERTIFICATE_CHAIN_FOUND"
    folder.rename(tmp_path / "later")
    assert word(trust) is None


def test_a_new_list_is_noticed_and_ends_remembered_verdicts(folder: Path) -> None:
    """A certificate revoked this minute must not pass on yesterday's verdict."""
    trust = Trust.load([folder], ALGORITHMS)
    assert word(trust) is None
    assert trust.judge(SIGNER.der, (), NOW) is trust.judge(SIGNER.der, (), NOW)
    put(folder, "ca.crl", "", list_of(CA, SIGNER.certificate).dump())
    assert word(trust) == "REVOKED"


def test_recovery_from_a_stale_list_needs_no_restart(folder: Path) -> None:
    stale = list_of(CA, period=Period(begins=NOW - 9 * DAY, ends=NOW - DAY))
    put(folder, "ca.crl", "", stale.dump())
    trust = Trust.load([folder], ALGORITHMS)
    assert word(trust) == "TRY_LATER"
    put(folder, "ca.crl", "", list_of(CA).dump())
    assert word(trust) is None


def test_unchanged_folders_are_not_read_again(folder: Path) -> None:
    trust = Trust.load([folder], ALGORITHMS)
    assert trust.reload() is False
    put(folder, "ca.crl", "", list_of(CA).dump())
    assert trust.reload() is True
    assert trust.reload() is False


def test_a_remembered_verdict_ends_with_the_list_under_it(folder: Path) -> None:
    trust = Trust.load([folder], ALGORITHMS)
    assert word(trust) is None
    ends = NOW + 6 * DAY
    assert trust.judge(SIGNER.der, (), ends).sub_indication is None
    late = trust.judge(SIGNER.der, (), ends + timedelta(seconds=1))
    assert late.sub_indication == "TRY_LATER"


def test_a_remembered_pass_does_not_reach_past_a_later_revocation(folder: Path) -> None:
    """Judged first before the moment of revocation, then after it, on the same list."""
    moment = NOW - timedelta(hours=2)
    put(folder, "ca.crl", "", list_of(CA, SIGNER.certificate, at=moment).dump())
    trust = Trust.load([folder], ALGORITHMS)
    early = trust.judge(SIGNER.der, (), moment - timedelta(hours=1))
    assert early.sub_indication is None
    assert word(trust) == "REVOKED"
    again = trust.judge(SIGNER.der, (), moment - timedelta(hours=1))
    assert again.sub_indication is None


def test_freshness_names_every_list_and_every_authority_without_one(folder: Path) -> None:
    (folder / "root.crl").unlink()
    stale = Period(begins=NOW - 9 * DAY, ends=NOW - DAY)
    put(folder, "ca.crl", "", list_of(CA, SIGNER.certificate, period=stale).dump())
    seen = Trust.load([folder], ALGORITHMS).freshness(NOW)
    assert (seen.anchors, seen.intermediates, seen.ocsp_responses) == (1, 1, 0)
    (only,) = seen.lists
    assert (only.issuer, only.stale, only.entries) == ("Issuing", True, 1)
    assert (only.this_update, only.next_update) == (stale.begins, stale.ends)
    assert set(seen.uncovered) == {"Root", "Issuing"}


def test_providers_say_that_they_are_not_certified(folder: Path) -> None:
    """63-ФЗ ст. 11 asks for a certified tool; `doctor` must not hide that ours is none."""
    described = Trust.load([folder], ALGORITHMS).providers()
    assert next(p.name for p in described) == "cryptography"
    assert not any(p.certified for p in described)
    assert any("gost256" in p.families for p in described)
