"""Documents with signatures of any form beside them, as `gateway check` and `send` take them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import SAMPLES, Call

GOOD = SAMPLES / "01-transaction-gost256" / "result.json"


@pytest.mark.parametrize("form", ["cades", "jws"])
def test_a_signature_beside_is_taken_for_what_it_is(
    call: Call, sandbox: Path, tmp_path: Path, form: str
) -> None:
    """A JWS beside a file was sent under the name of CMS, and refused as a broken one (SIG-209)."""
    path = tmp_path / "result.json"
    path.write_bytes(GOOD.read_bytes())
    signer = sandbox / "signers" / "gost256-doctor"
    keys = ("--key", f"{signer}.key.pem", "--cert", f"{signer}.crt.pem")
    assert call("sign", path, *keys, "--format", form).code == 0
    said = call("check", path, "--home", sandbox, "--lang", "en")
    assert said.code == 0, said.stdout


@pytest.mark.parametrize(("form", "end"), [("cades", "p7m"), ("jws", "jose")])
def test_what_sign_makes_around_a_document_is_taken_by_its_name(
    call: Call, sandbox: Path, tmp_path: Path, form: str, end: str
) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(GOOD.read_bytes())
    signer = sandbox / "signers" / "gost256-doctor"
    keys = ("--key", f"{signer}.key.pem", "--cert", f"{signer}.crt.pem")
    assert call("sign", path, *keys, "--format", form, "--attached").code == 0
    said = call("check", f"{path}.{end}", "--home", sandbox, "--lang", "en")
    assert said.code == 0, said.stderr
