"""CMS and CAdES: attached, detached, BER, in armour, stamped, counter-signed, archived."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from tests.fuzz.der_trees import chunked
from tests.fuzz.ground import FAMILIES, FIRST, Bench
from tests.fuzz.judging import computed, verified
from tests.fuzz.values import Outcome, Seed
from tests.unit.signatures.cms_made import archived_v2, archived_v3, countersigned
from tests.unit.signatures.made import BUNDLE, signed
from tests.unit.signatures.records_made import archived, by
from tests.unit.signatures.test_cades import long_term

NAME = "cms"
ATTACHED, DETACHED, DOCUMENT, LONG = (
    "cms-attached",
    "cms-detached",
    "cms-document",
    "cades-long-term",
)
TYPE = "application/pkcs7-mime"


def seeds(bench: Bench) -> Iterator[Seed]:
    pki = bench.pki
    for family in FAMILIES:
        name = f"{family}-doctor"
        attached, detached = signed(pki, name, detached=False), signed(pki, name)
        yield Seed(row=ATTACHED, name=family, octets=attached)
        yield Seed(row=ATTACHED, name=f"{family} BER", octets=chunked(attached))
        yield Seed(row=DETACHED, name=family, octets=detached, context=(BUNDLE,))
        yield Seed(row=DETACHED, name=f"{family} BER", octets=chunked(detached), context=(BUNDLE,))
        yield Seed(row=DOCUMENT, name=family, octets=BUNDLE, context=(detached,))
    text = base64.encodebytes(signed(pki, f"{FIRST}-doctor"))
    armoured = b"-----BEGIN CMS-----\n" + text + b"-----END CMS-----\n"
    yield Seed(row=DETACHED, name="base64", octets=text, context=(BUNDLE,))
    yield Seed(row=DETACHED, name="PEM", octets=armoured, context=(BUNDLE,))
    twice = signed(pki, f"{FIRST}-doctor", detached=False, octets=attached)
    yield Seed(row=ATTACHED, name="one in another", octets=twice)
    if FIRST == "gost256":  # the parts below are made with its keys
        file = countersigned(pki, long_term(pki))
        several = {"counter-signed": file, "v3": archived_v3(pki, file, BUNDLE)}
        several["v2"] = archived_v2(pki, file, BUNDLE)
        several["record"] = archived(file, by(pki), content=BUNDLE)
        for kind, octets in several.items():
            yield Seed(row=LONG, name=kind, octets=octets, context=(BUNDLE,))
            yield Seed(
                row=LONG, name=f"{kind} alone", octets=octets, context=(BUNDLE,), how="computed"
            )
        yield Seed(row=DOCUMENT, name="v3", octets=BUNDLE, context=(several["v3"],))


def judge(bench: Bench, seed: Seed, octets: bytes) -> Outcome:
    if seed.row == ATTACHED:
        return verified(bench, octets, media_type=TYPE)
    if seed.row == DOCUMENT:
        return verified(bench, octets, *seed.context)
    if seed.how == "computed":
        return computed(seed.context[0], octets)
    return verified(bench, seed.context[0], octets)
