"""Clients prove who they are; tokens say so for fifteen minutes and no longer."""

import base64
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey

from gateway.access import SUBMIT, Access, Refused, hash_secret
from gateway.access.assertions import ASSERTION_TYPE
from gateway.model import Json
from gateway.store import Database, KeyStore, Store
from gateway.store.values import Client, Organization
from tests import databases

ISSUER = "http://gateway.test"
TOKEN_URL = f"{ISSUER}/oauth/token"
KEY = bytes(range(32))
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLIENT_KEY = ECKey.generate_key("P-384", parameters={"kid": "k1"})
SECRET = "s3cret+/="
SECRET_HASH = hash_secret(SECRET)
ASK = {"grant_type": "client_credentials"}


class Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    """A store with a client that has a secret and one that has a key."""
    databases.put_into(tmp_path)
    keys = KeyStore(f"sqlite:///{tmp_path}/keys.db", bytes(32))
    opened = Store(Database(f"sqlite:///{tmp_path}/gateway.db"), keys, clock)
    opened.put_organization(
        Organization(id="org-1", name="Laboratory", kind="laboratory", identifiers=())
    )
    secret = Client(
        id="lab",
        name="Laboratory",
        organization="org-1",
        role="laboratory",
        secret_hash=SECRET_HASH,
    )
    jwks: Json = {"keys": [dict(CLIENT_KEY.as_dict(private=False))]}
    opened.put_client(secret)
    opened.put_client(replace(secret, id="keyed", secret_hash=None, jwks=jwks))
    yield opened
    opened.close()


@pytest.fixture
def access(store: Store, clock: Clock) -> Access:
    return Access(store, KEY, ISSUER, clock)


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.problems[0].code


def bearer(access: Access) -> str:
    return "Bearer " + access.token(basic("lab", "s3cret%2B/%3D"), ASK)["access_token"]


def test_a_secret_by_basic_or_by_form_gives_a_token(access: Access) -> None:
    """Basic is form-encoded first (RFC 6749, 2.3.1): `+` alone would be a space."""
    by_form = access.token(None, {**ASK, "client_id": "lab", "client_secret": SECRET})
    for granted in (access.token(basic("lab", "s3cret%2B/%3D"), ASK), by_form):
        assert granted["token_type"] == "Bearer"
        assert granted["expires_in"] == 900
        who = access.principal("bearer " + granted["access_token"])
        assert (who.client, who.organization, who.role) == ("lab", "org-1", "laboratory")
        who.require(SUBMIT)


@pytest.mark.parametrize(
    ("authorization", "form", "code"),
    [
        (basic("lab", "wrong"), ASK, "AUTH-110"),
        (basic("nobody", SECRET), ASK, "AUTH-110"),
        (basic("keyed", SECRET), ASK, "AUTH-110"),
        (basic("la\0b", SECRET), ASK, "AUTH-110"),
        ("Basic !!!", ASK, "AUTH-110"),
        ("Basic " + base64.b64encode(b"\xff\xfe").decode(), ASK, "AUTH-110"),
        ("Basic " + base64.b64encode(b"nocolon").decode(), ASK, "AUTH-110"),
        ("Digest x", ASK, "AUTH-110"),
        (None, ASK, "AUTH-110"),
        (None, {**ASK, "client_id": "lab", "client_secret": "\udcff"}, "AUTH-110"),
        (None, {}, "AUTH-112"),
        (basic("lab", SECRET), {**ASK, "client_secret": SECRET}, "AUTH-112"),
        (basic("lab", SECRET), {"grant_type": "password"}, "AUTH-111"),
        (basic("lab", "s3cret%2B/%3D"), {**ASK, "scope": "system/*.rs"}, "AUTH-113"),
    ],
)
def test_what_does_not_prove_a_client_gives_no_token(
    access: Access, authorization: str | None, form: dict[str, str], code: str
) -> None:
    assert refusal(lambda: access.token(authorization, form)) == code


def test_a_disabled_client_is_out_within_seconds(
    access: Access, store: Store, clock: Clock
) -> None:
    token = bearer(access)
    access.principal(token)
    client = store.client("lab")
    assert client is not None
    store.put_client(replace(client, disabled=True))
    clock.now += timedelta(seconds=6)
    assert refusal(lambda: access.principal(token)) == "AUTH-102"
    assert refusal(lambda: bearer(access)) == "AUTH-110"


def test_a_token_ends_on_the_second(access: Access, clock: Clock) -> None:
    token = bearer(access)
    clock.now = START + timedelta(minutes=15, seconds=-1)
    assert access.principal(token).client == "lab"
    clock.now = START + timedelta(minutes=15)
    assert refusal(lambda: access.principal(token)) == "AUTH-103"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "token x"])
def test_no_token_is_said_as_no_token(access: Access, header: str | None) -> None:
    assert refusal(lambda: access.principal(header)) == "AUTH-101"


def test_every_changed_character_of_a_token_is_refused(access: Access) -> None:
    token = bearer(access).removeprefix("Bearer ")
    for index in range(0, len(token), 7):
        other = "A" if token[index] != "A" else "B"
        changed = token[:index] + other + token[index + 1 :]
        assert refusal(lambda text=changed: access.principal(f"Bearer {text}")) == "AUTH-102"


def test_tokens_of_others_are_refused(access: Access, store: Store, clock: Clock) -> None:
    """Another key, another issuer, no signature, or a JWT that is no access token."""
    mine = OKPKey.import_key(Access(store, KEY, ISSUER, clock)._tokens._key.as_dict(private=True))
    claims = {
        "iss": ISSUER, "aud": ISSUER, "sub": "lab", "org": "org-1", "role": "laboratory",
        "scope": SUBMIT, "exp": int(START.timestamp()) + 60,
    }  # fmt: skip
    header = {"alg": "Ed25519", "typ": "at+jwt"}
    good = jwt.encode(header, claims, mine, algorithms=["Ed25519"])
    assert access.principal(f"Bearer {good}").client == "lab"
    none = ".".join([base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').decode(),
                     good.split(".")[1], ""])  # fmt: skip
    others = [
        bearer(Access(store, bytes(32), ISSUER, clock)).removeprefix("Bearer "),
        bearer(Access(store, KEY, "http://other.test", clock)).removeprefix("Bearer "),
        jwt.encode({**header, "typ": "JWT"}, claims, mine, algorithms=["Ed25519"]),
        jwt.encode(header, {**claims, "aud": "http://x"}, mine, algorithms=["Ed25519"]),
        jwt.encode(header, {**claims, "org": "org-2"}, mine, algorithms=["Ed25519"]),
        jwt.encode(header, {**claims, "role": "clinic"}, mine, algorithms=["Ed25519"]),
        jwt.encode(header, {"iss": ISSUER}, mine, algorithms=["Ed25519"]),
        none,
        "x" * 5000,
        "a.b.c",
        "\xff",
    ]
    for token in others:
        assert refusal(lambda text=token: access.principal(f"Bearer {text}")) == "AUTH-102"


def assertion(**changes: Any) -> dict[str, str]:
    claims = {
        "iss": "keyed",
        "sub": "keyed",
        "aud": TOKEN_URL,
        "exp": int(START.timestamp()) + 300,
        "jti": "n-1",
    }
    claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    signed = jwt.encode({"alg": "ES384", "kid": "k1"}, claims, CLIENT_KEY, algorithms=["ES384"])
    return {**ASK, "client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}


def test_a_signed_assertion_gives_a_token_once(access: Access) -> None:
    form = assertion()
    assert access.token(None, form)["scope"]
    assert refusal(lambda: access.token(None, form)) == "AUTH-110"
    assert access.token(None, assertion(jti="n-2"))


def test_an_assertion_used_once_is_used_for_every_worker_and_after_a_restart(
    access: Access, store: Store, clock: Clock, tmp_path: Path
) -> None:
    """A copied assertion must not be good at the next process: they share the database."""
    form = assertion()
    assert access.token(None, form)
    assert refusal(lambda: Access(store, KEY, ISSUER, clock).token(None, form)) == "AUTH-110"
    keys = KeyStore(f"sqlite:///{tmp_path}/keys.db", bytes(32))
    other = Store(Database(f"sqlite:///{tmp_path}/gateway.db"), keys, clock)
    try:
        restarted = Access(other, KEY, ISSUER, clock)
        assert refusal(lambda: restarted.token(None, form)) == "AUTH-110"
        assert restarted.token(None, assertion(jti="n-2"))
    finally:
        other.close()


def test_of_one_assertion_sent_many_times_at_once_one_gives_a_token(access: Access) -> None:
    form = assertion()

    def ask(_: int) -> bool:
        try:
            return bool(access.token(None, form))
        except Refused:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(16))) == 1


def test_used_assertions_are_forgotten_when_they_would_be_refused_anyway(
    access: Access, clock: Clock, tmp_path: Path
) -> None:
    for number in range(3):
        access.token(None, assertion(jti=f"n-{number}"))
    clock.now = START + timedelta(minutes=7)
    access.token(None, assertion(jti="late", exp=int(clock.now.timestamp()) + 60))
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database:
        rows = database.execute("SELECT token FROM client_assertion").fetchall()
    assert len(rows) == 1
    assert "late" not in rows[0][0]


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "http://other.test/oauth/token"},
        {"aud": None},
        {"iss": "lab"},
        {"sub": "lab", "iss": "lab"},
        {"sub": "nobody"},
        {"exp": int(START.timestamp()) - 61},
        {"exp": int(START.timestamp()) + 361},
        {"exp": "soon"},
        {"exp": 1e300},
        {"nbf": int(START.timestamp()) + 120},
        {"jti": None},
        {"jti": ""},
    ],
)
def test_the_nearest_bad_assertion_gives_none(access: Access, changes: dict[str, Any]) -> None:
    assert refusal(lambda: access.token(None, assertion(**changes))) == "AUTH-110"


def test_an_assertion_signed_by_another_key_gives_none(access: Access) -> None:
    stranger = ECKey.generate_key("P-384", parameters={"kid": "k1"})
    claims = {"iss": "keyed", "sub": "keyed", "aud": TOKEN_URL, "jti": "z",
              "exp": int(START.timestamp()) + 60}  # fmt: skip
    signed = jwt.encode({"alg": "ES384", "kid": "k1"}, claims, stranger, algorithms=["ES384"])
    for text in (signed, "a.b.c", "", "x" * 9000, "\xff"):
        form = {**ASK, "client_assertion_type": ASSERTION_TYPE, "client_assertion": text}
        assert refusal(lambda form=form: access.token(None, form)) == "AUTH-110"


def test_an_assertion_beside_a_secret_is_no_request(access: Access) -> None:
    form = {**assertion(jti="both"), "client_secret": "x"}
    assert refusal(lambda: access.token(None, form)) == "AUTH-112"
