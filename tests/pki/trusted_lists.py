"""Trusted lists for tests: the ministry's and a European one, with any history."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

QUALIFIED = "http://uri.etsi.org/TrstSvc/Svctype/CA/QC"
LIST_OF_LISTS = "http://uri.etsi.org/TrstSvc/TrustedList/TSLType/EUlistofthelists"
STATUS = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One authority on a list; `statuses` are (word, since), the current one first."""

    name: str
    certificates: Sequence[bytes]
    statuses: Sequence[tuple[str, str]]
    kinds: Sequence[str] = ()
    """For a European list, of each status; qualified ones by default."""


def russian(*listed: Listed, issued: str = "2026-11-20T00:00:00", version: str = "16326") -> bytes:
    """Return a list as the ministry publishes it."""
    return (
        '<?xml version="1.0" encoding="utf-8"?><АккредитованныеУдостоверяющиеЦентры>'
        f"<Версия>{version}</Версия><Дата>{issued}</Дата>"
        + "".join(map(_center, listed))
        + "</АккредитованныеУдостоверяющиеЦентры>"
    ).encode()


def european(
    *listed: Listed,
    issued: str = "2026-11-20T00:00:00Z",
    update: str | None = "2027-05-20T00:00:00Z",
    territory: str = "LT",
) -> bytes:
    """Return a list of a member state."""
    moment = f"<dateTime>{update}</dateTime>" if update else ""
    return (
        '<TrustServiceStatusList xmlns="http://uri.etsi.org/02231/v2#"><SchemeInformation>'
        f"<TSLSequenceNumber>7</TSLSequenceNumber><SchemeTerritory>{territory}</SchemeTerritory>"
        f"<ListIssueDateTime>{issued}</ListIssueDateTime>"
        f"<NextUpdate>{moment}</NextUpdate></SchemeInformation>"
        "<TrustServiceProviderList>"
        + "".join(map(_provider, listed))
        + "</TrustServiceProviderList></TrustServiceStatusList>"
    ).encode()


def _center(one: Listed) -> str:
    keys = "".join(
        "<ДанныеСертификата><Отпечаток>00</Отпечаток>"
        f"<Данные>{b64encode(der).decode()}</Данные></ДанныеСертификата>"
        for der in one.certificates
    )
    stated = [
        f"<СтатусАккредитации><Статус>{word}</Статус><ДействуетС>{since}</ДействуетС>"
        "</СтатусАккредитации>"
        for word, since in one.statuses
    ]
    return (
        f"<УдостоверяющийЦентр><Название>{escape(one.name)}</Название>"
        "<ПрограммноАппаратныеКомплексы><ПрограммноАппаратныйКомплекс><КлючиУполномоченныхЛиц>"
        f"<Ключ><Сертификаты>{keys}</Сертификаты></Ключ></КлючиУполномоченныхЛиц>"
        "</ПрограммноАппаратныйКомплекс></ПрограммноАппаратныеКомплексы>"
        + "".join(stated[:1])
        + f"<ИсторияСтатусовАккредитации>{''.join(stated)}</ИсторияСтатусовАккредитации>"
        "</УдостоверяющийЦентр>"
    )


def _provider(one: Listed) -> str:
    kinds = one.kinds or [QUALIFIED] * len(one.statuses)
    identity = "".join(
        f"<DigitalId><X509Certificate>{b64encode(der).decode()}</X509Certificate></DigitalId>"
        for der in one.certificates
    )
    stated = [
        f"<ServiceTypeIdentifier>{kind}</ServiceTypeIdentifier>"
        f"<ServiceDigitalIdentity>{identity}</ServiceDigitalIdentity>"
        f"<ServiceStatus>{STATUS}{word}</ServiceStatus>"
        f"<StatusStartingTime>{since}</StatusStartingTime>"
        for kind, (word, since) in zip(kinds, one.statuses, strict=True)
    ]
    history = "".join(
        f"<ServiceHistoryInstance>{past}</ServiceHistoryInstance>" for past in stated[1:]
    )
    return (
        "<TrustServiceProvider><TSPInformation><TSPName>"
        f'<Name xml:lang="en">{escape(one.name)}</Name></TSPName></TSPInformation><TSPServices>'
        f"<TSPService><ServiceInformation>{stated[0]}</ServiceInformation>"
        f"<ServiceHistory>{history}</ServiceHistory></TSPService>"
        "</TSPServices></TrustServiceProvider>"
    )


def list_of_lists(
    *pointed: tuple[str, str, Sequence[bytes]],
    number: str = "7",
    issued: str = "2026-11-20T00:00:00Z",
    territory: str = "EU",
) -> bytes:
    """Return the Union's list: (territory, location, signers) of each list it points to."""
    return (
        '<TrustServiceStatusList xmlns="http://uri.etsi.org/02231/v2#"><SchemeInformation>'
        f"<TSLSequenceNumber>{number}</TSLSequenceNumber><TSLType>{LIST_OF_LISTS}</TSLType>"
        f"<SchemeTerritory>{territory}</SchemeTerritory><PointersToOtherTSL>"
        + "".join(_pointer(*one) for one in pointed)
        + f"</PointersToOtherTSL><ListIssueDateTime>{issued}</ListIssueDateTime>"
        "<NextUpdate><dateTime>2027-05-20T00:00:00Z</dateTime></NextUpdate>"
        "</SchemeInformation></TrustServiceStatusList>"
    ).encode()


def _pointer(territory: str, location: str, signers: Sequence[bytes]) -> str:
    identities = "".join(
        "<ServiceDigitalIdentity><DigitalId><X509Certificate>"
        f"{b64encode(der).decode()}</X509Certificate></DigitalId></ServiceDigitalIdentity>"
        for der in signers
    )
    return (
        f"<OtherTSLPointer><ServiceDigitalIdentities>{identities}</ServiceDigitalIdentities>"
        f"<TSLLocation>{location}</TSLLocation><AdditionalInformation><OtherInformation>"
        f"<SchemeTerritory>{territory}</SchemeTerritory>"
        "</OtherInformation></AdditionalInformation></OtherTSLPointer>"
    )
