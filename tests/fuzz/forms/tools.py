"""What an outside verification tool answers, and what a service is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.external_tool import Answer, Asked
from gateway.external_tool.protocol import answer, question, read_answer, read_question
from gateway.verification import ExternalVerifier
from tests.fuzz.ground import FIRST, Bench
from tests.fuzz.judging import told
from tests.fuzz.values import PASSED, REFUSED, Outcome, Seed
from tests.pki.build import NOW
from tests.unit.signatures.made import BUNDLE, beside, document, signed

NAME = "tools"
ANSWERS, QUESTIONS = "tool-answers", "tool-questions"


@dataclass(frozen=True)
class Answering:
    """A tool that answers in these octets, whatever it is asked."""

    octets: bytes
    name: str = "KeyTool"
    certified: bool = True

    def ask(self, asked: Asked) -> Answer:
        return read_answer(self.octets)


def seeds(bench: Bench) -> Iterator[Seed]:
    several = beside(signed(bench.pki, f"{FIRST}-doctor"), signed(bench.pki, "ecdsa-organisation"))
    report = bench.verifier.verify(document(BUNDLE), several, NOW)
    bodies = tuple(part.body for part in several)
    yield Seed(row=ANSWERS, name="passed", octets=answer("tool 1", report), context=bodies)
    asked = Asked(document=document(BUNDLE), signatures=several, at=NOW, kept=True)
    yield Seed(row=QUESTIONS, name="question", octets=question(asked))


def judge(bench: Bench, seed: Seed, octets: bytes) -> Outcome:
    if seed.row == QUESTIONS:
        try:
            read_question(octets)
        except ValueError:
            return Outcome(word=REFUSED)
        return Outcome(word=PASSED)
    part = document(BUNDLE)
    outside = ExternalVerifier(bench.verifier, Answering(octets))
    return told(outside.verify(part, beside(*seed.context), NOW), part)
