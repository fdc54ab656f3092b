"""OpenSSL's own command line with gost-engine as the judge of ours, where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from asn1crypto import pem

from gateway.algorithms.interface import Provider, Scheme

CONFIGURATION = """openssl_conf = openssl_init
[openssl_init]
engines = engine_section
[engine_section]
gost = gost_section
[gost_section]
engine_id = gost
default_algorithms = ALL
"""
PARAMETER_SETS = [
    *(("gost256", "gost2012_256", name) for name in ("A", "B", "C", "XA", "XB")),
    *(("gost256", "gost2012_256", name) for name in ("TCA", "TCB", "TCC", "TCD")),
    *(("gost512", "gost2012_512", name) for name in ("A", "B", "C")),
]
DIGESTS = {"gost256": ("streebog256", "md_gost12_256"), "gost512": ("streebog512", "md_gost12_512")}
OCTETS = "Результат: 5,00 ммоль/л\n".encode()


@pytest.fixture(scope="session")
def openssl(tmp_path_factory: pytest.TempPathFactory) -> OpenSsl:
    folder = tmp_path_factory.mktemp("openssl")
    (folder / "openssl.cnf").write_text(CONFIGURATION)
    tool = OpenSsl(folder)
    if shutil.which("openssl") is None or not tool.run("dgst", "-md_gost12_256", "openssl.cnf"):
        pytest.skip("no openssl command line with gost-engine on this machine")
    return tool


class OpenSsl:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "OPENSSL_CONF": str(folder / "openssl.cnf")}

    def run(self, *arguments: str) -> bool:
        done = subprocess.run(
            ["openssl", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return done.returncode == 0


@pytest.mark.parametrize(("family", "kind", "parameters"), PARAMETER_SETS)
def test_openssl_and_we_take_each_others_signatures_on_every_curve(
    openssl: OpenSsl, gost: Provider, family: str, kind: str, parameters: str
) -> None:
    digest, theirs = DIGESTS[family]
    scheme = Scheme(family=family, digest=digest)
    (openssl.folder / "doc").write_bytes(OCTETS)
    made = ("genpkey", "-algorithm", kind, "-pkeyopt", f"paramset:{parameters}", "-out", "key.pem")
    assert openssl.run(*made)
    assert openssl.run("pkey", "-in", "key.pem", "-pubout", "-out", "public.pem")
    assert openssl.run("dgst", f"-{theirs}", "-sign", "key.pem", "-out", "signature", "doc")
    private = pem.unarmor((openssl.folder / "key.pem").read_bytes())[2]
    public = pem.unarmor((openssl.folder / "public.pem").read_bytes())[2]
    signature = (openssl.folder / "signature").read_bytes()
    assert gost.verify(public, scheme, OCTETS, signature)
    assert not gost.verify(public, scheme, OCTETS[1:], signature)

    (openssl.folder / "ours").write_bytes(gost.sign(private, scheme, OCTETS))
    check = ("dgst", f"-{theirs}", "-verify", "public.pem", "-signature", "ours")
    assert openssl.run(*check, "doc")
    (openssl.folder / "doc").write_bytes(OCTETS + b"\n")
    assert not openssl.run(*check, "doc")
