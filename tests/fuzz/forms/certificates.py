"""Certificates, revocation lists and OCSP answers, judged by trust."""

from __future__ import annotations

from collections.abc import Iterator

from asn1crypto import ocsp

from gateway.model import Indication
from gateway.sandbox import certificates as made
from gateway.signatures.certificates import read_all
from gateway.trust import Trust, read_signer
from tests.fuzz.ground import FAMILIES, Bench
from tests.fuzz.judging import WORDS, believing
from tests.fuzz.values import PASSED, REFUSED, Outcome, Seed
from tests.pki.build import ALGORITHMS, CURRENT, NOW, below, issue, list_of, root

NAME = "certificates"
CERTIFICATES, LISTS, ANSWERS = "certificates", "revocation-lists", "ocsp-answers"
ROOT, ROOT_LIST, CA, LEAF, LIST, ANSWER = range(6)
"""Places of the pieces in the context of a seed; `how` is the place of the changed one."""


def seeds(bench: Bench) -> Iterator[Seed]:
    for family in FAMILIES:
        pieces = _pieces(family)
        for row, place in (
            (CERTIFICATES, CA),
            (CERTIFICATES, LEAF),
            (LISTS, LIST),
            (ANSWERS, ANSWER),
        ):
            yield Seed(
                row=row,
                name=f"{family} {place}",
                octets=pieces[place],
                context=pieces,
                how=str(place),
            )


def judge(bench: Bench, seed: Seed, octets: bytes) -> Outcome:
    pieces = list(seed.context)
    pieces[int(seed.how)] = octets
    crls = [pieces[ROOT_LIST]] if seed.row == ANSWERS else [pieces[ROOT_LIST], pieces[LIST]]
    answers = [pieces[ANSWER]] if seed.row == ANSWERS else []
    _read_alone(octets)
    try:
        trust = Trust([pieces[ROOT]], [pieces[CA]], crls, answers, algorithms=ALGORITHMS)
    except ValueError:
        trust = None
    brought = Trust([pieces[ROOT]], algorithms=ALGORITHMS)
    revocations = [*(("crl", one) for one in crls), *(("ocsp", one) for one in answers)]
    findings = [brought.judge(pieces[LEAF], [pieces[CA]], NOW, revocations=revocations)]
    if trust is not None:
        findings.append(trust.judge(pieces[LEAF], (), NOW))
    passed = [one for one in findings if one.status is Indication.TOTAL_PASSED]
    if not passed:
        return Outcome(word=REFUSED if trust is None else WORDS[findings[-1].status])
    return Outcome(word=PASSED, believed=believing(_signed(seed, octets)))


def _signed(seed: Seed, octets: bytes) -> bytes:
    """Return what is signed of a piece: all of a certificate and of a list, an answer's data."""
    if seed.row != ANSWERS:
        return octets
    return bytes(ocsp.OCSPResponse.load(octets).response_data.dump())


def _read_alone(octets: bytes) -> None:
    """Read it wherever a certificate may be read."""
    read_all([octets])
    try:
        read_signer(octets)
    except ValueError:
        return


def _pieces(family: str) -> tuple[bytes, ...]:
    top = root(family=family)
    ca = below(top)
    signer = issue(ca)
    responder = issue(ca, "Responder", made.responder_extensions()).as_authority()
    answer = made.ocsp_response(signer.certificate, ca, responder, CURRENT, ALGORITHMS)
    several = (top.certificate, list_of(top), ca.certificate, signer.certificate, list_of(ca))
    return tuple(bytes(one.dump()) for one in (*several, answer))
