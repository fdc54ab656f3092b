"""What JAdES adds to a JWS: which data is signed, which certificate, and what came later.

The members of the protected header are read strictly: what stands there was signed to mean
something.  `etsiU` nobody signed; from it come time stamps, certificates, revocation values
and counter-signatures, each of which proves itself or nothing.

Source: ETSI TS 119 182-1 V1.2.1, clauses 5.1 to 5.3.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from gateway.algorithms.interface import Algorithms
from gateway.errors import Rejected
from gateway.fhir import text
from gateway.model import CheckedTimestamp, CheckStatus, Json, JsonValue
from gateway.signatures import findings, jose
from gateway.signatures.findings import (
    CRYPTO_CONSTRAINTS_FAILURE,
    FORMAT_FAILURE,
    HASH_FAILURE,
    SIG_CONSTRAINTS_FAILURE,
    SIG_CRYPTO_FAILURE,
    SIGNED_DATA_NOT_FOUND,
    Flaw,
    failed,
    not_done,
    shown,
    undecided,
)
from gateway.signatures.timestamps import digest_of

BY_URI = "http://uri.etsi.org/19182/ObjectIdByURI"
BY_URI_HASH = "http://uri.etsi.org/19182/ObjectIdByURIHash"
BY_HTTP_HEADERS = "http://uri.etsi.org/19182/HttpHeaders"
MECHANISMS = (BY_URI, BY_URI_HASH, BY_HTTP_HEADERS)

DIGESTS = {
    "S256": "sha256",
    "S384": "sha384",
    "S512": "sha512",
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
    "http://www.w3.org/2007/05/xmldsig-more#sha3-256": "sha3_256",
    "http://www.w3.org/2007/05/xmldsig-more#sha3-384": "sha3_384",
    "http://www.w3.org/2007/05/xmldsig-more#sha3-512": "sha3_512",
    "urn:ietf:params:xml:ns:cpxmlsec:algorithms:gostr34112012-256": "streebog256",
    "urn:ietf:params:xml:ns:cpxmlsec:algorithms:gostr34112012-512": "streebog512",
}

MARKS = frozenset(
    (*("sigT", "sigD", "x5t#o", "sigX5ts", "srCms", "srAts", "sigPl", "sigPId", "adoTst"),)
)
"""Members of the protected header that only JAdES has."""

UNSIGNED_MAX = 64
"""Elements of `etsiU`."""

TOKENS_MAX = 16
COUNTERS_MAX = 8
VALUES_MAX = 64
"""Certificates, and revocation objects, of one signature."""

_NOT_JUDGED = ("sigPSt", "xRefs", "rRefs", "axRefs", "arRefs", "anyValData", "rfsTst", "sigRTst")


TokenCheck = Callable[[bytes, bytes, str, dict[str, bytes]], CheckedTimestamp]
"""Checks a token over octets, as a time stamp of a kind; the last are digests of the octets that
were computed already, by name, and take the new ones.  Raises the flaw of too many tokens."""


@dataclass
class Later:
    """What `etsiU` holds."""

    timestamps: list[CheckedTimestamp] = field(default_factory=list)
    certificates: list[bytes] = field(default_factory=list)
    revocations: list[tuple[str, bytes]] = field(default_factory=list)
    counter_signatures: list[bytes] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class NamedBy:
    """A digest of the signer's certificate, in a member of the protected header."""

    member: str
    digest: str
    value: bytes


def is_jades(header: Json, unsigned: Json) -> bool:
    return not MARKS.isdisjoint(header) or "etsiU" in unsigned


# --- what is signed --------------------------------------------------------------------


def content_of(sig_d: JsonValue, body: bytes | None, algorithms: Algorithms) -> bytes:
    """Return the payload that `sigD` stands for, `body` being the one document beside.

    Raises the flaw when the mechanism is unknown, names several documents, or states a
    digest that is not the document's.
    """
    if not isinstance(sig_d, dict):
        raise failed("signed_attributes", FORMAT_FAILURE, "sigD is no object")
    mechanism, names = sig_d.get("mId"), sig_d.get("pars")
    if mechanism not in (BY_URI, BY_URI_HASH):
        detail = f"sigD {shown(str(mechanism), MECHANISMS)} unsupported"
        raise undecided("signed_attributes", SIG_CONSTRAINTS_FAILURE, detail)
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise failed("signed_attributes", FORMAT_FAILURE, "sigD without pars")
    if len(names) > 1 or body is None:
        detail = f"sigD names {len(names)} documents"
        raise undecided("reference_data", SIGNED_DATA_NOT_FOUND, detail)
    if mechanism == BY_URI:
        return body
    _same_digest(sig_d, body, algorithms)
    return b""


def _same_digest(sig_d: Json, body: bytes, algorithms: Algorithms) -> None:
    values, named = sig_d.get("hashV"), sig_d.get("hashM")
    if not isinstance(values, list) or len(values) != 1 or not isinstance(values[0], str):
        raise failed("signed_attributes", FORMAT_FAILURE, "sigD: one hashV for each of pars")
    name = _digest(named, "reference_data")
    stated = jose.decoded(values[0].encode(), "hashV")
    # The clause asks for the digest of the base64url text; many take the octets themselves.
    # Both bind the same octets.
    written = (jose.encoded(body), body)
    if stated not in [findings.digest(algorithms, name, o, "reference_data") for o in written]:
        raise failed("reference_data", HASH_FAILURE, f"{name} differs")
    findings.strong_digest(algorithms, name, "crypto_policy")


# --- whose certificate -----------------------------------------------------------------


def named(header: Json, certificate: bytes, algorithms: Algorithms) -> str:
    """Return which member of the protected header names `certificate`; empty where none does.

    Raises the flaw when one of them names another, or is unreadable.
    """
    found = ""
    for one in digests_named(header):
        computed = findings.digest(algorithms, one.digest, certificate, "signing_certificate_bound")
        if one.value != computed:
            detail = f"{one.member} names another certificate"
            raise failed("signing_certificate_bound", SIG_CRYPTO_FAILURE, detail)
        findings.strong_digest(algorithms, one.digest, "signing_certificate_bound")
        found = one.member
    return found


def digests_named(header: Json) -> Iterator[NamedBy]:
    """Yield the digests by which the protected header names the signer's certificate."""
    listed = header.get("sigX5ts", [])
    if not isinstance(listed, list):
        raise failed("signing_certificate_bound", FORMAT_FAILURE, "sigX5ts is no list")
    several = [("sigX5ts", one) for one in listed[:1]]
    if "x5t#o" in header:
        several.append(("x5t#o", header["x5t#o"]))
    for name, one in several:
        if not isinstance(one, dict) or not isinstance(one.get("digVal"), str):
            raise failed("signing_certificate_bound", FORMAT_FAILURE, f"{name} unreadable")
        digest = _digest(one.get("digAlg"), "signing_certificate_bound")
        stated = jose.decoded(str(one["digVal"]).encode(), name)
        yield NamedBy(member=name, digest=digest, value=stated)


def _digest(name: JsonValue, check: str) -> str:
    if not isinstance(name, str) or name not in DIGESTS:
        detail = f"{shown(str(name), DIGESTS)} unsupported"
        raise not_done(check, CRYPTO_CONSTRAINTS_FAILURE, detail)
    return DIGESTS[name]


# --- time stamps over the content ------------------------------------------------------


def content_timestamps(
    header: Json, payload: bytes, check: TokenCheck
) -> Iterator[CheckedTimestamp]:
    """Yield the time stamps of `adoTst`, which were there before the signature.

    `payload` is the payload as it stands in the signing input.
    """
    if "adoTst" in header:
        for token in _tokens(header["adoTst"]):
            yield check(token, payload, "content", {})


# --- what came later -------------------------------------------------------------------


def later(unsigned: Json, value: bytes, written_value: bytes, check: TokenCheck) -> Later:
    """Return what `etsiU` holds.  Nothing raises: nobody signed it, and the rest stands."""
    found = Later()
    elements = unsigned.get("etsiU")
    if elements is None:
        return found
    if not isinstance(elements, list) or len(elements) > UNSIGNED_MAX:
        found.hints.append("etsiU unreadable")
        return found
    for element in elements:
        try:
            for name, item in _element(element).items():
                _read(name, item, found, (written_value, value), check)
        except Flaw as flaw:
            found.hints.append(f"etsiU: {flaw.check.detail}")
    return found


def archive_timestamps(
    unsigned: Json, head: bytes, check: TokenCheck, hints: list[str]
) -> Iterator[CheckedTimestamp]:
    """Yield the archive time stamps (clause 5.3.6), each over all that stands before it.

    `head` is payload, protected header and value, written as they are signed, each with a
    point behind it.  Elements of `etsiU` in clear would have to be canonicalised by a method
    of their own; their time stamps are named in `hints` and not judged.
    """
    elements = unsigned.get("etsiU")
    left = TOKENS_MAX
    parts = [head]
    earlier: frozenset[str] = frozenset()
    for element in elements if isinstance(elements, list) and len(elements) <= UNSIGNED_MAX else ():
        try:
            read = _element(element)
            item = read.get("arcTst")
            if not isinstance(element, str):
                if item is not None:
                    raise _unreadable("arcTst in clear:")
                continue
            if isinstance(item, dict) and item.get("timeStamped", "all") != "all":
                raise _unreadable("arcTst of the previous arcTst:")
            if item is not None:
                parts, digests = [b"".join(parts)], dict[str, bytes]()
                for token in list(_tokens(item))[:left]:
                    left -= 1
                    yield replace(check(token, parts[0], "archive", digests), covers=earlier)
            parts.append(element.encode())
            for name in ("sigTst", "arcTst"):
                # One that cannot be read is no time stamp of the signature: `later` says so.
                with suppress(Flaw):
                    earlier |= set(map(digest_of, _tokens(read.get(name))))
        except Flaw as flaw:
            hints.append(f"etsiU: {flaw.check.detail}")
            return


def _element(element: JsonValue) -> Json:
    """Return an element of `etsiU`, which is an object or base64url of one."""
    if isinstance(element, str):
        try:
            return text.loads(jose.decoded(element.encode(), "etsiU"))
        except Rejected as error:
            raise _unreadable("an element") from error
    if not isinstance(element, dict):
        raise _unreadable("an element")
    return element


def _read(
    name: str, item: JsonValue, found: Later, stamped: tuple[bytes, bytes], check: TokenCheck
) -> None:
    if name == "sigTst":
        room = TOKENS_MAX - len(found.timestamps)
        for token in list(_tokens(item))[:room]:
            found.timestamps.append(_signature_timestamp(token, stamped, check))
    elif name in ("xVals", "axVals"):
        found.certificates.extend(_values(item, "x509Cert"))
        del found.certificates[VALUES_MAX:]
    elif name in ("rVals", "arVals"):
        if not isinstance(item, dict):
            raise _unreadable(name)
        for kind in ("crl", "ocsp"):
            objects = item.get(f"{kind}Vals", [])
            for one in objects if isinstance(objects, list) else ():
                found.revocations.append((kind, _octets(one, kind)))
        del found.revocations[VALUES_MAX:]
    elif name == "cSig":
        if len(found.counter_signatures) < COUNTERS_MAX:
            octets = item.encode() if isinstance(item, str) else text.dumps(item)
            found.counter_signatures.append(octets)
    elif name == "tstVD":
        for inner in item.items() if isinstance(item, dict) else ():
            if inner[0] in ("xVals", "rVals"):
                _read(*inner, found, stamped, check)
    elif name != "arcTst":
        known = name in _NOT_JUDGED
        found.hints.append(f"{name if known else 'unknown member of etsiU'} present, not judged")


def _signature_timestamp(
    token: bytes, stamped: tuple[bytes, bytes], check: TokenCheck
) -> CheckedTimestamp:
    """Check a token over the value as it is written; some stamp the octets it stands for."""
    first = check(token, stamped[0], "signature", {})
    if not _stamps_other_octets(first):
        return first
    second = check(token, stamped[1], "signature", {})
    return first if _stamps_other_octets(second) else second


def _stamps_other_octets(one: CheckedTimestamp) -> bool:
    statuses = [check.status for check in one.checks if check.name == "message_imprint"]
    return CheckStatus.FAILED in statuses


def _tokens(item: JsonValue) -> Iterator[bytes]:
    listed = item.get("tstTokens") if isinstance(item, dict) else None
    if not isinstance(listed, list) or len(listed) > TOKENS_MAX:
        raise _unreadable("tstTokens")
    for one in listed:
        yield _octets(one, "tstTokens")


def _values(item: JsonValue, name: str) -> Iterator[bytes]:
    for one in item if isinstance(item, list) else ():
        if isinstance(one, dict) and name in one:
            yield _octets(one[name], name)


def _octets(item: JsonValue, name: str) -> bytes:
    """Return `val` of a PKI object: base64, DER."""
    written = item.get("val") if isinstance(item, dict) else None
    if not isinstance(written, str):
        raise _unreadable(name)
    try:
        return base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _unreadable(name) from error


def _unreadable(name: str) -> Flaw:
    return failed("signed_attributes", FORMAT_FAILURE, f"{name} unreadable")
