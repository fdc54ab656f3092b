"""OpenSSL's time-stamping tool and ours read each other's tokens."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from asn1crypto import pem

from gateway.model import Indication
from gateway.sandbox.pki import Pki
from gateway.signatures import cms
from gateway.signatures.timestamps import TimeStampResp, check_token
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.cms_made import authority
from tests.unit.signatures.made import BUNDLE, beside, document

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here (apt)")

CONFIGURATION = """[tsa]
default_tsa = ours
[ours]
serial = {folder}/serial
signer_cert = {certificate}
certs = {certificate}
signer_key = {key}
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha512
ess_cert_id_alg = {ess}
"""


def openssl(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, timeout=60, check=False
    )


@pytest.mark.parametrize("family", ["rsa", "ecdsa"])
def test_openssl_believes_our_tokens(pki: Pki, tmp_path: Path, family: str) -> None:
    file, token = tmp_path / "octets", tmp_path / "token"
    file.write_bytes(BUNDLE)
    token.write_bytes(authority(pki, f"{family}-tsa").stamp("sha256", BUNDLE, NOW))
    arguments = (
        *("ts", "-verify", "-data", file, "-in", token, "-token_in"),
        *("-CAfile", pki.trust / f"{family}-root.crt.pem"),
        *("-untrusted", pki.signer(f"{family}-tsa").certificate),
        *("-attime", str(int(NOW.timestamp()))),
    )
    done = openssl(*arguments)
    assert done.returncode == 0, done.stderr
    file.write_bytes(BUNDLE + b" ")
    assert openssl(*arguments).returncode != 0


@pytest.mark.parametrize("family", ["rsa", "ecdsa"])
@pytest.mark.parametrize("ess", ["sha1", "sha256"])
def test_we_read_tokens_of_openssl(pki: Pki, tmp_path: Path, family: str, ess: str) -> None:
    """With the older attribute that names the authority's certificate by SHA-1, and the newer."""
    files = pki.signer(f"{family}-tsa")
    settings = tmp_path / "tsa.cnf"
    (tmp_path / "serial").write_text("01\n")
    settings.write_text(
        CONFIGURATION.format(folder=tmp_path, certificate=files.certificate, key=files.key, ess=ess)
    )
    file, asked, answer = (tmp_path / name for name in ("octets", "request", "answer"))
    file.write_bytes(BUNDLE)
    query = openssl("ts", "-query", "-data", file, "-sha256", "-cert", "-out", asked)
    assert query.returncode == 0, query.stderr
    reply = openssl("ts", "-reply", "-queryfile", asked, "-config", settings, "-out", answer)
    assert reply.returncode == 0, reply.stderr
    token = TimeStampResp.load(answer.read_bytes())["time_stamp_token"].dump()
    one = check_token(token, BUNDLE, "signature", ALGORITHMS)
    assert one.indication is Indication.TOTAL_PASSED, one.checks
    assert one.certificate == files.chain()[0]
    other = check_token(token, BUNDLE + b" ", "signature", ALGORITHMS)
    assert other.sub_indication == "HASH_FAILURE"


@pytest.mark.parametrize("family", ["rsa", "ecdsa"])
@pytest.mark.parametrize("streamed", [True, False])
def test_we_read_cades_of_openssl(pki: Pki, tmp_path: Path, family: str, streamed: bool) -> None:
    """Attached and in BER (`-stream`), or in DER."""
    files, file, out = pki.signer(f"{family}-doctor"), tmp_path / "octets", tmp_path / "signed"
    file.write_bytes(BUNDLE)
    done = openssl(
        *("cms", "-sign", "-cades", "-binary", "-nodetach", "-in", file, "-outform", "DER"),
        *("-signer", files.certificate, "-inkey", files.key, "-md", "sha256", "-out", out),
        *(("-stream",) if streamed else ()),
    )
    assert done.returncode == 0, done.stderr
    (one,) = cms.check(document(out.read_bytes()), (), ALGORITHMS)
    assert (one.indication, one.format) == (Indication.TOTAL_PASSED, "CAdES"), one.checks
    assert [c.octets for c in one.covered] == [BUNDLE]


def test_an_armoured_file_of_openssl_is_read_beside_its_document(pki: Pki, tmp_path: Path) -> None:
    files, file, out = pki.signer("rsa-doctor"), tmp_path / "octets", tmp_path / "signed"
    file.write_bytes(BUNDLE)
    done = openssl(
        *("cms", "-sign", "-cades", "-binary", "-in", file, "-outform", "PEM"),
        *("-signer", files.certificate, "-inkey", files.key, "-md", "sha256", "-out", out),
    )
    assert done.returncode == 0, done.stderr
    assert pem.detect(out.read_bytes())
    (one,) = cms.check(document(BUNDLE), beside(out.read_bytes()), ALGORITHMS)
    assert one.indication is Indication.TOTAL_PASSED
