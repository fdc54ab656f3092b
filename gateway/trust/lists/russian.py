"""The list of accredited authorities published by the Russian ministry (e-trust portal).

Elements have Russian names and no namespace: АккредитованныеУдостоверяющиеЦентры holds
Версия, Дата and УдостоверяющийЦентр, each with its certificates below
ПрограммноАппаратныеКомплексы, its СтатусАккредитации and ИсторияСтатусовАккредитации.
Source: the list's schema as its readers know it; 63-ФЗ, article 15.
"""

from __future__ import annotations

from datetime import timedelta, timezone

from lxml import etree

from gateway.trust.lists.keys import keys_of
from gateway.trust.lists.values import (
    NotAList,
    Service,
    Status,
    TrustedList,
    issue_of,
    limited,
    moment_of,
    number_of,
)

SOURCE = "ru"
ROOT = "АккредитованныеУдостоверяющиеЦентры"
CERTIFICATES = (
    "ПрограммноАппаратныеКомплексы/ПрограммноАппаратныйКомплекс"
    "/КлючиУполномоченныхЛиц/Ключ/Сертификаты/ДанныеСертификата/Данные"
)
STATUSES = {
    "действует": True,
    "приостановлена": False,
    "прекращена": False,
    "досрочно прекращена": False,
    "аннулирована": False,
}
"""A word that is none of these says nothing."""

MOSCOW = timezone(timedelta(hours=3))
"""Times on the list carry no offset; it was another hour until 2014, on days long past."""


def read(root: etree._Element, sha256: str) -> TrustedList:
    """Return the list below its document element.  Raises NotAList."""
    issued = root.findtext("Дата")
    if issued is None:
        raise NotAList("no date of issue")
    services, unread = list[Service](), 0
    for center in root.iterfind("УдостоверяющийЦентр"):
        keys, broken = keys_of(found.text or "" for found in center.iterfind(CERTIFICATES))
        unread += broken
        services.append(
            Service(
                provider=_name(center),
                keys=keys,
                statuses=tuple(_statuses(center)),
            )
        )
    return TrustedList(
        source=SOURCE,
        issued_at=issue_of(issued, MOSCOW),
        next_update=None,
        services=limited(services),
        sha256=sha256,
        sequence=number_of(root.findtext("Версия")),
        unread=unread,
    )


def _statuses(center: etree._Element) -> list[Status]:
    current = list(map(_status, center.iterfind("СтатусАккредитации")))
    stated = center.iterfind("ИсторияСтатусовАккредитации/СтатусАккредитации")
    found = [one for one in (*current, *map(_status, stated)) if isinstance(one, Status)]
    ended = next((one for one in current if isinstance(one, str) and not STATUSES.get(one)), None)
    if ended is not None and found:
        # Some day since the last that is told it ended: nobody knows from which on.
        last = max(one.since for one in found)
        found.insert(0, Status(since=last, good=None, word=ended))
    return found


def _status(stated: etree._Element) -> Status | str:
    """Return a status, or its word alone where no day is told."""
    since = stated.findtext("ДействуетС")
    word = " ".join((stated.findtext("Статус") or "").lower().split())
    if since is None:
        return word
    return Status(since=moment_of(since, MOSCOW), good=STATUSES.get(word), word=word)


def _name(center: etree._Element) -> str:
    name = center.findtext("КраткоеНазвание") or center.findtext("Название") or ""
    return " ".join(name.split())
