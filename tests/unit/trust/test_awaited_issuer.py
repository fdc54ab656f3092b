"""A stale list is reported under the name of the authority that owes it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.errors import TryLater
from gateway.model import Part
from gateway.sandbox.pki import Pki
from gateway.signatures.sign import sign
from gateway.trust import Trust
from gateway.verdict import require_passed
from gateway.verification import Verifier
from tests.pki.build import ALGORITHMS, NOW


@pytest.mark.parametrize(
    ("missing", "awaited"),
    [
        ("gost256-root.crl.pem", "Головной УЦ песочницы (gost256)"),
        ("gost256-ca.crl.pem", "Аккредитованный УЦ песочницы (gost256)"),
    ],
)
def test_waiting_names_the_authority_whose_list_is_missing(
    pki: Pki, tmp_path: Path, missing: str, awaited: str
) -> None:
    """An operator who refreshes the wrong authority's list would wait for ever (SIG-207)."""
    shutil.copytree(pki.trust, tmp_path / "trust")
    signer = pki.signer("gost256-doctor")
    document = Part(name="document", media_type="application/fhir+json", body=b"{}")
    signed = sign(
        document.body,
        key=signer.private_key(),
        chain=signer.chain(),
        algorithms=ALGORITHMS,
        form="cades",
        detached=True,
        at=NOW,
    )
    signature = Part(name="signature", media_type="application/pkcs7-signature", body=signed)
    verifier = Verifier(Trust.load([tmp_path / "trust"], ALGORITHMS), ALGORITHMS)
    require_passed(verifier.verify(document, (signature,), NOW), NOW)

    (tmp_path / "trust" / missing).unlink()
    with pytest.raises(TryLater) as waiting:
        require_passed(verifier.verify(document, (signature,), NOW), NOW)
    (problem,) = waiting.value.problems
    assert (problem.code, problem.detail["issuer"]) == ("SIG-207", awaited)
