"""How what was signed relates to the resource that a FHIR Signature belongs to.

A good signature over another bundle is common (53 of 141 published e-prescriptions carry
one), so what was signed is always compared with the bundle around it, and covers that bundle,
a part of it, or something else.

Source: EU DSS, SignatureScopeType, for the words of the scope.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gateway.fhir.text import plain_name
from gateway.model import CheckedSignature, Covered, Indication
from gateway.signatures.fhir_carriers import Carried
from gateway.signatures.fhir_targets import JsonTarget
from gateway.signatures.findings import (
    OWN_CONTENT,
    SIG_CONSTRAINTS_FAILURE,
    Checks,
    undecided,
)

OVER_THE_BUNDLE = "covers_enclosing"
"""Name of the check that what was signed is the resource it is said to be over."""


def related(
    one: CheckedSignature, carried: Carried, method: str, forms: tuple[bytes, ...]
) -> CheckedSignature:
    """Return a checked signature that says what of the document it covers.

    `forms` are the octets that `method` may have digested.  A signature whose mathematics
    hold over something else than its target does not pass: INDETERMINATE.
    """
    one = replace(one, hints=tuple(hint for hint in one.hints if hint != OWN_CONTENT))
    target = carried.target
    if target is None:
        covered = tuple(replace(c, scope="PARTIAL", covers_enclosing=False) for c in one.covered)
        return replace(one, covered=covered)
    answers = [c.octets in forms or target.same(c.octets) for c in one.covered]
    covered = tuple(
        _placed(c, carried, method, c.octets in forms, answer)
        for c, answer in zip(one.covered, answers, strict=True)
    )
    placed = replace(one, covered=covered)
    if not covered:
        lost = target.own and not target.has("id")
        hint = ("the bundle has no id: it may have been dropped after signing",) if lost else ()
        return replace(placed, hints=(*one.hints, *hint))
    if all(answers):
        canonical = any(c.octets in forms for c in one.covered)
        checks = Checks()
        checks.passed(OVER_THE_BUNDLE)
        return replace(
            placed,
            checks=(*one.checks, *checks.made),
            hints=(*one.hints, *_hints(carried, method, canonical)),
        )
    if None not in answers:
        return _over_another(placed, "another resource was signed")
    said = target.alike(one.covered[answers.index(None)].octets)
    words = "says the same as what stands here" if said else "says something else"
    told = () if said is None else (f"the signed content in the other format {words}",)
    detail = "signed in the other of JSON and XML, which is not what stands here"
    return _over_another(replace(placed, hints=(*one.hints, *told)), detail)


def _placed(
    covered: Covered, carried: Carried, method: str, canonical: bool, same: bool | None
) -> Covered:
    target = carried.target
    assert target is not None
    if not same:
        return replace(covered, scope="PARTIAL", covers_enclosing=False)
    # A narrative alone is no result, whoever signed it.
    covers = target.own and not (canonical and method.endswith("#narrative"))
    return Covered(
        octets=covered.octets,
        scope="FULL" if covers and carried.is_root else "PARTIAL",
        covers_enclosing=covers,
        reference=method if canonical else "",
        media_type=target.media_type,
        # Proved octet by octet: what is read has this canonical form and its own digits.
        received=target.received(method) if canonical else target.unwrapped(covered.octets),
    )


def _over_another(one: CheckedSignature, detail: str) -> CheckedSignature:
    """Spoil a signature whose mathematics hold over something else than its target."""
    checks = Checks()
    checks.flawed(undecided(OVER_THE_BUNDLE, SIG_CONSTRAINTS_FAILURE, detail))
    worse = one.indication is Indication.TOTAL_PASSED
    return replace(
        one,
        checks=(*one.checks, *checks.made),
        indication=checks.indication if worse else one.indication,
        sub_indication=checks.sub_indication if worse else one.sub_indication,
    )


def _hints(carried: Carried, method: str, canonical: bool) -> Iterator[str]:
    """Yield what is not signed; content that a signature brings is signed as it is written."""
    target = carried.target
    assert target is not None
    if target.own and not carried.is_root:
        yield "covers its own bundle, not the document around that"
    if not canonical:
        return
    left_out = target.left_out(method)
    if left_out:
        yield f"not signed: {', '.join(sorted(map(plain_name, left_out)))}"
    lost = target.unsigned_precision(method) if isinstance(target, JsonTarget) else 0
    if lost:
        yield f"precision_not_signed: {lost}"
