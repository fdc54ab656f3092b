"""JWS in JSON: flattened and general, attached and detached, and what is no such file."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from gateway.model import Indication
from gateway.signatures import jose, jws
from tests.pki.build import ALGORITHMS, Signing
from tests.unit.signatures.made import BUNDLE, beside, document
from tests.unit.signatures.made_json import (
    alone,
    compact,
    flattened,
    header_of,
    one,
    signing,
    value,
)

PASSED, FAILED, UNKNOWN = (
    Indication.TOTAL_PASSED,
    Indication.TOTAL_FAILED,
    Indication.INDETERMINATE,
)


@cache
def signer() -> Signing:
    return signing("ES256")


def general(*headers: dict[str, Any], content: bytes = BUNDLE, attached: bool = True) -> bytes:
    payload = jose.encoded(content)
    signatures = []
    for header in headers:
        head, written = value(signer(), {**header_of(signer(), "ES256"), **header}, payload)
        signatures.append({"protected": head, "signature": written})
    members: dict[str, Any] = {"signatures": signatures}
    if attached:
        members["payload"] = payload.decode()
    return json.dumps(members).encode()


@pytest.mark.parametrize("attached", [True, False])
def test_a_flattened_jws_covers_the_document(attached: bool) -> None:
    octets = flattened(signer(), "ES256", attached=attached)
    assert one(octets).indication is PASSED
    other = one(octets, BUNDLE + b" ")
    assert not any(covered.covers_enclosing for covered in other.covered)
    assert (other.indication is FAILED) is not attached


def test_each_of_several_signatures_is_judged_by_itself() -> None:
    octets = general({}, {"kid": "2"})
    good = jws.check(document(BUNDLE), beside(octets), ALGORITHMS)
    assert [one.indication for one in good] == [PASSED, PASSED]
    assert [one.place for one in good] == [
        "signature[0]/signatures/0",
        "signature[0]/signatures/1",
    ]
    read = json.loads(octets)
    read["signatures"][1]["signature"] = read["signatures"][0]["signature"]
    mixed = jws.check(document(BUNDLE), beside(json.dumps(read).encode()), ALGORITHMS)
    assert [one.indication for one in mixed] == [PASSED, FAILED]


def test_a_jws_in_json_may_be_the_document_itself() -> None:
    (found,) = alone(flattened(signer(), "ES256", attached=True))
    assert (found.indication, found.place) == (PASSED, "document")
    assert [c.octets for c in found.covered] == [BUNDLE]
    (nothing,) = alone(flattened(signer(), "ES256", attached=False))
    assert (nothing.indication, nothing.sub_indication) == (UNKNOWN, "SIGNED_DATA_NOT_FOUND")


@pytest.mark.parametrize(
    "change",
    [
        lambda read: read.update(header={"alg": "ES256"}),
        lambda read: read.update(header={"crit": ["exp"]}),
        lambda read: read.update(header={"b64": False}),
        lambda read: read.update(header=[]),
        lambda read: read.update(signature=5),
        lambda read: read.update(payload=5),
        lambda read: read.update(protected=""),
        lambda read: read.update(protected="***"),
        lambda read: read.update(signatures=[]),
        lambda read: read.update(signatures=[read.copy()]),
    ],
)
def test_a_file_with_members_out_of_place_fails(change: Callable[[dict[str, Any]], None]) -> None:
    """A member in both headers would mean one thing here and another to the next reader."""
    read = json.loads(flattened(signer(), "ES256"))
    change(read)
    found = one(json.dumps(read).encode())
    assert (found.indication, found.sub_indication) == (FAILED, "FORMAT_FAILURE")


@pytest.mark.parametrize("signatures", [[], {}, [5], [{}] * 17])
def test_a_list_of_signatures_that_is_none_fails(signatures: object) -> None:
    found = one(json.dumps({"payload": "", "signatures": signatures}).encode())
    assert (found.indication, found.sub_indication) == (FAILED, "FORMAT_FAILURE")


def test_a_name_twice_in_the_file_fails() -> None:
    """Case I1: which payload is signed must not depend on who reads."""
    octets = flattened(signer(), "ES256", attached=True).replace(
        b'{"protected"', b'{"payload":"e30","protected"', 1
    )
    assert one(octets).sub_indication == "FORMAT_FAILURE"


def test_b64_must_be_the_same_in_all_signatures() -> None:
    octets = general({}, {"b64": False, "crit": ["b64"]})
    assert one(octets).sub_indication == "FORMAT_FAILURE"


def test_an_unencoded_payload_is_taken_as_it_is_written() -> None:
    header = {**header_of(signer(), "ES256"), "b64": False, "crit": ["b64"]}
    head, written = value(signer(), header, BUNDLE)
    members = {"payload": BUNDLE.decode(), "protected": head, "signature": written}
    assert one(json.dumps(members).encode()).indication is PASSED
    members["payload"] += " "
    assert one(json.dumps(members).encode()).indication is FAILED


def test_a_certificate_nobody_signed_counts_only_where_its_thumbprint_is() -> None:
    """Case E4: who may exchange the certificate may exchange the signer."""
    own, other = signer(), signing("ES256")

    thumb = jose.encoded(hashlib.sha256(own.der).digest()).decode()

    def loose(header: dict[str, Any], named: bool) -> None:
        header.pop("x5c")
        if named:
            header["x5t#S256"] = thumb

    def carrying(*several: Signing) -> Callable[[str], dict[str, Any]]:
        return lambda _: {"x5c": [base64.b64encode(one.der).decode() for one in several]}

    named = flattened(own, "ES256", carrying(other, own), lambda h: loose(h, True))
    assert one(named).indication is PASSED
    assert one(named).certificate == own.der
    exchanged = flattened(own, "ES256", carrying(other), lambda h: loose(h, True))
    assert one(exchanged).sub_indication == "SIG_CRYPTO_FAILURE"
    unnamed = flattened(own, "ES256", carrying(own), lambda h: loose(h, False))
    assert one(unnamed).sub_indication == "NO_SIGNING_CERTIFICATE_FOUND"


def test_certificates_out_of_order_are_told_and_the_first_signs() -> None:
    own, other = signer(), signing("ES256")
    chain = [base64.b64encode(one.der).decode() for one in (own, other)]
    found = one(compact(own, "ES256", lambda h: h.update(x5c=chain)))
    assert found.indication is PASSED
    assert "x5c is not a chain in order" in found.hints
    swapped = one(compact(own, "ES256", lambda h: h.update(x5c=chain[::-1])))
    assert swapped.indication is FAILED
