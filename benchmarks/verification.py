"""Measures the verifier alone: one process, one thread, the verdict on the path remembered.

    python -m benchmarks.verification [--seconds S]

Each form signs the bundle of `samples/01-transaction-gost256` (25 resources) or the laboratory
XML of `samples/03-lab-xml-gost256`.  `bare` is libcrypto's own verification of the same octets
with the same key and nothing else; `uncached` builds the path and reads its lists each time.
Each figure is a median, `least_ms` the least of the medians' batches.  Both are measured in
turns, so a processor that slows down for a while slows both, and the ratio stays.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from operator import truediv
from pathlib import Path
from statistics import median

from asn1crypto import x509

from gateway.algorithms import standard
from gateway.algorithms.interface import Algorithms, Scheme
from gateway.model import Indication, Part
from gateway.sandbox import pki
from gateway.sandbox.story_files import load_story
from gateway.settings import ROOT
from gateway.signatures.sign import Form, sign, sign_bundle
from gateway.trust import Trust
from gateway.verification import Verifier

BUNDLE, LAB_XML = "01-transaction-gost256", "03-lab-xml-gost256"
CASES: tuple[tuple[str, Form, str, str], ...] = (
    ("CAdES detached", "cades", BUNDLE, "gost256-doctor"),
    ("CAdES detached", "cades", BUNDLE, "gost512-doctor"),
    ("CAdES detached", "cades", BUNDLE, "rsa-doctor"),
    ("CAdES detached", "cades", BUNDLE, "ecdsa-doctor"),
    ("XMLDSig enveloped", "xmldsig", LAB_XML, "gost256-doctor"),
    ("XAdES enveloped", "xades", LAB_XML, "gost256-doctor"),
    ("JWS in the bundle", "jws", BUNDLE, "gost256-doctor"),
)
SCHEMES = {
    "gost256-doctor": Scheme(family="gost256", digest="streebog256"),
    "gost512-doctor": Scheme(family="gost512", digest="streebog512"),
    "rsa-doctor": Scheme(family="rsa", digest="sha256"),
    "ecdsa-doctor": Scheme(family="ecdsa", digest="sha256"),
}
BATCHES = 20
"""Turns of one figure."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one figure")
    seconds = parser.parse_args().seconds
    algorithms, now = standard("auto"), datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        keys = pki.build(Path(folder), algorithms, now)
        for form in CASES:
            print(json.dumps(measured(keys, algorithms, now, form, seconds)), flush=True)


def measured(
    keys: pki.Pki,
    algorithms: Algorithms,
    now: datetime,
    case: tuple[str, Form, str, str],
    seconds: float,
) -> dict[str, object]:
    """Return one row of the table: CPU ms with the path remembered, without, and bare."""
    name, _, story, signer = case
    plain = load_story(ROOT / "samples" / story / "story.yaml").first.plain()
    document, signatures = signed(keys, algorithms, now, plain, case)
    at = now + timedelta(seconds=1)
    verifier = Verifier(Trust.load([keys.trust], algorithms), algorithms)

    def cached() -> None:
        report = verifier.verify(document, signatures, at)
        assert report.indication is Indication.TOTAL_PASSED, report

    def uncached() -> None:
        cold = Verifier(Trust.load([keys.trust], algorithms), algorithms)
        cold.verify(document, signatures, at)

    files = keys.signer(signer)
    key = files.private_key()
    public = x509.Certificate.load(files.chain()[0]).public_key.dump()
    scheme = SCHEMES[signer]
    value = algorithms.sign(key, scheme, plain)

    def bare() -> None:
        assert algorithms.verify(public, scheme, plain, value)

    cached()
    whole, alone = in_turns((cached, bare), seconds)
    (cold,) = in_turns((uncached,), seconds)
    return {
        "form": name,
        "signer": signer,
        "bytes": len(document.body),
        "cpu_ms": round(median(whole), 2),
        "least_ms": round(min(whole), 2),
        "bare_ms": round(median(alone), 2),
        "ratio": round(median(map(truediv, whole, alone)), 1),
        "uncached_ms": round(median(cold), 2),
    }


def signed(
    keys: pki.Pki,
    algorithms: Algorithms,
    now: datetime,
    plain: bytes,
    case: tuple[str, Form, str, str],
) -> tuple[Part, tuple[Part, ...]]:
    _, form, _, signer = case
    files = keys.signer(signer)
    key, chain = files.private_key(), files.chain()
    if form == "jws":
        body = sign_bundle(plain, key=key, chain=chain, algorithms=algorithms, form=form, at=now)
        return Part(name="document", media_type="", body=body), ()
    octets = sign(
        plain,
        key=key,
        chain=chain,
        algorithms=algorithms,
        form=form,
        detached=form == "cades",
        at=now,
    )
    if form != "cades":
        return Part(name="document", media_type="", body=octets), ()
    beside = Part(name="signature", media_type="", body=octets)
    return Part(name="document", media_type="", body=plain), (beside,)


def in_turns(works: Sequence[Callable[[], None]], seconds: float) -> list[list[float]]:
    """Return the CPU time of one run of each of `works`, ms, in each of BATCHES turns."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(BATCHES):
        for work, figures in zip(works, found, strict=True):
            figures.append(cpu_ms(work, seconds / BATCHES))
    return found


def cpu_ms(work: Callable[[], None], seconds: float) -> float:
    """Return the CPU time of one `work`, ms, repeated for so long."""
    times, start, ends = 0, time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < ends or not times:
        work()
        times += 1
    return (time.process_time() - start) * 1000 / times


if __name__ == "__main__":
    main()
