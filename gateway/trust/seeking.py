"""What is missing for a verdict, sought where the certificates say it is, and kept on disk.

Lists are kept in a folder that trust watches; certificates of authorities and OCSP answers
are kept apart and handed to the judgement in hand.  Nothing is believed for having been
fetched: a list must be signed by the authority it was sought for, a certificate must have
signed the one that named it, and an answer is judged like one that came with a signature.
Source: RFC 5280, sections 4.2.1.13 and 4.2.2.1; RFC 6960, appendix A (OCSP over HTTP).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from asn1crypto import cms, crl, ocsp, pem, x509

from gateway.algorithms.asn1 import MALFORMED, scheme_of_certificate_signature
from gateway.algorithms.interface import Algorithms, Unsupported
from gateway.trust.fetching import NotFetched, Web
from gateway.trust.material import read_answer, read_list, signed_by
from gateway.trust.shelf import Shelf

URLS_MAX = 4
"""Addresses tried for one thing; a certificate may name hundreds."""

LISTS_MAX = 500
"""Lists kept; an authority has a handful."""

OTHERS_MAX = 2000
"""Answers and authorities kept, and addresses remembered."""

AUTHORITY_URLS_MAX = 2
"""Fewer, because anybody can make a certificate that names its issuer's address."""

LIST_BYTES_MAX = 64 * 2**20
SMALL_BYTES_MAX = 256 * 1024
AGAIN_AFTER = timedelta(minutes=30)
"""A list is not fetched again sooner, whether it helped or not."""

OCSP_REQUEST = "application/ocsp-request"


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found of the statuses of a chain."""

    answers: tuple[tuple[str, bytes], ...] = ()
    lists: int = 0
    """New lists that now lie in the folder."""


class Seeker:
    """Seeks lists, answers and authorities.  Safe to use from any number of threads."""

    def __init__(
        self, folder: Path, web: Web, algorithms: Algorithms, clock: Callable[[], datetime]
    ) -> None:
        self._web = web
        self._algorithms = algorithms
        self._clock = clock
        self._lists = Shelf(folder / "lists", "crl", LISTS_MAX)
        self._answers = Shelf(folder / "answers", "ors", OTHERS_MAX)
        self._authorities = Shelf(folder / "authorities", "crt", OTHERS_MAX)
        self._asked: OrderedDict[str, datetime] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path:
        """The folder of lists, for trust to watch; nothing else may be believed unasked."""
        return self._lists.folder

    def authority(self, certificate: bytes) -> bytes | None:
        """Return the issuer of a certificate, from where it says (caIssuers)."""
        try:
            below = x509.Certificate.load(certificate, strict=True)
            places = _places(below, "ca_issuers")[:AUTHORITY_URLS_MAX]
        except MALFORMED:
            return None
        for url in places:
            kept = self._found_in(self._authorities.get(url.encode()), below)
            if kept is not None:
                return kept
            octets = self._fetched(url, SMALL_BYTES_MAX)
            found = self._found_in(octets, below)
            if octets is not None and found is not None:
                self._authorities.put(url.encode(), octets)
                return found
        return None

    def _found_in(self, octets: bytes | None, below: x509.Certificate) -> bytes | None:
        """Return the certificate among those in an answer that signed another."""
        return next((der for der in _certificates(octets) if self._issued(der, below)), None)

    def _issued(self, der: bytes, below: x509.Certificate) -> bool:
        try:
            issuer = x509.Certificate.load(der, strict=True)
            named = issuer.subject == below.issuer and not issuer.self_issued
            return bool(named) and signed_by(below, issuer, self._algorithms)
        except MALFORMED:
            return False

    def statuses(self, chain: Sequence[bytes]) -> Found:
        """Return what says whether the certificates of a chain were revoked.

        `chain` goes from the signer to the anchor.  A list serves all certificates of its
        authority, so an answer is only asked for where no list is to be had.
        """
        certificates = [x509.Certificate.load(der, strict=True) for der in chain]
        answers, lists = list[tuple[str, bytes]](), 0
        for below, issuer in pairwise(certificates):
            try:
                if self._list_for(below, issuer):
                    lists += 1
                elif answer := self._answer_for(below, issuer):
                    answers.append(("ocsp", answer))
            except MALFORMED:
                continue
        return Found(answers=tuple(answers), lists=lists)

    def _list_for(self, below: x509.Certificate, issuer: x509.Certificate) -> bool:
        """Fetch and keep a list of an issuer's; return whether there is a new one."""
        for url in _lists_at(below):
            octets = self._fetched(url, LIST_BYTES_MAX)
            if octets is None:
                continue
            try:
                der = pem.unarmor(octets)[2] if pem.detect(octets) else octets
                found = read_list(der)
                times = found["tbs_cert_list"]
                if found.issuer != issuer.subject or times["next_update"].native < self._clock():
                    continue
                if not self._signed_list(found, issuer):
                    continue
            except (TypeError, ValueError):
                continue
            before = self._lists.get(url.encode())
            if before is not None and _begins(read_list(before)) >= _begins(found):
                continue  # Whoever stands in between may have sent an older one.
            self._lists.put(url.encode(), der)
            return True
        return False

    def _signed_list(self, found: crl.CertificateList, issuer: x509.Certificate) -> bool:
        key = issuer["tbs_certificate"]["subject_public_key_info"]
        try:
            scheme = scheme_of_certificate_signature(key, found["signature_algorithm"])
            octets = found["tbs_cert_list"].dump()
            signature = found["signature"].native
            return self._algorithms.verify(key.dump(), scheme, octets, signature)
        except (Unsupported, *MALFORMED):
            return False

    def _answer_for(self, below: x509.Certificate, issuer: x509.Certificate) -> bytes | None:
        body = self._request(below, issuer)
        kept = self._answers.get(body)
        if kept is not None and self._current(kept, below):
            return kept
        for url in _places(below, "ocsp")[:URLS_MAX]:
            try:
                octets = self._web.fetch(url, SMALL_BYTES_MAX, body, OCSP_REQUEST)
            except NotFetched:
                continue
            if self._current(octets, below):
                self._answers.put(body, octets)
                return octets
        return None

    def _current(self, octets: bytes, below: x509.Certificate) -> bool:
        """Return whether octets are an answer about a certificate that has not ended."""
        try:
            singles = read_answer(octets).response_data["responses"]
            about = [one for one in singles if _serial(one) == below.serial_number]
            ends = [one["next_update"].native for one in about]
            return bool(about) and all(end is None or end >= self._clock() for end in ends)
        except MALFORMED:
            return False

    def _request(self, below: x509.Certificate, issuer: x509.Certificate) -> bytes:
        """Return an OCSP request without a nonce, so that a prepared answer will do."""
        public = issuer["tbs_certificate"]["subject_public_key_info"]["public_key"]
        digest = self._algorithms.digest
        asked = {
            "hash_algorithm": {"algorithm": "sha1"},
            "issuer_name_hash": digest("sha1", issuer.subject.dump()),
            "issuer_key_hash": digest("sha1", bytes(public)),
            "serial_number": below.serial_number,
        }
        body = {"request_list": [{"req_cert": asked}]}
        return bytes(ocsp.OCSPRequest({"tbs_request": body}).dump())

    def _fetched(self, url: str, bytes_max: int) -> bytes | None:
        """Return what an address answers, unless it was asked a short while ago."""
        now = self._clock()
        with self._lock:
            before = self._asked.get(url)
            if before is not None and now - before < AGAIN_AFTER:
                return None
            self._asked[url] = now
            while len(self._asked) > OTHERS_MAX:
                self._asked.popitem(last=False)
        try:
            return self._web.fetch(url, bytes_max)
        except NotFetched:
            with self._lock:
                # The host's own waiting time says when to ask it again.
                self._asked.pop(url, None)
            return None


def _begins(found: crl.CertificateList) -> datetime:
    begins: datetime = found["tbs_cert_list"]["this_update"].native
    return begins


def _serial(single: ocsp.SingleResponse) -> int:
    return int(single["cert_id"]["serial_number"].native)


def _places(certificate: x509.Certificate, method: str) -> list[str]:
    """Return where a certificate says that its issuer or its status is to be asked."""
    access = certificate.authority_information_access_value or ()
    return [
        str(one["access_location"].native)
        for one in access
        if one["access_method"].native == method
        and one["access_location"].name == "uniform_resource_identifier"
    ]


def _lists_at(certificate: x509.Certificate) -> list[str]:
    found = []
    for point in certificate.crl_distribution_points_value or ():
        names = point["distribution_point"]
        if names.name == "full_name" and not point["crl_issuer"]:
            found += [
                str(name.native)
                for name in names.chosen
                if name.name == "uniform_resource_identifier"
            ]
    return found[:URLS_MAX]


def _certificates(octets: bytes | None) -> list[bytes]:
    """Return the certificates in an answer: one, in DER or PEM, or a PKCS#7 bundle."""
    if octets is None:
        return []
    try:
        if pem.detect(octets):
            return [der for _, _, der in pem.unarmor(octets, multiple=True)][:URLS_MAX]
        bundle = cms.ContentInfo.load(octets, strict=True)
        if bundle["content_type"].native == "signed_data":
            found = bundle["content"]["certificates"] or ()
            return [one.chosen.dump() for one in found if one.name == "certificate"][:URLS_MAX]
    except MALFORMED:
        pass
    return [octets]
