"""A trusted list of a member state of the European Union.

Only services that issue qualified certificates (CA/QC) speak of an authority; statuses from
before July 2016 have other words and count alike.
The Union's list of lists names no services; it says of each member state's list where it is
and whose signature it bears.
Source: ETSI TS 119 612 v2.2.1, clauses 5.3 to 5.6 and annex D (5.3.13: pointers).
"""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from gateway.trust.lists.keys import certificate_in, keys_of
from gateway.trust.lists.values import (
    NotAList,
    Pointer,
    Service,
    Status,
    TrustedList,
    issue_of,
    limited,
    moment_of,
    number_of,
)

TSL = "{http://uri.etsi.org/02231/v2#}"
ROOT = f"{TSL}TrustServiceStatusList"
ISSUES_QUALIFIED = "http://uri.etsi.org/TrstSvc/Svctype/CA/QC"
STATUSES = {
    "granted": True,
    "undersupervision": True,
    "supervisionincessation": True,
    "accredited": True,
    "withdrawn": False,
    "supervisionceased": False,
    "supervisionrevoked": False,
    "accreditationceased": False,
    "accreditationrevoked": False,
}
"""By the last part of the status's URI, whose beginning differs with the version."""

LIST_OF_LISTS = "http://uri.etsi.org/TrstSvc/TrustedList/TSLType/EUlistofthelists"
LISTS_MAX = 500
"""Pointers of a list of lists; the Union's has two a member state."""

SIGNERS_MAX = 16
"""Certificates of one pointer."""

IDENTITY = f"{TSL}ServiceDigitalIdentity/{TSL}DigitalId/{TSL}X509Certificate"


def read(root: etree._Element, sha256: str) -> TrustedList:
    """Return the list below its document element.  Raises NotAList."""
    scheme = root.find(f"{TSL}SchemeInformation")
    issued = None if scheme is None else scheme.findtext(f"{TSL}ListIssueDateTime")
    if scheme is None or issued is None:
        raise NotAList("no date of issue")
    update = scheme.findtext(f"{TSL}NextUpdate/{TSL}dateTime")
    source = _source(scheme.findtext(f"{TSL}SchemeTerritory"))
    if source is None:
        raise NotAList("no territory of two letters")
    of_lists = (scheme.findtext(f"{TSL}TSLType") or "").strip() == LIST_OF_LISTS
    services, unread = list[Service](), 0
    for provider in root.iterfind(f"{TSL}TrustServiceProviderList/{TSL}TrustServiceProvider"):
        name = provider.findtext(f"{TSL}TSPInformation/{TSL}TSPName/{TSL}Name") or ""
        for service in provider.iterfind(f"{TSL}TSPServices/{TSL}TSPService"):
            found, broken = _service(service, " ".join(name.split()))
            unread += broken
            services += found
    return TrustedList(
        source=source,
        issued_at=issue_of(issued),
        next_update=None if update is None else moment_of(update),
        services=() if of_lists else limited(services),
        sha256=sha256,
        sequence=number_of(scheme.findtext(f"{TSL}TSLSequenceNumber")),
        unread=unread,
        pointers=tuple(_pointers(scheme)) if of_lists else (),
    )


def _source(territory: str | None) -> str | None:
    """Return the name of a territory's list; None for what is no territory."""
    letters = (territory or "").strip()
    if not (letters.isascii() and letters.isalpha() and len(letters) == 2):
        return None
    return f"eu-{letters.upper()}"


def _pointers(scheme: etree._Element) -> Iterator[Pointer]:
    """Yield where the lists are.  Raises NotAList when there are too many."""
    found = scheme.findall(f"{TSL}PointersToOtherTSL/{TSL}OtherTSLPointer")
    if len(found) > LISTS_MAX:
        raise NotAList(f"{len(found)} pointers; up to {LISTS_MAX} were expected")
    for one in found:
        told = f"{TSL}AdditionalInformation/{TSL}OtherInformation/{TSL}SchemeTerritory"
        source = _source(one.findtext(told))
        location = " ".join((one.findtext(f"{TSL}TSLLocation") or "").split())
        texts = one.findall(f"{TSL}ServiceDigitalIdentities/{IDENTITY}")[:SIGNERS_MAX]
        certificates = (certificate_in(text.text or "") for text in texts)
        signers = tuple(one.dump() for one in certificates if one is not None)
        # The same list is pointed to as a text for people, whose signer is another matter.
        if source is not None and signers and not location.lower().endswith(".pdf"):
            yield Pointer(source=source, location=location, signers=signers)


def _service(service: etree._Element, provider: str) -> tuple[list[Service], int]:
    current = service.find(f"{TSL}ServiceInformation")
    history = service.findall(f"{TSL}ServiceHistory/{TSL}ServiceHistoryInstance")
    if current is None or _kind(current) != ISSUES_QUALIFIED:
        return [], 0
    keys, unread = keys_of(found.text or "" for found in current.iterfind(IDENTITY))
    statuses = [_status(stated) for stated in (current, *history)]
    found = Service(
        provider=provider,
        keys=keys,
        statuses=tuple(status for status in statuses if status is not None),
    )
    return [found], unread


def _status(stated: etree._Element) -> Status | None:
    since = stated.findtext(f"{TSL}StatusStartingTime")
    if since is None:
        return None
    word = (stated.findtext(f"{TSL}ServiceStatus") or "").strip().rstrip("/").rpartition("/")[2]
    # A service that was of another kind then issued nothing qualified.
    good = STATUSES.get(word.lower()) if _kind(stated) == ISSUES_QUALIFIED else False
    return Status(since=moment_of(since), good=good, word=word.lower())


def _kind(stated: etree._Element) -> str:
    return (stated.findtext(f"{TSL}ServiceTypeIdentifier") or "").strip()
