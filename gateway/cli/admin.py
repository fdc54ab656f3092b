"""`gateway admin`: who takes part in this home, and where results go.

Works on the home of this machine: whoever reads its keys is its administrator already.  Every
change is an entry of the audit log.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from gateway.cli import local
from gateway.cli.output import (
    Exit,
    Output,
    Wrong,
    leave,
    options,
    options_before,
    translated,
)

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.model import Destination, Identifier
    from gateway.store.values import Client, Organization

Object = dict[str, Any]

KINDS = ("laboratory", "clinic", "operator")
SYSTEMS = {"--ogrn": "ogrn", "--oid": "frmo", "--inn": "innul"}
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAME_MAX = 200
DESTINATION_KIND = "fhir_rest"

_NAME = click.option("--name", default="", help=translated("Название.", "Name."))
_ORG = click.option(
    "--org", "organization", required=True, help=translated("Чей.", "Whose: an organisation.")
)


@click.group(
    "admin",
    help=translated(
        "Участники этого дома и получатели: организации, клиенты, адреса доставки.",
        "Who takes part in this home, and where results go: organisations, clients, destinations.",
    ),
)
@options_before
def command(**before: object) -> None:
    pass


# --- organisations ---------------------------------------------------------------------


@command.group("org", help=translated("Организации.", "Organisations."))
@options_before
def org(**before: object) -> None:
    pass


@org.command(
    "add",
    help=translated(
        "Добавить организацию. По номерам её узнают в документах: лаборатории и клинике нужен"
        " хотя бы один.",
        "Add an organisation. Documents name it by its numbers: a laboratory or a clinic needs"
        " at least one.",
    ),
)
@click.argument("id")
@click.option("--kind", type=click.Choice(KINDS), required=True, help=translated("Кто.", "Which."))
@_NAME
@click.option("--ogrn", help=translated("ОГРН.", "ОГРН: the state register's number."))
@click.option("--oid", help=translated("OID в реестре ФРМО.", "OID in the ФРМО register."))
@click.option("--inn", help=translated("ИНН.", "ИНН: the tax number."))
@options
def add_organization(
    out: Output,
    id: str,
    kind: str,
    name: str,
    ogrn: str | None,
    oid: str | None,
    inn: str | None,
) -> None:
    from gateway.store.values import Organization

    numbers = _numbers({"--ogrn": ogrn, "--oid": oid, "--inn": inn})
    if not numbers and kind != "operator":
        raise Wrong(out.say("нужен --ogrn, --oid или --inn", "give --ogrn, --oid or --inn"))
    made = Organization(id=_id(out, id), name=_named(out, name, id), kind=kind, identifiers=numbers)
    with local.opened(out) as gateway:
        if gateway.store.organization(id) is not None:
            _taken(out, id)
        for other in gateway.store.organizations():
            if set(other.identifiers) & set(numbers):
                _taken(out, id, other.id)
        gateway.store.put_organization(made)
        _traced(gateway, "admin.org.add", id, {"kind": kind})
    out.data(_organization(made))
    out.text(f"{out.mark(True)} {id}  {kind}  {made.name}")
    out.note(out.say("Дальше: gateway admin client add", "Next: gateway admin client add"))


@org.command("list", help=translated("Показать организации.", "List organisations."))
@options
def list_organizations(out: Output) -> None:
    with local.opened(out) as gateway:
        found = [_organization(one) for one in gateway.store.organizations()]
    for one in found:
        out.data(one)
    columns = (
        ("Организация", "Кто", "Название", "Номера")
        if out.language == "ru"
        else ("Organisation", "Kind", "Name", "Numbers")
    )
    rows = [
        (one["id"], one["kind"], one["name"], " ".join(n["value"] for n in one["identifiers"]))
        for one in found
    ]
    out.table(columns, rows)


# --- clients ---------------------------------------------------------------------------


@command.group("client", help=translated("Клиенты: кто входит.", "Clients: who logs in."))
@options_before
def client(**before: object) -> None:
    pass


@client.command(
    "add",
    help=translated(
        "Добавить клиента организации; секрет показывается один раз, хранится только его хэш.",
        "Add a client of an organisation; its secret is shown once, only its hash is kept.",
    ),
)
@click.argument("id")
@_ORG
@_NAME
@options
def add_client(out: Output, id: str, organization: str, name: str) -> None:
    from gateway.access import hash_secret, new_secret
    from gateway.store.values import Client

    with local.opened(out) as gateway:
        owner = _owner(out, gateway, organization)
        if gateway.store.client(_id(out, id)) is not None:
            _taken(out, id)
        secret = new_secret()
        made = Client(
            id=id,
            name=_named(out, name, id),
            organization=owner.id,
            role=owner.kind,
            secret_hash=hash_secret(secret),
        )
        gateway.store.put_client(made)
        _traced(gateway, "admin.client.add", id, {"organization": owner.id, "role": owner.kind})
        url = gateway.settings.url.rstrip("/")
    out.data({**_client(made), "client_secret": secret, "token_url": f"{url}/oauth/token"})
    out.text(f"{out.mark(True)} {id}  {owner.id}  {owner.kind}")
    out.text(f"  client_id      {id}")
    out.text(f"  client_secret  {secret}")
    out.text(f"  token_url      {url}/oauth/token")
    out.note(
        out.say(
            "Секрет больше не покажется: передайте его клиенту сейчас.",
            "The secret will not be shown again: hand it to the client now.",
        )
    )


@client.command("list", help=translated("Показать клиентов.", "List clients."))
@options
def list_clients(out: Output) -> None:
    with local.opened(out) as gateway:
        found = [_client(one) for one in gateway.store.clients()]
    for one in found:
        out.data(one)
    columns = (
        ("Клиент", "Организация", "Роль", "Вход", "Название")
        if out.language == "ru"
        else ("Client", "Organisation", "Role", "Proves itself by", "Name")
    )
    rows = [
        (one["client_id"], one["organization"], one["role"], one["proof"], one["name"])
        for one in found
    ]
    out.table(columns, rows)


# --- destinations ----------------------------------------------------------------------


@command.group("destination", help=translated("Получатели.", "Destinations of deliveries."))
@options_before
def destination(**before: object) -> None:
    pass


@destination.command(
    "add",
    help=translated(
        "Добавить получателя. Результаты идут к нему по маршруту [[routes]] в gateway.toml.",
        "Add a destination. Results go there by a [[routes]] entry of gateway.toml.",
    ),
)
@click.argument("name")
@_ORG
@click.option("--url", required=True, help=translated("Адрес.", "Its URL."))
@click.option(
    "--kind", default=DESTINATION_KIND, show_default=True, help=translated("Вид.", "Kind.")
)
@click.option(
    "--option",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help=translated(
        "Ещё настройка (timeout_seconds=20, token_file=…).",
        "One more option (timeout_seconds=20, token_file=…).",
    ),
)
@options
def add_destination(
    out: Output, name: str, organization: str, url: str, kind: str, given: tuple[str, ...]
) -> None:
    from gateway.destinations.interface import kinds
    from gateway.model import Destination

    known = kinds()
    if kind not in known:
        words = out.say(f"нет вида {kind}; есть: ", f"there is no kind {kind}, only: ")
        raise Wrong(words + ", ".join(known))
    if not all("=" in one for one in given):
        raise Wrong(out.say("--option: имя=значение", "--option: name=value"))
    try:
        chosen = known[kind].check_options({"url": url, **dict(o.split("=", 1) for o in given)})
    except ValueError as error:
        raise Wrong(str(error)) from error
    with local.opened(out) as gateway:
        owner = _owner(out, gateway, organization)
        if gateway.store.destination(_id(out, name)) is not None:
            _taken(out, name)
        made = Destination(name=name, kind=kind, organization=owner.id, options=chosen)
        gateway.store.put_destination(made)
        _traced(gateway, "admin.destination.add", name, {"organization": owner.id, "kind": kind})
        routed = _routed(gateway, name)
    out.data({**_destination(made), "routed": routed})
    out.text(f"{out.mark(True)} {name}  {kind}  {owner.id}")
    if not routed:
        out.note(
            out.say(
                f'Маршрута к нему ещё нет. В gateway.toml: [[routes]] и to = "{name}";'
                " работающий сервер прочтёт это при следующем запуске.",
                f'No route leads there yet. In gateway.toml: [[routes]] and to = "{name}";'
                " a running server reads it when it starts next.",
            )
        )


@destination.command("list", help=translated("Показать получателей.", "List destinations."))
@options
def list_destinations(out: Output) -> None:
    with local.opened(out) as gateway:
        found = [
            {**_destination(one), "routed": _routed(gateway, one.name)}
            for one in gateway.store.destinations()
        ]
    for one in found:
        out.data(one)
    columns = (
        ("Получатель", "Организация", "Вид", "Адрес", "Маршрут")
        if out.language == "ru"
        else ("Destination", "Organisation", "Kind", "URL", "Route")
    )
    rows = [
        (one["name"], one["organization"], one["kind"], one["url"], out.mark(one["routed"]))
        for one in found
    ]
    out.table(columns, rows)


# --- what they share -------------------------------------------------------------------


def _numbers(given: dict[str, str | None]) -> tuple[Identifier, ...]:
    """Return numbers in their canonical form.  Raises Rejected for one that is wrong."""
    from gateway.errors import Rejected
    from gateway.model import Problem
    from gateway.patients import identifiers

    found = []
    for option, value in given.items():
        if value is not None:
            number = identifiers.normalise(SYSTEMS[option], value)
            problem = number if isinstance(number, Problem) else identifiers.check(number)
            if problem is not None:
                raise Rejected(replace(problem, place=option))
            assert not isinstance(number, Problem)
            found.append(number)
    return tuple(found)


def _id(out: Output, id: str) -> str:
    if not ID.fullmatch(id):
        raise Wrong(
            out.say(
                f"{id}: нужны латинские буквы, цифры, точка, дефис, подчёркивание; не больше 64",
                f"{id}: expected Latin letters, digits, dot, hyphen, underscore; at most 64",
            )
        )
    return id


def _named(out: Output, name: str, id: str) -> str:
    if len(name) > NAME_MAX or not name.isprintable():
        raise Wrong(
            out.say(f"--name: до {NAME_MAX} знаков", f"--name: at most {NAME_MAX} characters")
        )
    return name or id


def _owner(out: Output, gateway: Gateway, id: str) -> Organization:
    """Return an organisation that must be there; ends the verb with 1 when it is not."""
    found = gateway.store.organization(id)
    if found is None:
        local.no_organization(out, id)
    return found


def _taken(out: Output, id: str, by: str = "") -> None:
    """End the verb with 1: what is there is never written over."""
    line = (
        out.say(f"{id}: номер уже у организации {by}", f"{id}: {by} has this number already")
        if by
        else out.say(f"{id} уже есть и не изменён", f"{id} is there already and was not changed")
    )
    out.data({"id": id, "error": line})
    out.complain(line)
    leave(Exit.REFUSED)


def _traced(gateway: Gateway, action: str, id: str, detail: dict[str, str]) -> None:
    from gateway.store import audit_entry

    now = gateway.clock()
    gateway.store.audit_append(audit_entry(local.ACTOR, action, id, detail, now))


def _routed(gateway: Gateway, name: str) -> bool:
    return any(route.to == name for route in gateway.settings.routes)


def _organization(one: Organization) -> Object:
    numbers = [{"system": number.system, "value": number.value} for number in one.identifiers]
    return {"id": one.id, "kind": one.kind, "name": one.name, "identifiers": numbers}


def _client(one: Client) -> Object:
    return {
        "client_id": one.id,
        "name": one.name,
        "organization": one.organization,
        "role": one.role,
        "proof": "private_key_jwt" if one.jwks else "client_secret",
        "disabled": one.disabled,
    }


def _destination(one: Destination) -> Object:
    # Options may hold secrets, and so may what stands before @ or after ? in an address.
    address = urlsplit(one.options.get("url", ""))
    shown = address._replace(netloc=address.netloc.rpartition("@")[2], query="", fragment="")
    return {
        "name": one.name,
        "kind": one.kind,
        "organization": one.organization,
        "url": shown.geturl(),
    }
