"""The server as operators run it: TLS 1.3, a renewed certificate, client certificates, one home."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.sandbox import home as homes

HOST = "127.0.0.1"
Serve = Callable[..., tuple[subprocess.Popen[bytes], int]]
Keys = tuple[ec.EllipticCurvePrivateKey, x509.Certificate]


def issue(name: str, issuer: Keys | None = None) -> Keys:
    """Return a key and a certificate for it: an authority, or one issued by `issuer`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[1].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]),
            critical=False,
        )
    )
    return key, builder.sign(issuer[0] if issuer else key, hashes.SHA256())


def write(folder: Path, name: str, pair: Keys) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.crt.pem", folder / f"{name}.key.pem"
    certificate.write_bytes(pair[1].public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        pair[0].private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, key


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("served")
    homes.prepare(home, "http://127.0.0.1:9", "http://127.0.0.1:9/fhir", (), datetime.now(UTC))
    return home


@pytest.fixture
def serve(home: Path) -> Iterator[Serve]:
    started: list[subprocess.Popen[bytes]] = []

    def run(*options: str | Path) -> tuple[subprocess.Popen[bytes], int]:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        command = [sys.executable, "-m", "gateway.cli", "serve", "--home", str(home)]
        command += ["--port", str(port), *map(str, options)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started.append(process)
        until(lambda: listens(port))
        return process, port

    yield run
    for process in started:
        process.terminate()
        process.wait(30)


def until(look: Callable[[], bool], seconds: float = 30.0) -> None:
    ends = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.1)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def test_speaks_tls_13_and_nothing_older(serve: Serve, tmp_path: Path) -> None:
    authority = issue("authority")
    ca, _ = write(tmp_path, "ca", authority)
    certificate, key = write(tmp_path, "server", issue("server", authority))
    _, port = serve("--tls-cert", certificate, "--tls-key", key)
    answer = requests.get(f"https://{HOST}:{port}/healthz", timeout=5, verify=str(ca))
    assert answer.status_code == 200
    old = ssl.create_default_context(cafile=str(ca))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection((HOST, port), 5) as plain,
        pytest.raises(ssl.SSLError),
        old.wrap_socket(plain, server_hostname=HOST),
    ):
        pass


def test_a_renewed_certificate_is_taken_up_without_a_stop(serve: Serve, tmp_path: Path) -> None:
    """Not one request may fail while the workers change, and the line goes on afterwards."""
    authority = issue("authority")
    ca, _ = write(tmp_path, "ca", authority)
    certificate, key = write(tmp_path, "server", issue("first", authority))
    process, port = serve("--tls-cert", certificate, "--tls-key", key)
    url = f"https://{HOST}:{port}/readyz"
    until(lambda: requests.get(url, timeout=5, verify=str(ca)).status_code == 200)
    second = issue("second", authority)
    write(tmp_path, "server", second)
    os.kill(process.pid, signal.SIGHUP)

    def renewed() -> bool:
        assert requests.get(f"https://{HOST}:{port}/healthz", timeout=5, verify=str(ca)).ok
        served = ssl.get_server_certificate((HOST, port)).encode()
        return x509.load_pem_x509_certificate(served) == second[1]

    # Both workers answer for a moment: the old one is gone when ten in a row are new.
    until(lambda: all(renewed() for _ in range(10)), seconds=90)
    until(lambda: requests.get(url, timeout=5, verify=str(ca)).status_code == 200)
    assert process.poll() is None


def test_asks_for_a_client_certificate_of_its_own_authority(serve: Serve, tmp_path: Path) -> None:
    ours, theirs = issue("ours"), issue("theirs")
    ca, _ = write(tmp_path, "ca", ours)
    certificate, key = write(tmp_path, "server", issue("server", ours))
    good = write(tmp_path, "good", issue("client", ours))
    bad = write(tmp_path, "bad", issue("client", theirs))
    _, port = serve("--tls-cert", certificate, "--tls-key", key, "--client-ca", ca)
    url = f"https://{HOST}:{port}/healthz"
    pair = (str(good[0]), str(good[1]))
    assert requests.get(url, timeout=5, verify=str(ca), cert=pair).status_code == 200
    with pytest.raises(requests.RequestException):
        requests.get(url, timeout=5, verify=str(ca))
    with pytest.raises(requests.RequestException):
        requests.get(url, timeout=5, verify=str(ca), cert=(str(bad[0]), str(bad[1])))


def test_a_second_server_on_one_sqlite_home_names_postgresql(serve: Serve, home: Path) -> None:
    _, port = serve()
    until(
        lambda: requests.get(f"http://{HOST}:{port}/readyz", timeout=5, verify=True).ok,
    )
    command = [sys.executable, "-m", "gateway.cli", "serve", "--home", str(home), "--port"]
    beside = subprocess.run([*command, "1"], capture_output=True, timeout=60, check=False)
    assert beside.returncode == 2
    assert b"PostgreSQL" in beside.stderr


def test_a_killed_server_leaves_nothing_behind(serve: Serve) -> None:
    """A worker left alone would hold the port and the home of the next server."""
    process, port = serve()
    process.kill()
    process.wait(10)
    until(lambda: not listens(port), seconds=5)
    again, _ = serve()
    assert again.poll() is None
