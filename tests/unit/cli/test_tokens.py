"""`gateway sign` by a key in a PKCS#11 token: SoftHSM2, driven by the real library."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from asn1crypto import pem, x509

from gateway.algorithms import pkcs11, standard
from gateway.algorithms.interface import Scheme, Unsupported
from gateway.sandbox import pki
from tests.unit.cli.conftest import Call
from tests.unit.signatures.made import BUNDLE, XML

MODULES = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"),
)
MODULE = next((one for one in MODULES if one.is_file()), None)

Uri = Callable[[str], str]


@pytest.fixture(scope="session")
def token(sandbox: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uri]:
    """A token with the sandbox doctors' keys; gives the URI of one by name."""
    pytest.importorskip("pkcs11", reason="no python-pkcs11 here (pip)")
    if MODULE is None or shutil.which("softhsm2-util") is None:
        pytest.skip("no SoftHSM2 on this machine (apt: softhsm2)")
    place = tmp_path_factory.mktemp("token")
    (place / "tokens").mkdir()
    settings = place / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {place / 'tokens'}\nlog.level = ERROR\n")
    pin = secrets.token_hex(8)
    (place / "pin").write_text(pin + "\n")
    patch = pytest.MonkeyPatch()
    patch.setenv("SOFTHSM2_CONF", str(settings))

    def tool(*arguments: str | Path) -> None:
        subprocess.run(
            ["softhsm2-util", *map(str, arguments)], check=True, capture_output=True, timeout=60
        )

    tool("--init-token", "--free", "--label", "laboratory", "--pin", pin, "--so-pin", pin)
    for number, family in enumerate(("rsa", "ecdsa"), start=1):
        key = place / f"{family}.pem"
        key.write_bytes(
            pem.armor("PRIVATE KEY", pki.load(sandbox).signer(f"{family}-doctor").private_key())
        )
        tool(
            *("--import", key, "--token", "laboratory", "--pin", pin),
            *("--label", f"{family}-doctor", "--id", f"0{number}"),
        )
    tail = f"?module-path={MODULE}&pin-source=file:{place / 'pin'}"
    yield lambda name: f"pkcs11:token=laboratory;{name};type=private{tail}"
    patch.undo()


@pytest.mark.parametrize("family", ["rsa", "ecdsa"])
@pytest.mark.parametrize(("name", "form"), [("b.json", "cades"), ("d.xml", "xades")])
def test_a_key_in_a_token_signs_as_a_file_would(
    call: Call, sandbox: Path, tmp_path: Path, token: Uri, family: str, name: str, form: str
) -> None:
    file, signed = tmp_path / name, tmp_path / f"signed-{name}"
    file.write_bytes(XML if form == "xades" else BUNDLE)
    certificate = sandbox / "signers" / f"{family}-doctor.crt.pem"
    made = call(
        *("sign", file, "--key", token(f"object={family}-doctor")),
        *("--cert", certificate, "--format", form, "--out", signed),
    )
    assert made.code == 0, made.stderr
    beside = [] if form == "xades" else ["--signature", signed]
    target = signed if form == "xades" else file
    said = call("verify", target, *beside, "--trust", sandbox / "trust", "--json")
    assert said.code == 0, said.stdout


def test_a_key_is_found_by_its_identifier_too(token: Uri, sandbox: Path) -> None:
    signer = pkcs11.TokenSigner(standard(), pkcs11.read_uri(token("id=%02")))
    certificate = pki.load(sandbox).signer("ecdsa-doctor").chain()[0]
    public = x509.Certificate.load(certificate).public_key.dump()
    for encoding in ("der", "raw"):
        scheme = Scheme(family="ecdsa", digest="sha256", encoding=encoding)
        value = signer.sign(b"", scheme, BUNDLE)
        assert standard().verify(public, scheme, BUNDLE, value)
        assert not standard().verify(public, scheme, BUNDLE + b" ", value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("object=nobody", "в токене нет закрытого ключа с таким именем (NoSuchKey)"),
        ("object=rsa-doctor;token=other", "по одному разу"),
    ],
)
def test_what_the_token_does_not_have_is_said(
    call: Call, sandbox: Path, tmp_path: Path, token: Uri, name: str, reason: str
) -> None:
    file = tmp_path / "b.json"
    file.write_bytes(BUNDLE)
    certificate = sandbox / "signers" / "rsa-doctor.crt.pem"
    said = call("sign", file, "--key", token(name), "--cert", certificate)
    assert said.code in (2, 4)
    assert reason in said.stderr


@pytest.mark.parametrize(
    ("uri", "code", "reason"),
    [
        ("pkcs11:token=laboratory", 2, "нужны module-path и object или id"),
        (
            "pkcs11:object=doctor?module-path=/nonexistent.so",
            4,
            "библиотека из module-path не загружается",
        ),
    ],
)
def test_a_uri_that_leads_nowhere_is_told_in_russian(
    call: Call, sandbox: Path, tmp_path: Path, uri: str, code: int, reason: str
) -> None:
    pytest.importorskip("pkcs11", reason="no python-pkcs11 here (pip)")
    file = tmp_path / "b.json"
    file.write_bytes(BUNDLE)
    certificate = sandbox / "signers" / "rsa-doctor.crt.pem"
    said = call("sign", file, "--key", uri, "--cert", certificate)
    assert (said.code, reason in said.stderr) == (code, True), said.stderr


def test_a_wrong_pin_is_said_and_not_shown(
    call: Call, sandbox: Path, tmp_path: Path, token: Uri
) -> None:
    file, pin = tmp_path / "b.json", tmp_path / "pin"
    file.write_bytes(BUNDLE)
    pin.write_text("not-the-right-one")
    uri = token("object=rsa-doctor").partition("&")[0] + f"&pin-source=file:{pin}"
    said = call("sign", file, "--key", uri, "--cert", sandbox / "signers" / "rsa-doctor.crt.pem")
    assert said.code == 4
    assert "PinIncorrect" in said.stderr
    assert "not-the-right-one" not in said.stderr


def test_gost_in_a_token_is_not_guessed_at(token: Uri) -> None:
    signer = pkcs11.TokenSigner(standard(), pkcs11.read_uri(token("object=rsa-doctor")))
    with pytest.raises(Unsupported):
        signer.sign(b"", Scheme(family="gost256", digest="streebog256"), BUNDLE)


@pytest.mark.parametrize(
    "uri",
    [
        "pkcs11:",
        "pkcs11:object=a",
        "pkcs11:token=t?module-path=/x",
        "pkcs11:object=a;object=b?module-path=/x",
        "pkcs11:object=a;type=public?module-path=/x",
        "pkcs11:object=a?module-path=/x&pin-value=1234",
        "pkcs11:object=a;colour=red?module-path=/x",
        "pkcs11:object?module-path=/x",
        "pkcs11:" + "a" * 3000,
        "file:///key",
    ],
)
def test_a_uri_that_names_no_key_is_refused(uri: str) -> None:
    with pytest.raises(pkcs11.TokenFault):
        pkcs11.read_uri(uri)


def test_a_uri_is_read_with_its_escapes() -> None:
    name = pkcs11.read_uri(
        "pkcs11:token=my%20token;object=a%3Bb;id=%01%FF?module-path=/l.so&pin-source=file:/p"
    )
    assert (name.token, name.object, name.id) == ("my token", "a;b", b"\x01\xff")
    assert (name.module, name.pin_source) == ("/l.so", "file:/p")


def test_a_pin_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    name = pkcs11.read_uri(f"pkcs11:object=a?module-path=/x&pin-source=file:{tmp_path / 'no'}")
    with pytest.raises(pkcs11.TokenFault, match="pin-source"):
        name.pin()
    long = tmp_path / "long"
    long.write_bytes(bytes(1000))
    name = pkcs11.read_uri(f"pkcs11:object=a?module-path=/x&pin-source=file:{long}")
    with pytest.raises(pkcs11.TokenFault, match="longer"):
        name.pin()
