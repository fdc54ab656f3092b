"""What we read must not depend on whether somebody sent a PDF before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gateway.sandbox.pki import Pki
from tests.unit.signatures.pdf_made import REPORT

PROGRAM = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from asn1crypto import cms, x509
from gateway.algorithms import standard
from gateway.model import Part
from gateway.signatures import pades
from gateway.signatures.sign import sign

TABLES = (x509.ExtensionId._map, x509.Extension._oid_specs,
          cms.CMSAttributeType._map, cms.CMSAttribute._oid_specs)
before = [dict(table) for table in TABLES]
file, key, *chain = (Path(name).read_bytes() for name in sys.argv[1:])
signed = sign(file, key=key, chain=chain, algorithms=standard(), form="pades", detached=True,
              at=datetime.now(UTC))
found, = pades.check(Part(name="document", media_type="application/pdf", body=signed), (),
                     standard())
assert found.covered[0].scope == "FULL", found
assert "pyhanko.sign.fields" in sys.modules
for table, was in zip(TABLES, before):
    assert table == was, table.keys() ^ was.keys()
"""


def test_reading_and_signing_a_pdf_teaches_nobody_new_names(tmp_path: Path, pki: Pki) -> None:
    signer = pki.signer("gost256-doctor")
    files = []
    for number, octets in enumerate((REPORT, signer.private_key(), *signer.chain())):
        file = tmp_path / str(number)
        file.write_bytes(octets)
        files.append(str(file))
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *files], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
