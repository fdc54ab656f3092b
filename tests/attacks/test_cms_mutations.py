"""Changed CMS files of the highest level, with everything in them that a file can carry.

Whatever is changed: no crash, and nothing passes that covers other content.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import CheckedSignature, Indication
from gateway.sandbox.pki import Pki
from gateway.signatures import cms
from gateway.signatures.timestamps import check_token
from tests.pki.build import ALGORITHMS
from tests.unit.signatures.cms_made import archived_v2, archived_v3, countersigned, stamp
from tests.unit.signatures.made import BUNDLE, beside, document
from tests.unit.signatures.test_cades import long_term

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("set", "cut", "repeat", "insert")),
        st.integers(0, 1 << 16),
        st.integers(1, 64),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module")
def files(pki: Pki) -> tuple[bytes, ...]:
    file = countersigned(pki, long_term(pki))
    return archived_v3(pki, file, BUNDLE), archived_v2(pki, file, BUNDLE)


def changed(octets: bytes, changes: list[tuple[str, int, int, bytes]]) -> bytes:
    for kind, place, length, more in changes:
        at = place % max(len(octets), 1)
        if kind == "set":
            octets = octets[:at] + more + octets[at + len(more) :]
        elif kind == "cut":
            octets = octets[:at] + octets[at + length :]
        elif kind == "repeat":
            octets = octets[: at + length] + octets[at:]
        else:
            octets = octets[:at] + more + octets[at:]
    return octets


def passed(one: CheckedSignature) -> list[CheckedSignature]:
    """Return what passed of a signature and of those over it."""
    own = [one] if one.indication is Indication.TOTAL_PASSED else []
    return [*own, *(inner for counter in one.counter_signatures for inner in passed(counter))]


def test_the_unchanged_files_pass_whole(files: tuple[bytes, ...]) -> None:
    for file in files:
        (one,) = cms.check(document(BUNDLE), beside(file), ALGORITHMS)
        assert len(passed(one)) == 2
        assert {token.indication for token in one.timestamps} == {Indication.TOTAL_PASSED}


@given(which=st.integers(0, 1), changes=CHANGES)
def test_a_changed_file_never_crashes_nor_covers_anything_else(
    files: tuple[bytes, ...], which: int, changes: list[tuple[str, int, int, bytes]]
) -> None:
    file = changed(files[which], changes)
    for found in cms.check(document(BUNDLE), beside(file), ALGORITHMS):
        for one in passed(found):
            scopes = {covered.scope for covered in one.covered}
            whole = [covered.octets for covered in one.covered if covered.covers_enclosing]
            assert whole == [BUNDLE] or scopes == {"COUNTER_SIGNATURE"}


@given(changes=CHANGES, octets=st.binary(max_size=40))
def test_a_changed_document_is_never_covered(
    files: tuple[bytes, ...], changes: list[tuple[str, int, int, bytes]], octets: bytes
) -> None:
    other = changed(BUNDLE, changes) + octets
    if other == BUNDLE:
        return
    for found in cms.check(document(other), beside(files[0]), ALGORITHMS):
        assert found.indication is not Indication.TOTAL_PASSED


@given(changes=CHANGES)
def test_a_changed_token_never_crashes_nor_tells_another_time(
    pki: Pki, changes: list[tuple[str, int, int, bytes]]
) -> None:
    token = stamp(pki, BUNDLE)
    whole = check_token(token, BUNDLE, "signature", ALGORITHMS)
    one = check_token(changed(token, changes), BUNDLE, "signature", ALGORITHMS)
    if one.indication is Indication.TOTAL_PASSED:
        assert one.at == whole.at
