"""Trust material from folders: certificates, revocation lists, OCSP responses, trusted lists.

A certificate that signed itself is an anchor: whoever may write into a trust folder decides
what is trusted, so the folder is the trust decision.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from asn1crypto import crl, ocsp, pem, x509

from gateway.algorithms.asn1 import MALFORMED, scheme_of_certificate_signature
from gateway.algorithms.interface import Algorithms, Unsupported
from gateway.trust.definite import SIGNATURE, definite, only_octets, read_der
from gateway.trust.hook import OCSP_DIGESTS
from gateway.trust.lists import NotAList, TrustedList
from gateway.trust.lists import read_list as trusted_list
from gateway.xml.parser import is_xml

FILE_BYTES_MAX = 64 * 2**20
"""The largest revocation lists of Russian CAs are about 30 MB."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """Everything a judgement rests on, parsed once."""

    anchors: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...]
    crls: tuple[crl.CertificateList, ...]
    ocsps: tuple[ocsp.OCSPResponse, ...]
    ignored: tuple[str, ...] = ()
    lists: tuple[TrustedList, ...] = ()

    @cached_property
    def certificates(self) -> tuple[bytes, ...]:
        """Anchors and intermediates, DER: the same object however often it is asked for."""
        return tuple(one.dump() for one in (*self.anchors, *self.intermediates))

    def beside(
        self, crls: Sequence[crl.CertificateList], ocsps: Sequence[ocsp.OCSPResponse]
    ) -> Material:
        """Return this material with what a signature brought; itself when that is nothing."""
        if not crls and not ocsps:
            return self
        return replace(self, crls=(*self.crls, *crls), ocsps=(*self.ocsps, *ocsps))


def material_of(
    anchors: Sequence[bytes],
    intermediates: Sequence[bytes],
    crls: Sequence[bytes],
    ocsps: Sequence[bytes],
) -> Material:
    """Return the material in these DER objects.  Raises ValueError for a malformed one."""
    return Material(
        anchors=tuple(_certificate(der) for der in anchors),
        intermediates=tuple(_certificate(der) for der in intermediates),
        crls=tuple(read_list(der) for der in crls),
        ocsps=tuple(read_answer(der) for der in ocsps),
    )


def read_folders(
    folders: Sequence[Path], algorithms: Algorithms, known: Sequence[TrustedList] = ()
) -> Material:
    """Return the material in all files below `folders`, PEM or DER, sorted by what it is.

    Files that hold none of it are named in `ignored`; a missing folder is an empty one.
    Trusted lists among `known` are not read again: they are large and rarely new.
    """
    by_digest = {one.sha256: one for one in known}
    lists = list[TrustedList]()
    anchors, intermediates = list[x509.Certificate](), list[x509.Certificate]()
    crls, ocsps = list[crl.CertificateList](), list[ocsp.OCSPResponse]()
    ignored, seen = list[str](), set[bytes]()
    for path in _files(folders):
        recognised = False
        for der in _objects(path):
            if is_xml(der[:64]):
                one = by_digest.get(hashlib.sha256(der).hexdigest()) or _list(der)
                recognised = one is not None
                lists += [one] if one is not None and one not in lists else []
                continue
            found = _recognise(der)
            recognised = recognised or found is not None
            if found is None or (digest := hashlib.sha256(der).digest()) in seen:
                continue
            seen.add(digest)
            if isinstance(found, x509.Certificate):
                (anchors if signed_itself(found, algorithms) else intermediates).append(found)
            elif isinstance(found, crl.CertificateList):
                crls.append(found)
            else:
                ocsps.append(found)
        if not recognised:
            ignored.append(path.name)
    return Material(
        anchors=tuple(anchors),
        intermediates=tuple(intermediates),
        crls=tuple(crls),
        ocsps=tuple(ocsps),
        ignored=tuple(ignored),
        lists=tuple(lists),
    )


def folders_below(folders: Sequence[Path]) -> tuple[Path, ...]:
    """Return `folders` and every folder in them."""
    found = []
    for folder in folders:
        found += [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]
    return tuple(found)


def fingerprint(folders: Sequence[Path]) -> tuple[tuple[object, ...], ...]:
    """Return a value that changes when a file is added, removed or replaced by renaming.

    The times of folders alone would miss a change: they move in steps of some milliseconds,
    and renewing all lists of a sandbox takes no longer.  The numbers of files do not.
    """
    found: list[tuple[object, ...]] = []
    for folder in folders:
        try:
            entries = sorted((entry.name, entry.inode()) for entry in os.scandir(folder))
            found.append((folder.stat().st_mtime_ns, *entries))
        except OSError:
            found.append(())
    return tuple(found)


def signed_itself(certificate: x509.Certificate, algorithms: Algorithms) -> bool:
    """Return whether a certificate is signed by its own key."""
    return certificate.subject == certificate.issuer and signed_by(
        certificate, certificate, algorithms
    )


def signed_by(
    certificate: x509.Certificate, issuer: x509.Certificate, algorithms: Algorithms
) -> bool:
    """Return whether the issuer's key signed a certificate; what nobody computes is a no."""
    try:
        key = issuer["tbs_certificate"]["subject_public_key_info"]
        scheme = scheme_of_certificate_signature(key, certificate["signature_algorithm"])
        return algorithms.verify(
            key.dump(),
            scheme,
            certificate["tbs_certificate"].dump(),
            certificate["signature_value"].native,
        )
    except (Unsupported, *MALFORMED):
        return False


def _files(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path


def _objects(path: Path) -> Iterator[bytes]:
    """Yield the DER objects in a file."""
    if path.stat().st_size > FILE_BYTES_MAX:
        return
    octets = path.read_bytes()
    if not pem.detect(octets):
        yield octets
        return
    try:
        for kind, _, der in pem.unarmor(octets, multiple=True):
            if "PRIVATE" not in kind:
                yield der
    except ValueError:
        return


def _recognise(der: bytes) -> x509.Certificate | crl.CertificateList | ocsp.OCSPResponse | None:
    for load in (_certificate, read_list, read_answer):
        try:
            return load(der)
        except ValueError:
            continue
    return None


def _list(octets: bytes) -> TrustedList | None:
    try:
        return trusted_list(octets)
    except NotAList:
        return None


def _certificate(der: bytes) -> x509.Certificate:
    """Return a parsed certificate; asn1crypto parses late, so what we need is touched now."""
    try:
        found = read_der(x509.Certificate, der)
        _ = (found.serial_number, found.subject.hashable, found.issuer.hashable)
        _ = (found.not_valid_before, found.not_valid_after, found.critical_extensions)
        _ = found["tbs_certificate"]["subject_public_key_info"]["algorithm"].dump()
        _ = (found["signature_algorithm"]["algorithm"].native, found["signature_value"].native)
    except MALFORMED as error:
        raise ValueError("not a certificate") from error
    return found


def read_list(der: bytes) -> crl.CertificateList:
    """Return a parsed revocation list.  Raises ValueError when it is none."""
    try:
        found = read_der(crl.CertificateList, der)
        _ = (found.issuer.hashable, found.critical_extensions)
        _ = found["tbs_cert_list"]["this_update"].native
        _ = found["tbs_cert_list"]["next_update"].native
        _ = len(found["tbs_cert_list"]["revoked_certificates"])
    except MALFORMED as error:
        raise ValueError("not a revocation list") from error
    return found


def read_answer(der: bytes) -> ocsp.OCSPResponse:
    """Return a parsed OCSP response that answers.  Raises ValueError when it is none."""
    try:
        found = read_der(ocsp.OCSPResponse, der)
        if found["response_status"].native != "successful":
            raise ValueError("an OCSP answer that answers nothing")
        definite(bytes(found["response_bytes"]["response"]))
        only_octets(found.basic_ocsp_response[SIGNATURE])
        for single in found.response_data["responses"]:
            _ = (single["this_update"].native, single["next_update"].native)
            _ = single["cert_id"]["serial_number"].native
            # The library would fall over an identifier hashed by something it does not know.
            if single["cert_id"]["hash_algorithm"]["algorithm"].native not in OCSP_DIGESTS:
                raise ValueError("an OCSP answer about a certificate named in an unknown way")
    except MALFORMED as error:
        raise ValueError("not an OCSP response") from error
    return found
