"""The token endpoint speaks RFC 6749 and slows down those who guess."""

from collections.abc import Iterator

import pytest

from gateway.api import create_app
from tests.doorway import SECRET, URL, Doorway, basic, doorway

ASK = b"grant_type=client_credentials"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    with doorway(tmp_path_factory.mktemp("home")) as opened:
        yield opened


def test_a_token_is_given_and_not_kept_by_anyone_on_the_way(door: Doorway) -> None:
    answer = door.http.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, headers=basic("lab", SECRET)
    )
    assert answer.status_code == 200
    assert set(answer.get_json()) == {"access_token", "token_type", "expires_in", "scope"}
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("data", "type", "status", "error"),
    [
        (ASK + b"&client_id=lab&client_secret=x", FORM, 401, "invalid_client"),
        (b"grant_type=password", FORM, 400, "unsupported_grant_type"),
        (b"", FORM, 400, "invalid_request"),
        (ASK + b"&" + ASK, FORM, 400, "invalid_request"),
        (b"&".join([b"a=b"] * 50), FORM, 400, "invalid_request"),
        (b"grant_type=%ff", FORM, 400, "invalid_request"),
        (b"grant_type=\xff", FORM, 400, "invalid_request"),
        (b'{"grant_type": "client_credentials"}', "application/json", 400, "invalid_request"),
        (b"x" * 70_000, FORM, 413, "invalid_request"),
    ],
)  # fmt: skip
def test_each_refusal_is_one_of_the_standard(
    door: Doorway, data: bytes, type: str, status: int, error: str
) -> None:
    answer = door.http.post(
        "/oauth/token", data=data, content_type=type, headers={"Content-Length": str(len(data))}
    )
    body = answer.get_json()
    assert (answer.status_code, body["error"]) == (status, error)
    assert all(body[name] for name in ("code", "fix"))
    assert body["error_description"].isascii()
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_who_guesses_is_slowed_down_and_others_are_not(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with doorway(tmp_path_factory.mktemp("home")) as opened:
        # The clock of the limits stands still: a slow machine must not refill them.
        app = create_app(opened.gateway, seconds=lambda: 1.0)
        door = Doorway(opened.gateway, app, app.test_client())
        statuses = [
            door.http.post(
                "/oauth/token", data={"grant_type": "client_credentials"}, headers=basic("lab", "x")
            )
            for _ in range(80)
        ]
        assert statuses[0].status_code == 401
        assert statuses[-1].status_code == 429
        assert int(statuses[-1].headers["Retry-After"]) >= 1
        other = {"REMOTE_ADDR": "192.0.2.7"}
        answer = door.http.post(
            "/oauth/token",
            data={"grant_type": "client_credentials"},
            headers=basic("lab", SECRET),
            environ_overrides=other,
        )
        assert answer.status_code == 200


def test_keys_and_smart_configuration_are_public(door: Doorway) -> None:
    keys = door.http.get("/oauth/jwks").get_json()["keys"]
    assert len(keys) == 2
    assert all("d" not in key and key["kty"] == "OKP" for key in keys)
    for path in ("/.well-known/smart-configuration", "/fhir/.well-known/smart-configuration"):
        said = door.http.get(path).get_json()
        assert said["token_endpoint"] == f"{URL}/oauth/token"
        assert "private_key_jwt" in said["token_endpoint_auth_methods_supported"]
