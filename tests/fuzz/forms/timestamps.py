"""Time-stamp tokens, and the answers of an authority that was asked for one."""

from __future__ import annotations

from collections.abc import Iterator

from asn1crypto import tsp

from gateway.model import Indication
from gateway.signatures.stamping import Client, NotStamped
from gateway.signatures.timestamps import check_token
from tests.fuzz.ground import FAMILIES, Bench
from tests.fuzz.judging import WORDS, believing
from tests.fuzz.values import PASSED, REFUSED, Outcome, Seed
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.cms_made import authority
from tests.unit.signatures.made import BUNDLE

NAME = "timestamps"
TOKENS, ANSWERS = "timestamp-tokens", "timestamp-answers"
NONCE = 20261121


def seeds(bench: Bench) -> Iterator[Seed]:
    for family in FAMILIES:
        stamping = authority(bench.pki, f"{family}-tsa")
        for digest in ("sha256", "streebog256"):
            token = stamping.stamp(digest, BUNDLE, NOW)
            yield Seed(row=TOKENS, name=f"{family} {digest}", octets=token, context=(BUNDLE,))
        asked = {
            "version": "v1",
            "message_imprint": {
                "hash_algorithm": {"algorithm": "sha256"},
                "hashed_message": ALGORITHMS.digest("sha256", BUNDLE),
            },
            "nonce": NONCE,
            "cert_req": True,
        }
        answer = stamping.respond(tsp.TimeStampReq(asked).dump(), NOW)
        yield Seed(row=ANSWERS, name=family, octets=answer, context=(BUNDLE,))


def judge(bench: Bench, seed: Seed, octets: bytes) -> Outcome:
    token = octets
    if seed.row == ANSWERS:
        client = Client(
            post=lambda request: octets,
            algorithms=ALGORITHMS,
            digest="sha256",
            nonce=lambda: NONCE,
        )
        try:
            token = client.stamp(seed.context[0])
        except NotStamped:
            return Outcome(word=REFUSED)
    one = check_token(token, seed.context[0], "signature", ALGORITHMS)
    if one.indication is not Indication.TOTAL_PASSED:
        assert seed.row == TOKENS, "a token was handed out that does not hold"
        return Outcome(word=WORDS[one.indication])
    assert one.certificate is not None
    moment = one.at.isoformat().encode()
    return Outcome(word=PASSED, believed=believing(moment, one.certificate.hex()))
