"""When the mathematics cannot be done, the answer is unknown: never good, never bad."""

from __future__ import annotations

import pytest

from gateway.algorithms.classic import Classic
from gateway.algorithms.interface import Algorithms, Scheme
from gateway.model import CheckStatus, Indication
from gateway.sandbox.pki import Pki
from gateway.signatures import cms, xml
from tests.pki.build import ALGORITHMS
from tests.unit.signatures.made import BUNDLE, beside, document, signed


class Broken:
    """A provider whose engine fails at work, as a token pulled out of its slot does."""

    NAME = "broken"
    CERTIFIED = False
    FAMILIES: tuple[str, ...] = ("gost256",)
    DIGESTS: tuple[str, ...] = ("gost94",)

    def digest(self, name: str, octets: bytes) -> bytes:
        raise RuntimeError("engine failure")

    def verify(self, key: bytes, scheme: Scheme, octets: bytes, signature: bytes) -> bool:
        raise RuntimeError("engine failure")

    def sign(self, key: bytes, scheme: Scheme, octets: bytes) -> bytes:
        raise RuntimeError("engine failure")

    def generate(self, family: str) -> tuple[bytes, bytes]:
        raise RuntimeError("engine failure")


def test_a_failed_engine_is_a_state_of_its_own(pki: Pki) -> None:
    broken = Algorithms(Broken(), *ALGORITHMS.providers)
    detached = cms.check(document(BUNDLE), beside(signed(pki)), broken)[0]
    enveloped = xml.check(document(signed(pki, form="xmldsig")), (), broken)[0]
    for one in (detached, enveloped):
        assert (one.indication, one.sub_indication) == (Indication.INDETERMINATE, "TRY_LATER")
        states = {check.name: check.status for check in one.checks}
        assert states["signature_value"] is CheckStatus.NOT_DONE
        assert states["reference_data"] is CheckStatus.PASSED


@pytest.mark.parametrize("octets", [BUNDLE, BUNDLE + b" "], ids=["whole", "changed"])
def test_without_gost_a_gost_signature_is_unknown(pki: Pki, octets: bytes) -> None:
    """Without the digest nobody can tell a changed document from a whole one."""
    one = cms.check(document(octets), beside(signed(pki)), Algorithms(Classic()))[0]
    assert one.indication is Indication.INDETERMINATE
    assert one.sub_indication == "CRYPTO_CONSTRAINTS_FAILURE"
    assert one.covered == ()


def test_proof_of_alteration_outranks_a_failed_engine(pki: Pki) -> None:
    """The digest is enough to know that the document was changed."""
    broken = Algorithms(Broken(), *ALGORITHMS.providers)
    one = cms.check(document(BUNDLE + b" "), beside(signed(pki)), broken)[0]
    assert (one.indication, one.sub_indication) == (Indication.TOTAL_FAILED, "HASH_FAILURE")
