"""JWS and JAdES: compact, in JSON, detached, unencoded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.attacks.signed_json import file
from tests.fuzz.ground import FAMILIES, Bench
from tests.fuzz.judging import computed, verified
from tests.fuzz.values import Outcome, Seed
from tests.unit.signatures.made import BUNDLE
from tests.unit.signatures.made_json import compact, flattened, signing

NAME = "jws"
COMPACT, IN_JSON, DETACHED, DOCUMENT = "jws-compact", "jws-json", "jws-detached", "jws-document"


def seeds(bench: Bench) -> Iterator[Seed]:
    pki = bench.pki
    for family in FAMILIES:
        whole = file(pki, BUNDLE, name=f"{family}-doctor")
        detached = file(pki, BUNDLE, name=f"{family}-doctor", detached=True)
        head, payload, value = whole.decode().split(".")
        members: dict[str, Any] = {"protected": head, "signature": value}
        several = {"payload": payload, "signatures": [members]}
        yield Seed(row=COMPACT, name=family, octets=whole)
        yield Seed(row=DETACHED, name=family, octets=detached, context=(BUNDLE,))
        yield Seed(row=DOCUMENT, name=family, octets=BUNDLE, context=(detached,))
        yield _in_json(f"{family} flattened", {"payload": payload, **members})
        yield _in_json(f"{family} general", several)
    signer = signing("ES256")

    def unencoded(header: dict[str, Any]) -> None:
        header.update(b64=False, crit=["b64"])

    plain = compact(signer, "ES256", unencoded, signed=BUNDLE)
    yield Seed(row=DETACHED, name="b64", octets=plain, context=(BUNDLE,), how="computed")
    countered = flattened(signer, "ES256", lambda value: {"kid": "1", "etsiU": []}, attached=True)
    yield Seed(row=IN_JSON, name="JAdES", octets=countered, how="computed", ours=False)


def judge(bench: Bench, seed: Seed, octets: bytes) -> Outcome:
    pair = (octets, *seed.context) if seed.row == DOCUMENT else (*seed.context, octets)
    return computed(*pair) if seed.how == "computed" else verified(bench, *pair)


def _in_json(name: str, members: dict[str, Any]) -> Seed:
    return Seed(row=IN_JSON, name=name, octets=json.dumps(members).encode())
