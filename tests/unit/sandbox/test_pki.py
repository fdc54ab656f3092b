"""The sandbox's authorities: made once, kept, their lists renewed."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.algorithms import standard
from gateway.algorithms.interface import Scheme
from gateway.sandbox import pki as sandbox
from gateway.sandbox.certificates import DIGESTS
from gateway.sandbox.pki import FAMILIES, PERSON, ROLES, Pki
from gateway.trust import Trust, read_signer
from tests.pki.build import ALGORITHMS, DAY, NOW


@pytest.fixture
def small(tmp_path: Path) -> Pki:
    return sandbox.build(tmp_path / "pki", ALGORITHMS, NOW, families=("gost256",))


def octets(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_every_family_has_every_role_and_there_is_one_stranger(pki: Pki) -> None:
    wanted = {f"{family}-{role}" for family in FAMILIES for role in (*ROLES, PERSON)} | {"stranger"}
    assert set(pki.signers) == wanted


def test_keys_fit_their_certificates(pki: Pki) -> None:
    for name, signer in pki.signers.items():
        family = "gost256" if name == "stranger" else name.split("-")[0]
        scheme = Scheme(family=family, digest=DIGESTS[family])
        signature = ALGORITHMS.sign(signer.private_key(), scheme, b"octets")
        public = _public(signer.chain()[0])
        assert ALGORITHMS.verify(public, scheme, b"octets", signature), name
        assert len(signer.chain()) == 2


def test_private_keys_are_for_their_owner_only(pki: Pki) -> None:
    secrets = list(pki.folder.rglob("*.key.pem"))
    assert len(secrets) == len(pki.signers) + 2 * len(FAMILIES) + 1
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in secrets)


def test_the_trust_folder_holds_no_secret_and_no_stranger(pki: Pki) -> None:
    for path in pki.trust.rglob("*"):
        assert b"PRIVATE" not in path.read_bytes()
        assert "stranger" not in path.name
    seen = Trust.load([pki.trust], ALGORITHMS).freshness(NOW)
    assert (seen.anchors, seen.intermediates, len(seen.lists)) == (4, 4, 8)
    assert not seen.uncovered
    assert not seen.ignored


def test_a_second_build_changes_nothing(small: Pki) -> None:
    before = octets(small.folder)
    again = sandbox.build(small.folder, ALGORITHMS, NOW + DAY, families=("gost256",))
    assert octets(small.folder) == before
    assert again.signers == small.signers == sandbox.load(small.folder).signers


def test_an_interrupted_build_is_finished(small: Pki) -> None:
    (small.trust / "gost256-ca.crl.pem").unlink()
    (small.folder / "signers" / "stranger.crt.pem").unlink()
    again = sandbox.build(small.folder, ALGORITHMS, NOW, families=("gost256",))
    chain = again.signer("gost256-doctor").chain()
    trust = Trust.load([again.trust], ALGORITHMS)
    assert trust.judge(chain[0], chain[1:], NOW).sub_indication is None
    assert "stranger" in again.signers


def test_lists_are_renewed_before_they_end_and_keep_who_is_on_them(small: Pki) -> None:
    trust = Trust.load([small.trust], ALGORITHMS)
    for when, renewed in ((NOW + 5 * DAY, 0), (NOW + 6.5 * DAY, 2), (NOW + 30 * DAY, 2)):
        assert sandbox.refresh(small.folder, ALGORITHMS, when) == renewed
        for role, word in (("doctor", None), ("revoked", "REVOKED")):
            leaf = small.signer(f"gost256-{role}").chain()[0]
            assert trust.judge(leaf, (), when).sub_indication == word


def test_a_clock_set_back_gets_lists_of_its_own(small: Pki) -> None:
    assert sandbox.refresh(small.folder, ALGORITHMS, NOW - timedelta(hours=2)) == 2


def test_the_fallback_can_build_and_refresh(tmp_path: Path) -> None:
    """`make run` without gost-engine goes on with the slower one."""
    pure = standard("pure")
    built = sandbox.build(tmp_path, pure, NOW, families=("gost256", "gost512"))
    assert sandbox.refresh(tmp_path, pure, NOW + 8 * DAY) == 4
    trust = Trust.load([built.trust], ALGORITHMS)
    for family in ("gost256", "gost512"):
        chain = built.signer(f"{family}-doctor").chain()
        assert trust.judge(chain[0], (), NOW + 8 * DAY).sub_indication is None


def test_each_laboratory_signs_in_its_own_name(pki: Pki) -> None:
    ogrn = {
        family: read_signer(pki.signer(f"{family}-doctor").chain()[0]).ogrn for family in FAMILIES
    }
    assert ogrn["gost256"] == ogrn["ecdsa"] == sandbox.POLARIS.ogrn
    assert ogrn["gost512"] == ogrn["rsa"] == sandbox.MERIDIAN.ogrn


def _public(certificate: bytes) -> bytes:
    from asn1crypto import x509

    parsed = x509.Certificate.load(certificate)
    key: bytes = parsed["tbs_certificate"]["subject_public_key_info"].dump()
    return key
