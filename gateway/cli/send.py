"""`gateway send FILE…`: submit documents and, with `--wait`, follow them to the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import click

from gateway.cli import documents, local, remote, words
from gateway.cli.desk import Desk, LocalDesk, RemoteDesk
from gateway.cli.documents import Given
from gateway.cli.output import (
    Exit,
    Failed,
    Output,
    TurnedAway,
    Wrong,
    leave,
    options_to,
    problem_json,
    seconds_since,
    translated,
)
from gateway.cli.status import FINAL, finished, mark, problem_lines
from gateway.errors import Rejected
from gateway.homelock import AlreadyWorked

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.cli.remote import Remote

Object = dict[str, Any]

POLL_SECONDS = 0.1
DELIVERY_SECONDS = 5.0
"""How long `--wait` waits for deliveries of what is decided: a clinic may be down for days, and
the gateway goes on trying without us."""

WORST_FIRST = (Exit.FAILED, Exit.REFUSED, Exit.UNDECIDED, Exit.GOOD)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What became of one file."""

    file: str
    view: Object
    """`id`, `status`, `receipt`, `problems[]` (contract, section 2) and what else is known."""

    code: Exit


class Counter(Protocol):
    """Where documents are handed over."""

    def hand_over(self, given: Given) -> Object:
        """Return `id`, `status`, `receipt` of what was kept.  Raises TurnedAway."""

    @property
    def desk(self) -> Desk: ...


@click.command(
    "send",
    help=translated(
        "Отправить документы: файлы, шаблоны, папки, - это stdin. Подпись FILE.p7s или FILE.sig"
        " рядом с файлом уходит вместе с ним. Без --to: в работающую песочницу из --home, а если"
        " она не запущена, прямо в дом.",
        "Send documents: files, patterns, folders, - is stdin. A signature FILE.p7s or FILE.sig"
        " beside a file goes with it. Without --to: to the running sandbox of --home, or, when"
        " none runs, straight into the home.",
    ),
)
@click.argument("names", nargs=-1, required=True, metavar="FILE…")
@click.option("--wait", is_flag=True, help=translated("Ждать конца.", "Wait for the end."))
@click.option(
    "--timeout",
    default=120,
    show_default=True,
    type=click.IntRange(1, 86400),
    help=translated("Сколько секунд ждать.", "How many seconds to wait."),
)
@click.option(
    "--fresh",
    is_flag=True,
    help=translated(
        "Новые номера, идентификаторы и даты; подписать ключом песочницы.",
        "New numbers, ids and dates; sign with the sandbox key.",
    ),
)
@click.option(
    "--sign", is_flag=True, help=translated("Подписать ключом песочницы.", "Sign as the sandbox.")
)
@click.option("--signer", help=translated("Чьим ключом (signers/).", "Whose key (signers/)."))
@click.option("--signature", help=translated("Файл подписи.", "File of the signature."))
@documents.attorney_option
@click.option("--media-type", help=translated("Вид документа.", "Media type."))
@click.option("--idempotency-key", "--key", "key", help="Idempotency-Key.")
@options_to
def command(
    out: Output,
    names: tuple[str, ...],
    wait: bool,
    timeout: int,
    fresh: bool,
    sign: bool,
    signer: str | None,
    signature: str | None,
    attorneys: tuple[str, ...],
    media_type: str | None,
    key: str | None,
) -> None:
    files = documents.find(out, names)
    powers = documents.attorneys(out, attorneys)
    if len(files) > 1 and (signature or key):
        raise Wrong(
            out.say(
                "--signature и --key подходят только к одному файлу",
                "--signature and --key fit one file only",
            )
        )
    results: list[Sent] = []
    with _counter(out, key) as counter, out.progress(len(files), out.say("файл", "file")) as step:
        for file in files:
            started = time.monotonic()
            try:
                given = documents.read(out, file, signature, media_type)
                if fresh or sign:
                    given = documents.signed(out, given, signer, fresh=fresh)
                given = replace(given, attorneys=powers)
                sent = _send(out, counter, given, timeout if wait else 0)
            except Rejected as error:
                # One file that cannot be taken, made fresh or signed does not stop those after it.
                problems = [problem_json(one, out.language) for one in error.problems]
                view = _nothing("rejected", problems)
                sent = Sent(file=file, view=view, code=Exit.REFUSED)
            results.append(sent)
            step(file)
            out.data({"file": sent.file, **sent.view})
            _line(out, sent, seconds_since(started))
    _sum(out, results)
    leave(next(code for code in WORST_FIRST if any(one.code is code for one in results)))


def _send(out: Output, counter: Counter, given: Given, wait_seconds: int) -> Sent:
    try:
        kept = counter.hand_over(given)
    except TurnedAway as error:
        return Sent(file=given.name, view=_nothing("rejected", error.problems), code=error.code)
    except Failed as error:
        view = {**_nothing("failed", []), "error": str(error)}
        return Sent(file=given.name, view=view, code=Exit.FAILED)
    if wait_seconds:
        return _followed(counter.desk, given.name, kept, wait_seconds)
    return Sent(file=given.name, view={**kept, "problems": []}, code=Exit.GOOD)


def _nothing(status: str, problems: list[Object]) -> Object:
    return {"id": None, "status": status, "receipt": None, "problems": problems}


def _followed(desk: Desk, file: str, kept: Object, wait_seconds: int) -> Sent:
    """Wait until the submission is final and, for a moment more, for its deliveries."""
    ends = time.monotonic() + wait_seconds
    decided: float | None = None
    while True:
        view = desk.view(kept["id"])
        now = time.monotonic()
        if view is not None and view["status"] in FINAL:
            decided = decided or now
            if finished(view) or now > decided + DELIVERY_SECONDS:
                break
        if view is None or now > ends:
            return Sent(file=file, view={**kept, **(view or {})}, code=Exit.UNDECIDED)
        time.sleep(POLL_SECONDS)
    codes = {"rejected": Exit.REFUSED, "needs_info": Exit.UNDECIDED}
    view["receipt"] = kept["receipt"]
    return Sent(file=file, view=view, code=codes.get(view["status"], Exit.GOOD))


def _line(out: Output, sent: Sent, seconds: str) -> None:
    view = sent.view
    if "error" in view:
        out.text(f"  {out.mark(False)} {sent.file}  {view['error']}")
        return
    delivered = [d for one in view.get("documents", []) for d in one["deliveries"]]
    arrived = sum(d["state"] in ("delivered", "registered") for d in delivered)
    tail = (
        out.say(f"доставлено {arrived} из {len(delivered)}", f"{arrived} of {len(delivered)} sent")
        if delivered
        else ""
    )
    out.text(
        f"  {mark(out, view['status'])} {sent.file}  {words.status(view['status'], out.language)}"
        f"  {out.dim(seconds + out.say(' с', ' s'))}  {tail}  {out.dim(view['id'] or '')}"
    )
    for problem in [*view["problems"], *(d["problem"] for d in delivered if d["problem"])]:
        problem_lines(out, problem)


def _sum(out: Output, results: list[Sent]) -> None:
    if len(results) > 1:
        good = sum(one.code is Exit.GOOD for one in results)
        refused = sum(one.code is Exit.REFUSED for one in results)
        rest = len(results) - good - refused
        out.note(
            out.say(
                f"хорошо {good}, отклонено {refused}, не решено {rest}",
                f"good {good}, refused {refused}, open {rest}",
            )
        )


@contextmanager
def _counter(out: Output, key: str | None) -> Iterator[Counter]:
    """Open where documents are handed over: `--to`, the running sandbox, or the home itself."""
    url = out.to or str(remote.sandbox(out.home).get("url", ""))
    if out.to is not None or (url and remote.alive(url)):
        yield _OverHttp(remote.connect(out, url=url), key)
        return
    with local.opened(out) as gateway:
        try:
            gateway.start()
        except AlreadyWorked as error:
            raise Wrong(
                out.say(
                    f"в {out.home} уже работает сервер; назовите его адрес: --to URL",
                    f"a server works {out.home} already; give its address: --to URL",
                )
            ) from error
        yield _IntoHome(gateway, out, key)


class _OverHttp:
    """A gateway at a URL."""

    def __init__(self, gateway: Remote, key: str | None) -> None:
        self.gateway = gateway
        self.key = key
        self.desk: Desk = RemoteDesk(gateway)

    def hand_over(self, given: Given) -> Object:
        headers = {"Idempotency-Key": self.key} if self.key else {}
        answer = self.gateway.post_parts("/v1/submissions", given.document, given.beside, headers)
        body = remote.expected(answer, 200, 202)
        return {"id": body["id"], "status": body["status"], "receipt": body["receipt"]}


@dataclass(frozen=True)
class _Sender:
    client: str
    organization: str


class _IntoHome:
    """The home on this machine, with its line running in this process meanwhile."""

    def __init__(self, gateway: Gateway, out: Output, key: str | None) -> None:
        self.gateway = gateway
        self.key = key
        self.language = out.language
        self.desk: Desk = LocalDesk(gateway, out.language)
        self.sender = self._laboratory(out)

    def hand_over(self, given: Given) -> Object:
        from gateway.api import present

        parts = (given.document, *given.beside)
        media_type = "multipart/form-data" if given.beside else given.document.media_type
        try:
            kept = self.gateway.line.keep(self.sender, media_type, parts, idempotency_key=self.key)
        except Rejected as error:
            problems = [problem_json(one, self.language) for one in error.problems]
            raise TurnedAway(problems, Exit.REFUSED) from error
        return {
            "id": kept.submission,
            "status": str(kept.status),
            "receipt": present.receipt(kept.receipt),
        }

    def _laboratory(self, out: Output) -> _Sender:
        wanted = remote.sandbox(out.home).get("clients", [])
        names = [client["client_id"] for client in wanted if client["role"] == "laboratory"]
        known = {client.id: client for client in self.gateway.store.clients()}
        for client in [*(known[name] for name in names if name in known), *known.values()]:
            if client.role == "laboratory" and not client.disabled:
                return _Sender(client=client.id, organization=client.organization)
        raise Wrong(
            out.say(
                "в доме нет ни одной лаборатории: gateway admin org add, затем client add",
                "there is no laboratory in this home: gateway admin org add, then client add",
            )
        )
