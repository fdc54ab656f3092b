"""Which lists and OCSP answers may speak of a certificate, and which count at a moment.

The library (pyhanko-certvalidator 0.33.0) is looser than the standards in five places, each
of which lets a stranger's list or a neighbour's stand in for the one that is missing:

- a list by any authority under the same issuer counts for its neighbours' certificates;
- whoever signed a list is remembered by the list's signature value alone, so a changed list
  with a copied signature finds its issuer known and is not verified again;
- a list met while its own issuer's path is judged is taken without verifying it;
- certificates out of OCSP answers join those that paths are built from;
- an answer that names a revocation after the moment says nothing, not "good until then".

Source: RFC 5280, section 6.3.3 (b)(1) and (g); RFC 6960, section 2.2; EN 319 102-1 v1.3.1,
clauses 5.2.5 (freshness) and 5.6.2 (past certificate validation).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime
from typing import Any

from asn1crypto import core, crl, ocsp, x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509 import InvalidVersion, load_der_x509_crl
from pyhanko_certvalidator.errors import CRLValidationError
from pyhanko_certvalidator.ltv.poe import POEManager
from pyhanko_certvalidator.policy_decl import NonRevokedStatusAssertion
from pyhanko_certvalidator.registry import CertificateRegistry
from pyhanko_certvalidator.revinfo import validate_crl, validate_ocsp
from pyhanko_certvalidator.revinfo.archival import (
    OCSPContainer,
    process_legacy_crl_input,
    process_legacy_ocsp_input,
)
from pyhanko_certvalidator.revinfo.manager import RevinfoManager

from gateway.trust.hook import SignatureChecker
from gateway.trust.material import Material
from gateway.trust.policy import PathPolicy

EXPIRED_CERTIFICATES_ON_LIST = "2.5.29.60"
HOLD = "certificate_hold"
_HOLDS_LEFT_OUT: ContextVar[bool] = ContextVar("holds_left_out", default=False)


class Revocations(RevinfoManager):
    """The lists and answers of one judgement; only verified lists have an issuer here."""

    def __init__(
        self,
        registry: CertificateRegistry,
        material: Material,
        assertions: Sequence[NonRevokedStatusAssertion] = (),
    ) -> None:
        self._issuers: dict[int, x509.Certificate] = {}
        self._checker = SignatureChecker()
        super().__init__(
            certificate_registry=registry,
            poe_manager=POEManager(),
            crls=process_legacy_crl_input(material.crls),
            ocsps=process_legacy_ocsp_input(material.ocsps),
            assertions=assertions,
        )

    def check_crl_issuer(self, certificate_list: crl.CertificateList) -> x509.Certificate | None:
        return self._issuers.get(id(certificate_list))

    def record_crl_issuer(
        self, certificate_list: crl.CertificateList, cert: x509.Certificate
    ) -> None:
        try:
            self._checker.validate_signature(
                signature=certificate_list["signature"].native,
                signed_data=certificate_list["tbs_cert_list"].dump(),
                public_key_info=cert.public_key,
                signature_algorithm=certificate_list["signature_algorithm"],
            )
        except InvalidSignature as error:
            raise CRLValidationError("the list's signature does not hold") from error
        self._issuers[id(certificate_list)] = cert

    def _extract_ocsp_certs(self, ocsp_response: OCSPContainer) -> None:
        """Keep the certificates of an answer to the answer: a responder is looked up in it."""


def usable(material: Material, at: datetime, policy: PathPolicy) -> Material:
    """Return the material without what is older than the policy allows at a moment."""
    if policy.revocation_age_max is None:
        return material
    oldest = at - policy.revocation_age_max
    return replace(
        material,
        crls=tuple(one for one in material.crls if _issued(one) >= oldest),
        ocsps=tuple(one for one in material.ocsps if answered(one) >= oldest),
    )


def speaking_of(material: Material, leaf: x509.Certificate) -> Material:
    """Return the material without what came out after a certificate's end.

    Authorities drop ended certificates from their lists, so such a list says nothing in a
    certificate's favour, unless it says that it keeps ended ones from before that end on
    (X.509, expiredCertsOnCRL; RFC 6960, archive cutoff).
    """
    ends = leaf.not_valid_after
    return replace(
        material,
        crls=tuple(one for one in material.crls if _issued(one) <= ends or _keeps(one, ends)),
        ocsps=tuple(one for one in material.ocsps if answered(one) <= ends or _kept(one, ends)),
    )


def later(material: Material, at: datetime) -> bool:
    """Return whether any list or answer came out after a moment."""
    return any(_issued(one) > at for one in material.crls) or any(
        answered(one) > at for one in material.ocsps
    )


def answered(response: ocsp.OCSPResponse) -> datetime:
    """Return when the newest status in an OCSP response was known to be right."""
    singles = response.response_data["responses"]
    moments = [single["this_update"].native for single in singles]
    newest: datetime = max(moments, default=response.response_data["produced_at"].native)
    return newest


def answers_about(material: Material, path: Sequence[x509.Certificate]) -> list[ocsp.OCSPResponse]:
    """Return the OCSP responses that name a certificate of a path below its anchor."""
    serials = {certificate.serial_number for certificate in path[:-1]}
    return [
        response
        for response in material.ocsps
        if serials
        & {
            single["cert_id"]["serial_number"].native
            for single in response.response_data["responses"]
        }
    ]


def may_name(material: Material, path: Sequence[x509.Certificate]) -> bool:
    """Return whether an answer or an entry on a list can be about a certificate of a path."""
    return bool(answers_about(material, path)) or any(
        may_list(one, below.serial_number) for below in path for one in material.crls
    )


@contextmanager
def holds_left_out(left_out: bool) -> Iterator[None]:
    """Let entries that only hold a certificate count for nothing, in this thread, for a while.

    A hold may have been lifted since (RFC 5280, section 5.3.1, removeFromCRL); every other
    entry stays on each later list while its certificate lives (section 3.3).
    """
    token = _HOLDS_LEFT_OUT.set(left_out)
    try:
        yield
    finally:
        _HOLDS_LEFT_OUT.reset(token)


def silent_responders(
    material: Material, leaf: x509.Certificate, at: datetime
) -> list[NonRevokedStatusAssertion]:
    """Return the responders whose certificates name no way to ask about them.

    RFC 6960, section 4.2.2.2.1, leaves it to the client whether these are believed.
    """
    found = {}
    for response in material.ocsps:
        for certificate in response.basic_ocsp_response["certs"] or ():
            extended = certificate.extended_key_usage_value
            answers = extended is not None and "ocsp_signing" in extended.native
            named = certificate.crl_distribution_points or certificate.ocsp_urls
            if answers and not named and certificate.sha256 != leaf.sha256:
                found[certificate.sha256] = NonRevokedStatusAssertion(
                    cert_sha256=certificate.sha256, at=at
                )
    return list(found.values())


def _issued(one: crl.CertificateList) -> datetime:
    moment: datetime = one["tbs_cert_list"]["this_update"].native
    return moment


def _keeps(one: crl.CertificateList, ends: datetime) -> bool:
    """Return whether a list keeps certificates that ended at `ends`."""
    for extension in one["tbs_cert_list"]["crl_extensions"] or ():
        if extension["extn_id"].dotted == EXPIRED_CERTIFICATES_ON_LIST:
            since = extension["extn_value"].parsed
            return isinstance(since, core.GeneralizedTime) and bool(since.native <= ends)
    return False


def _kept(response: ocsp.OCSPResponse, ends: datetime) -> bool:
    """Return whether every status in an answer reaches back to `ends`."""
    cutoffs = [
        extension["extn_value"].native
        for single in response.response_data["responses"]
        for extension in single["single_extensions"] or ()
        if extension["extn_id"].native == "archive_cutoff"
    ]
    return len(cutoffs) == len(response.response_data["responses"]) and all(
        cutoff <= ends for cutoff in cutoffs
    )


def _names(certificate: x509.Certificate, issuer: x509.Name) -> bool:
    """Return whether a certificate names `issuer` as the one whose list speaks of it."""
    asked = x509.GeneralName(name="directory_name", value=issuer)
    points = certificate.crl_distribution_points_value or ()
    return any(asked in point["crl_issuer"] for point in points if point["crl_issuer"])


_scope = validate_crl._get_crl_scope_assuming_authority


def _own_scope(
    crl_issuer: x509.Certificate, cert: x509.Certificate, **rest: Any
) -> set[str] | None:
    """Return what a list covers of a certificate: nothing unless it may speak of it at all."""
    if crl_issuer.subject != cert.issuer and not _names(cert, crl_issuer.subject):
        rest["errs"].issuer_failures += 1
        return None
    found = _scope(crl_issuer=crl_issuer, cert=cert, **rest)
    return None if found is None else set(found)


def may_list(one: crl.CertificateList, serial: int) -> bool:
    """Return whether a list can have an entry for a serial number.

    `cryptography` finds one entry of 300 000 in milliseconds, asn1crypto in seconds.  What it
    reads more strictly and refuses, may.
    """
    index = getattr(one, "_gateway_index", None)
    try:
        if index is None:
            # Kept with the list, so that it is made once and goes with it.
            index = one._gateway_index = load_der_x509_crl(one.dump())
        return index.get_revoked_certificate_by_serial_number(serial) is not None
    except (ValueError, InvalidVersion):
        return True


_entry_on = validate_crl.find_cert_in_list


class _Since(datetime):
    """A moment of revocation that lies before itself, as in an OCSP answer.

    The library takes an entry of a list for a later one at its own second.
    """

    def __lt__(self, value: datetime, /) -> bool:  # type: ignore[override]  # as datetime does
        return self <= value


def _entry_sooner(
    cert: x509.Certificate, issuer: x509.Name, one: crl.CertificateList, authority: x509.Name
) -> tuple[Any, Any]:
    """Return the date and reason of a certificate's entry, if the list has one."""
    if not may_list(one, cert.serial_number):
        return None, None
    since, reason = _entry_on(cert, issuer, one, authority)
    if since is None or _is_hold(reason):
        return None, None
    return _Since.combine(since.date(), since.timetz()), reason


def _is_hold(reason: Any) -> bool:
    """Return whether a reason is a hold, where holds count for nothing."""
    return reason is not None and reason.native == HOLD and _HOLDS_LEFT_OUT.get()


_status = validate_ocsp._check_ocsp_status


def _status_then(
    ocsp_response: OCSPContainer, proc_state: Any, control_time: datetime | None
) -> bool:
    """Return whether an answer says that a certificate was good at the moment asked about."""
    single = ocsp_response.extract_single_response()
    if single is None or single["cert_status"].name != "revoked":
        return bool(_status(ocsp_response, proc_state, control_time))
    if _is_hold(single["cert_status"].chosen["revocation_reason"]):
        return False
    _status(ocsp_response, proc_state, control_time)
    # It has been raised if the revocation lies before the moment.
    return True


validate_crl._get_crl_scope_assuming_authority = _own_scope  # type: ignore[assignment]
validate_crl.find_cert_in_list = _entry_sooner  # type: ignore[assignment]
validate_ocsp._check_ocsp_status = _status_then
