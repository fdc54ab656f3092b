"""JAdES: what is signed, whose certificate is named, and what came after the signature."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from gateway.model import CheckedSignature, Indication
from gateway.sandbox.pki import Pki
from gateway.sandbox.timestamping import TimestampAuthority
from gateway.signatures import jades, jose
from gateway.signatures.allowance import PARTS_MAX, STAMPED_BYTES_MAX
from gateway.signatures.jades import TOKENS_MAX
from tests.pki.build import ALGORITHMS, NOW, Signing
from tests.unit.signatures.made import BUNDLE
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
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
LATER = NOW + timedelta(hours=1)


@cache
def signer() -> Signing:
    return signing("ES256")


def named(certificate: bytes, digest: str = "sha256", name: str = SHA256) -> dict[str, str]:
    digested = hashlib.new(digest, certificate).digest()
    return {"digAlg": name, "digVal": jose.encoded(digested).decode()}


def by_uri(mechanism: str, *uris: str, **members: Any) -> dict[str, Any]:
    return {"mId": mechanism, "pars": list(uris), **members}


def found(change: Callable[[dict[str, Any]], Any], **kept: Any) -> CheckedSignature:
    return one(compact(signer(), "ES256", change, **kept))


# --- whose certificate -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "digest"),
    [("S256", "sha256"), ("S512", "sha512"), (SHA256, "sha256")],
)
def test_a_named_certificate_and_a_time_make_level_b(name: str, digest: str) -> None:
    thumbprint = named(signer().der, digest, name)
    header = {"x5t#o": thumbprint, "sigT": "2026-11-21T12:00:00Z", "crit": ["sigT", "x5t#o"]}
    good = found(lambda h: h.update(header))
    assert (good.indication, good.format, good.level) == (PASSED, "JAdES", "B")
    assert good.claimed_at == NOW
    listed = found(lambda h: h.update({"sigX5ts": [thumbprint], "iat": int(NOW.timestamp())}))
    assert (listed.indication, listed.level, listed.claimed_at) == (PASSED, "B", NOW)


@pytest.mark.parametrize("name", ["x5t#o", "sigX5ts"])
def test_the_name_of_another_certificate_fails(name: str) -> None:
    """Case E6."""
    wrong: Any = named(b"another")
    bad = found(lambda h: h.update({name: [wrong] if name == "sigX5ts" else wrong}))
    assert (bad.indication, bad.sub_indication) == (FAILED, "SIG_CRYPTO_FAILURE")


@pytest.mark.parametrize(
    "value", [None, {}, {"digVal": 5}, {"digVal": "**"}, {"digVal": "AA", "digAlg": "Ivanov"}]
)
def test_an_unreadable_name_of_a_certificate_never_passes(value: object) -> None:
    bad = found(lambda h: h.update({"x5t#o": value}))
    assert bad.indication is not PASSED
    assert "Ivanov" not in repr(bad.checks)


def test_a_sha1_thumbprint_binds_nothing_and_still_must_fit() -> None:
    right = jose.encoded(hashlib.sha1(signer().der, usedforsecurity=False).digest()).decode()
    good = found(lambda h: h.update(x5t=right, sigT="2026-11-21T12:00:00Z"))
    assert (good.indication, good.level) == (PASSED, "")
    assert found(lambda h: h.update(x5t="AAAA")).indication is FAILED


# --- what is signed --------------------------------------------------------------------


def test_content_named_by_its_address_is_the_document() -> None:
    sig_d = by_uri(jades.BY_URI, "/Bundle")
    good = found(lambda h: h.update(sigD=sig_d, crit=["sigD"]))
    assert (good.indication, good.format) == (PASSED, "JAdES")
    assert [(c.octets, c.covers_enclosing) for c in good.covered] == [(BUNDLE, True)]
    octets = compact(signer(), "ES256", lambda h: h.update(sigD=sig_d))
    assert one(octets, BUNDLE + b" ").indication is FAILED


@pytest.mark.parametrize("encoded", [True, False])
def test_content_named_by_its_digest_is_the_document(encoded: bool) -> None:
    digest = hashlib.sha256(jose.encoded(BUNDLE) if encoded else BUNDLE).digest()
    sig_d = by_uri(jades.BY_URI_HASH, "b", hashM="S256", hashV=[jose.encoded(digest).decode()])
    octets = compact(signer(), "ES256", lambda h: h.update(sigD=sig_d), signed=b"")
    good = one(octets)
    assert good.indication is PASSED
    assert [c.octets for c in good.covered] == [BUNDLE]
    bad = one(octets, BUNDLE + b" ")
    assert (bad.indication, bad.sub_indication) == (FAILED, "HASH_FAILURE")
    assert bad.covered == ()


@pytest.mark.parametrize(
    ("sig_d", "sub_indication"),
    [
        (by_uri(jades.BY_HTTP_HEADERS, "digest"), "SIG_CONSTRAINTS_FAILURE"),
        (by_uri("http://example.org/Ivanov", "b"), "SIG_CONSTRAINTS_FAILURE"),
        (by_uri(jades.BY_URI, "a", "b"), "SIGNED_DATA_NOT_FOUND"),
        (by_uri(jades.BY_URI), "FORMAT_FAILURE"),
        (by_uri(jades.BY_URI_HASH, "b", hashM="S256", hashV=[]), "FORMAT_FAILURE"),
        (by_uri(jades.BY_URI_HASH, "b", hashM="MD5", hashV=["AA"]), "CRYPTO_CONSTRAINTS_FAILURE"),
        ("text", "FORMAT_FAILURE"),
    ],
)
def test_content_named_otherwise_never_passes(sig_d: object, sub_indication: str) -> None:
    bad = found(lambda h: h.update(sigD=sig_d))
    assert (bad.indication is PASSED, bad.sub_indication) == (False, sub_indication)
    assert "Ivanov" not in repr(bad.checks)


def test_the_mechanism_that_is_not_understood_is_named() -> None:
    bad = found(lambda h: h.update(sigD=by_uri(jades.BY_HTTP_HEADERS, "digest")))
    assert any("HttpHeaders unsupported" in check.detail for check in bad.checks)


def test_content_inside_beside_a_reference_fails() -> None:
    octets = flattened(
        signer(), "ES256", change=lambda h: h.update(sigD=by_uri(jades.BY_URI, "b")), attached=True
    )
    assert one(octets).sub_indication == "FORMAT_FAILURE"


# --- what came later -------------------------------------------------------------------


def stamp(pki: Pki, octets: bytes) -> dict[str, Any]:
    files = pki.signer("gost256-tsa")
    authority = TimestampAuthority(
        key=files.private_key(), chain=files.chain(), algorithms=ALGORITHMS
    )
    token = authority.stamp("streebog256", octets, LATER)
    return {"tstTokens": [{"val": base64.b64encode(token).decode()}]}


def with_later(*elements: Callable[[str], object]) -> bytes:
    """Return a JWS whose `etsiU` holds what is made for its value."""
    return flattened(signer(), "ES256", lambda value: {"etsiU": [make(value) for make in elements]})


def written(element: object) -> str:
    return jose.encoded(json.dumps(element).encode()).decode()


@pytest.mark.parametrize("clear", [True, False])
def test_a_time_stamp_of_the_value_is_checked(pki: Pki, clear: bool) -> None:
    def made(value: str) -> object:
        element = {"sigTst": stamp(pki, value.encode())}
        return element if clear else written(element)

    good = one(with_later(made))
    assert (good.indication, good.format) == (PASSED, "JAdES")
    (stamped,) = good.timestamps
    assert (stamped.kind, stamped.indication, stamped.at) == ("signature", PASSED, LATER)


def test_a_time_stamp_of_another_signature_proves_nothing(pki: Pki) -> None:
    """Case G1: the token is copied over; the signature itself stands."""
    other = one(with_later(lambda value: {"sigTst": stamp(pki, b"another")}))
    assert other.indication is PASSED
    (stamped,) = other.timestamps
    assert (stamped.indication, stamped.sub_indication) == (FAILED, "HASH_FAILURE")


def test_certificates_and_revocation_values_come_with_the_signature(pki: Pki) -> None:
    der = base64.b64encode(b"0\x03\x02\x01\x05").decode()
    chain = [base64.b64encode(c).decode() for c in pki.signer("rsa-doctor").chain()]
    good = one(
        with_later(
            lambda _: {"xVals": [{"x509Cert": {"val": one}} for one in chain]},
            lambda _: {"rVals": {"crlVals": [{"val": der}], "ocspVals": [{"val": der}]}},
        )
    )
    assert good.indication is PASSED
    assert set(pki.signer("rsa-doctor").chain()) <= set(good.other_certificates)
    assert good.revocations == (
        ("crl", b"0\x03\x02\x01\x05"),
        ("ocsp", b"0\x03\x02\x01\x05"),
    )


def archived(
    pki: Pki, stamped: Callable[[bytes], bytes], *after: object, first: object = None
) -> bytes:
    """Return a JWS with an archive time stamp over its time stamp, or what is `first` instead."""
    header = header_of(signer(), "ES256")
    head, made = value(signer(), header, jose.encoded(BUNDLE))
    before = written({"sigTst": first or stamp(pki, made.encode())})
    covered = b".".join((jose.encoded(BUNDLE), head.encode(), made.encode(), before.encode()))
    archive = written({"arcTst": stamp(pki, stamped(covered))})
    unsigned = {"etsiU": [before, archive, *after]}
    return json.dumps({"protected": head, "signature": made, "header": unsigned}).encode()


def test_an_archive_time_stamp_covers_all_that_stands_before_it(pki: Pki) -> None:
    def file(stamped: Callable[[bytes], bytes], *after: object) -> bytes:
        return archived(pki, stamped, *after)

    good = one(file(lambda covered: covered))
    assert {(t.kind, t.indication) for t in good.timestamps} == {
        ("signature", PASSED),
        ("archive", PASSED),
    }
    by_kind = {t.kind: t for t in good.timestamps}
    assert by_kind["archive"].covers == {by_kind["signature"].sha256}
    more = one(file(lambda covered: covered, written({"sigTst": stamp(pki, b"later")})))
    assert [(t.kind, len(t.covers)) for t in more.timestamps] == [
        ("archive", 1),
        ("signature", 0),
        ("signature", 0),
    ]
    bad = one(file(lambda covered: covered + b"."))
    assert {(t.kind, t.indication) for t in bad.timestamps} == {
        ("signature", PASSED),
        ("archive", FAILED),
    }


def test_a_time_stamp_that_cannot_be_read_leaves_an_archive_time_stamp_over_it(pki: Pki) -> None:
    unreadable = {"tstTokens": [{"val": "***"}]}
    found = one(archived(pki, lambda covered: covered, first=unreadable))
    assert [(t.kind, t.indication, t.covers) for t in found.timestamps] == [
        ("archive", PASSED, frozenset())
    ]
    assert found.hints == ("etsiU: tstTokens unreadable",)


def test_a_file_has_one_allowance_for_all_its_signatures(pki: Pki) -> None:
    """Strangers can add as many counter-signatures and tokens as a file has room for."""
    token = stamp(pki, b"another")["tstTokens"][0]
    witness = json.loads(flattened(signer(), "ES256", content=b"!"))
    several = {"cSig": {"payload": "", "signatures": [witness] * 16}}
    crowd = one(with_later(*[lambda _: several] * 8))
    assert crowd.indication is PASSED
    assert len(crowd.counter_signatures) < PARTS_MAX + 8

    stamps = {"sigTst": {"tstTokens": [token] * TOKENS_MAX}}
    file = json.loads(with_later(lambda _: stamps))
    several = {"payload": jose.encoded(BUNDLE).decode(), "signatures": [file] * 16}
    found = alone(json.dumps(several).encode())
    assert sum(len(each.timestamps) for each in found) <= PARTS_MAX
    assert [each.indication for each in found] == [PASSED] * 16


def test_content_is_not_digested_over_and_over_for_archive_time_stamps(pki: Pki) -> None:
    large = b"a" * (STAMPED_BYTES_MAX // 64)
    token = stamp(pki, b"another")["tstTokens"][0]
    archive = written({"arcTst": {"tstTokens": [token] * TOKENS_MAX}})
    header = header_of(signer(), "ES256")
    head, made = value(signer(), header, jose.encoded(large))
    several = [{"protected": head, "signature": made, "header": {"etsiU": [archive]}}] * 16
    octets = json.dumps({"payload": jose.encoded(large).decode(), "signatures": several})
    found = alone(octets.encode())
    digested = sum(len(each.timestamps) for each in found) * len(large)
    assert 0 < digested <= STAMPED_BYTES_MAX
    assert any("than anybody needs" in hint for hint in found[-1].hints)


def test_a_time_stamp_of_the_content_is_in_the_signed_header(pki: Pki) -> None:
    token = stamp(pki, jose.encoded(BUNDLE))
    good = found(lambda h: h.update(adoTst=token, crit=["adoTst"]))
    assert good.indication is PASSED
    assert [(t.kind, t.indication) for t in good.timestamps] == [("content", PASSED)]


@pytest.mark.parametrize("name", ["ES256", "RS256"])
def test_a_counter_signature_signs_the_value_of_this_one(name: str) -> None:
    witness = signing(name)

    def made(value: str) -> object:
        return {"cSig": compact(witness, name, content=value.encode()).decode()}

    (counter,) = one(with_later(made)).counter_signatures
    assert (counter.indication, counter.certificate) == (PASSED, witness.der)
    assert counter.place == "signature[0]/cSig[0]"
    (other,) = one(
        with_later(lambda _: {"cSig": compact(witness, name, content=b"!").decode()})
    ).counter_signatures
    assert other.indication is FAILED


@pytest.mark.parametrize(
    "element",
    [
        5,
        "***",
        "AAAA",
        {"sigTst": 5},
        {"sigTst": {"tstTokens": [{"val": "***"}]}},
        {"sigTst": {"tstTokens": [{"val": "AAAA"}]}},
        {"rVals": 5},
        {"rVals": {"crlVals": 5}},
        {"xVals": [{"x509Cert": {"val": "AAAA"}}]},
        {"cSig": 5},
        {"cSig": "e30.."},
        {"arcTst": {"tstTokens": []}},
        {"Ivanov": {}},
    ],
)
def test_what_nobody_signed_spoils_nothing_and_proves_nothing(element: object) -> None:
    found = one(with_later(lambda _: element))
    assert found.indication is PASSED
    assert all(t.indication is not PASSED for t in found.timestamps)
    assert all(c.indication is not PASSED for c in found.counter_signatures)
    assert "Ivanov" not in repr(found)


def test_more_elements_than_the_limit_are_not_read(pki: Pki) -> None:
    many = [lambda value: {"sigTst": stamp(pki, value.encode())}]
    found = one(with_later(*many * (jades.UNSIGNED_MAX + 1)))
    assert (found.timestamps, found.hints) == ((), ("etsiU unreadable",))
