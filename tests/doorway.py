"""A whole gateway in a temporary home with its door open: the real parts, no server.

Laboratory `lab` may send unsigned documents, so that a test of the door needs no signatures;
`lab2` is another laboratory, `clinic` reads.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.access import hash_secret
from gateway.api import create_app
from gateway.app import Gateway, open_gateway
from gateway.model import Identifier
from gateway.settings import Settings
from gateway.store.values import Client, Organization
from tests import databases

SECRET = "a-secret-for-tests"
SECRET_HASH = hash_secret(SECRET)
URL = "http://gateway.test"
FHIR = "application/fhir+json"
OGRN = "urn:oid:1.2.643.100.1"
CLIENTS = {"lab": "laboratory", "lab2": "laboratory", "clinic": "clinic", "clinic2": "clinic"}


@dataclass
class Doorway:
    gateway: Gateway
    app: Flask
    http: FlaskClient
    tokens: dict[str, str] = field(default_factory=dict)

    def bearer(self, client: str = "lab") -> dict[str, str]:
        """Return the Authorization header of `client`, asking for a token the first time."""
        if client not in self.tokens:
            answer = self.http.post(
                "/oauth/token",
                data={"grant_type": "client_credentials"},
                headers=basic(client, SECRET),
            )
            self.tokens[client] = answer.get_json()["access_token"]
        return {"Authorization": f"Bearer {self.tokens[client]}"}

    def get(self, path: str, client: str = "lab", **headers: str) -> TestResponse:
        return self.http.get(path, headers={**self.bearer(client), **_names(headers)})

    def post(
        self, path: str, body: bytes, type: str = FHIR, client: str = "lab", **headers: str
    ) -> TestResponse:
        words = {**self.bearer(client), "Content-Type": type, **_names(headers)}
        return self.http.post(path, data=body, headers=words)

    def keep(self, body: bytes | None = None, **headers: str) -> TestResponse:
        return self.post("/v1/submissions", body or document(), **headers)

    def work(self) -> None:
        """Take every waiting submission to its end, as a worker would."""
        gateway = self.gateway
        while orders := gateway.store.claim("submission", 1, gateway.settings.work.lease):
            for order in orders:
                gateway.line.work(order)


@contextmanager
def doorway(
    folder: Path, toml: str = "", environ: Mapping[str, str] | None = None
) -> Iterator[Doorway]:
    """Open a gateway in `folder`, with settings `toml` and `environ`, and its door."""
    (folder / "trust").mkdir(parents=True, exist_ok=True)
    (folder / "gateway.toml").write_text(f'url = "{URL}"\n{toml}', "utf-8")
    databases.put_into(folder)
    gateway = open_gateway(Settings.load(folder, environ or {}))
    try:
        for number, (name, role) in enumerate(CLIENTS.items()):
            gateway.store.put_organization(
                Organization(
                    id=f"org-{name}",
                    name=name,
                    kind=role,
                    identifiers=(Identifier(system=OGRN, value=f"102770000000{number}"),),
                    allow_unsigned=name == "lab",
                )
            )
            gateway.store.put_client(
                Client(
                    id=name,
                    name=name,
                    organization=f"org-{name}",
                    role=role,
                    secret_hash=SECRET_HASH,
                )
            )
        app = create_app(gateway)
        yield Doorway(gateway, app, app.test_client())
    finally:
        gateway.close()


def basic(name: str, secret: str) -> dict[str, str]:
    coded = base64.b64encode(f"{name}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {coded}"}


def document() -> bytes:
    """Return a Bundle no gateway has seen: good enough for the door, not for the line."""
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "collection"}
    return json.dumps({**bundle, "id": str(uuid.uuid4())}).encode()


def form(*parts: tuple[str, str, bytes], boundary: str = "frame") -> tuple[str, bytes]:
    """Return the Content-Type and body of a multipart/form-data request."""
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="f"\r\n'
        f"Content-Type: {type}\r\n\r\n".encode()
        + octets
        + b"\r\n"
        for name, type, octets in parts
    )
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


def _names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
