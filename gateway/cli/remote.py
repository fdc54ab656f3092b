"""A gateway over HTTP, spoken to as a laboratory, a clinic or an operator does."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import requests

from gateway.cli.output import Exit, Failed, Output, TurnedAway, Wrong, translated
from gateway.model import Part

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 120.0
TOKEN_SPARE_SECONDS = 60.0
"""A token is renewed this long before it ends."""

SANDBOX_FILE = "sandbox.json"
TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, kw_only=True)
class Answered:
    """An HTTP answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    octets: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object of the answer; empty when it is none."""
        try:
            found = json.loads(self.octets)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, kw_only=True)
class Credentials:
    client_id: str
    client_secret: str


class Remote:
    """One client of one gateway; safe to use from several threads."""

    def __init__(
        self, url: str, credentials: Credentials | None, language: str, *, ca: str | None = None
    ) -> None:
        """`ca` is a file with the certificate authority of a gateway with one of its own."""
        self.url = url.rstrip("/")
        self._credentials = credentials
        self._verify: str | bool = ca or True
        self._language = language
        self._lock = threading.Lock()
        self._token, self._token_ends = "", 0.0
        self._local = threading.local()

    def get(self, path: str, **query: str) -> Answered:
        return self._call("GET", path, params=query)

    def post(self, path: str, **content: Any) -> Answered:
        """POST with the arguments `requests` takes (`json=`, `data=`, `files=`, `headers=`)."""
        return self._call("POST", path, **content)

    def post_parts(
        self,
        path: str,
        document: Part,
        beside: tuple[Part, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """POST a document as itself, or with what goes beside it as multipart/form-data."""
        if not beside:
            kind = {"Content-Type": document.media_type}
            return self.post(path, data=document.body, headers={**kind, **(headers or {})})
        files = [
            (part.name, (part.name, part.body, part.media_type)) for part in (document, *beside)
        ]
        return self.post(path, files=files, headers=dict(headers or {}))

    def _call(self, method: str, path: str, **content: Any) -> Answered:
        headers = {"Accept-Language": self._language, **content.pop("headers", {})}
        if self._credentials is not None:
            headers["Authorization"] = f"Bearer {self._bearer()}"
        return self._send(method, path, headers=headers, **content)

    def _send(self, method: str, path: str, **content: Any) -> Answered:
        try:
            response = self._session().request(
                method,
                self.url + path,
                timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                verify=self._verify,
                allow_redirects=False,
                **content,
            )
        except requests.RequestException as error:
            line = translated(f"{self.url} не отвечает", f"{self.url} does not answer")
            raise Failed(f"{line} ({type(error).__name__})") from error
        return Answered(
            status=response.status_code, headers=response.headers, octets=response.content
        )

    def _bearer(self) -> str:
        with self._lock:
            if time.monotonic() >= self._token_ends:
                self._token, lifetime = self._new_token()
                self._token_ends = time.monotonic() + lifetime - TOKEN_SPARE_SECONDS
            return self._token

    def _new_token(self) -> tuple[str, float]:
        assert self._credentials is not None
        answer = self._send(
            "POST",
            "/oauth/token",
            headers={"Accept-Language": self._language},
            data={
                "grant_type": "client_credentials",
                "client_id": self._credentials.client_id,
                "client_secret": self._credentials.client_secret,
            },
        )
        try:
            granted = expected(answer, 200)
        except TurnedAway as refused:
            refused.line = translated(
                f"{self.url} не дал доступа: проверьте GATEWAY_CLIENT_ID и GATEWAY_CLIENT_SECRET"
                " (или папку песочницы в --home); новый секрет выдаёт оператор шлюза.",
                f"{self.url} gave no access: check GATEWAY_CLIENT_ID and GATEWAY_CLIENT_SECRET"
                " (or the sandbox's folder in --home); the gateway's operator gives a new secret.",
            )
            raise
        token = granted.get("access_token")
        if not isinstance(token, str):
            raise Failed(f"{self.url}/oauth/token: HTTP {answer.status}")
        return token, float(granted.get("expires_in", 0))

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            # Proxies may be needed to get out of a hospital; a .netrc would replace our token.
            session.trust_env = False
            session.proxies = {} if is_near(self.url) else getproxies()
        return session


def expected(answered: Answered, *statuses: int) -> dict[str, Any]:
    """Return the body of an answer with one of the statuses.

    Raises TurnedAway for what the gateway refused: the caller acts, or tries later (429);
    Failed, with the answer's own words, when the gateway could not do its work.
    """
    body = answered.body
    if answered.status in statuses:
        return body
    problems = body.get("problems")
    if answered.status < 500 and isinstance(problems, list) and problems:
        later = answered.status == TOO_MANY_REQUESTS
        raise TurnedAway(problems, Exit.UNDECIDED if later else Exit.REFUSED)
    said = (body.get("code", ""), body.get("reason") or body.get("detail") or "")
    raise Failed(" ".join(filter(None, (f"HTTP {answered.status}", *said))))


def connect(out: Output, role: str = "laboratory", url: str | None = None) -> Remote:
    """Return the gateway at `--to` (or `url`) with this user's credentials.  Raises Wrong."""
    address = url or out.to
    assert address is not None
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).netloc:
        raise Wrong(
            out.say(
                f"{address}: это не адрес; пример: https://gateway.example",
                f"{address}: not a URL; for example https://gateway.example",
            )
        )
    ca = os.environ.get("GATEWAY_CA_FILE")
    return Remote(address, credentials(out, address, role), out.language, ca=ca)


def credentials(out: Output, url: str, role: str) -> Credentials:
    """Return credentials for `url`: the environment, else the home's sandbox.json.

    Raises Wrong when there are none.
    """
    name, secret = os.environ.get("GATEWAY_CLIENT_ID"), os.environ.get("GATEWAY_CLIENT_SECRET")
    if name and secret:
        return Credentials(client_id=name, client_secret=secret)
    known = sandbox(out.home)
    # A secret goes only to the gateway it was made for.
    same = urlsplit(url)[:2] == urlsplit(str(known.get("url", "")))[:2]
    for client in known.get("clients", []) if same else []:
        if client.get("role") == role:
            return Credentials(client_id=client["client_id"], client_secret=client["client_secret"])
    raise Wrong(
        out.say(
            f"нет доступа к {url}: задайте GATEWAY_CLIENT_ID и GATEWAY_CLIENT_SECRET"
            f" или укажите --home с песочницей",
            f"no credentials for {url}: set GATEWAY_CLIENT_ID and GATEWAY_CLIENT_SECRET,"
            f" or give --home of a sandbox",
        )
    )


def sandbox(home: Path) -> dict[str, Any]:
    """Return what the demo wrote about its sandbox; empty when the home is none."""
    try:
        found = json.loads((home / SANDBOX_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def alive(url: str) -> bool:
    """Say whether a gateway answers at `url`."""
    try:
        return Remote(url, None, "ru").get("/healthz").status == 200
    except Failed:
        return False


def is_near(url: str) -> bool:
    return any(url.startswith(f"http://{host}") for host in ("127.0.0.1", "localhost", "[::1]"))
