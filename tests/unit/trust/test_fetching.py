"""What certificates name is fetched with limits, and never from inside our network."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from asn1crypto import cms, ocsp, pem, x509

from gateway.sandbox import certificates as made
from gateway.sandbox.certificates import Authority, Period
from gateway.trust import Trust
from gateway.trust.fetching import (
    REDIRECTS_MAX,
    WAIT_FIRST,
    WAIT_LONGEST,
    NotFetched,
    Web,
    WebRules,
    is_public,
)
from gateway.trust.seeking import AGAIN_AFTER, Seeker
from tests.pki.build import ALGORITHMS, CURRENT, DAY, NOW, below, issue, list_of, root
from tests.pki.lists import point

Answer = Callable[[BaseHTTPRequestHandler], None]
HOST = "localhost"
PRIVATE = WebRules(private_hosts=frozenset({HOST}), time_max=timedelta(seconds=5))
KILO = 1024


class Site:
    """A web site on this machine: answers by path, and a note of what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | bytes] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                answer = site.answers.get(self.path)
                if answer is None:
                    self.send_error(404)
                elif isinstance(answer, bytes):
                    send(self, answer)
                else:
                    answer(self)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.server.server_address[1]}{path}"


def send(handler: BaseHTTPRequestHandler, octets: bytes, *, stated: int | None = None) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(octets) if stated is None else stated))
    handler.end_headers()
    handler.wfile.write(octets)


def redirect(where: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", where)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


class Clock:
    """The time of a test."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def web(clock: Clock, rules: WebRules = PRIVATE) -> Web:
    return Web(rules, clock)


def refused(asking: Web, url: str, bytes_max: int = KILO) -> str:
    with pytest.raises(NotFetched) as caught:
        asking.fetch(url, bytes_max)
    return str(caught.value)


def test_a_document_is_fetched_whole(site: Site, clock: Clock) -> None:
    site.answers["/list"] = b"x" * KILO
    assert web(clock).fetch(site.url("/list"), KILO) == b"x" * KILO
    assert "more than" in refused(web(clock), site.url("/list"), KILO - 1)


def test_a_document_that_was_cut_off_is_none(site: Site, clock: Clock) -> None:
    site.answers["/cut"] = lambda handler: send(handler, b"half", stated=8)
    assert refused(web(clock), site.url("/cut"))


def drip(handler: BaseHTTPRequestHandler, octets: bytes) -> None:
    """Send octets one by one, until nobody takes them."""
    for octet in octets:
        try:
            handler.wfile.write(bytes([octet]))
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(0.1)


def test_a_slow_sender_is_not_waited_for(site: Site, clock: Clock) -> None:
    def slow(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        drip(handler, b"x" * 50)

    site.answers["/slow"] = slow
    rules = WebRules(private_hosts=frozenset({HOST}), time_max=timedelta(seconds=0.5))
    assert "slower" in refused(web(clock, rules), site.url("/slow"))


def test_a_slow_head_is_not_waited_for(site: Site, clock: Clock) -> None:
    """An octet of it now and then is in time for each read, and was waited for without end."""

    site.answers["/slow"] = partial(drip, octets=b"HTTP/1.1 200 " + b"O" * 50)
    rules = WebRules(private_hosts=frozenset({HOST}), time_max=timedelta(seconds=0.5))
    started = time.monotonic()
    assert "slower" in refused(web(clock, rules), site.url("/slow"))
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("status", [204, 404, 500])
def test_only_a_good_answer_counts(site: Site, clock: Clock, status: int) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    site.answers["/bad"] = answer
    assert f"status {status}" in refused(web(clock), site.url("/bad"))


def test_redirects_are_followed_a_few_times(site: Site, clock: Clock) -> None:
    site.answers["/end"] = b"here"
    site.answers["/0"] = redirect("/end")
    for step in range(1, REDIRECTS_MAX + 1):
        site.answers[f"/{step}"] = redirect(site.url(f"/{step - 1}"))
    assert web(clock).fetch(site.url(f"/{REDIRECTS_MAX - 1}"), KILO) == b"here"
    assert "redirects" in refused(web(clock), site.url(f"/{REDIRECTS_MAX}"))


@pytest.mark.parametrize(
    "where", ["http://127.0.0.1/", "http://[::1]/", "file:///etc/passwd", "http://169.254.169.254/"]
)
def test_a_redirect_does_not_lead_inside(site: Site, clock: Clock, where: str) -> None:
    site.answers["/out"] = redirect(where)
    assert refused(web(clock), site.url("/out"))
    assert site.asked == ["/out"]


def test_a_host_inside_is_asked_only_when_it_is_named(site: Site, clock: Clock) -> None:
    site.answers["/list"] = b"x"
    strict = web(clock, WebRules())
    assert refused(strict, site.url("/list"))
    assert "inside" in refused(strict, "http://localhost/list")
    assert site.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "list.crl",
        "ftp://ca.invalid/list.crl",
        "ldap://ca.invalid/cn=CA",
        "http://",
        "http://user@ca.invalid/",
        "http://ca.invalid:22/",
        "http://ca.invalid:99999/",
        "http://[::1",
        "http://ca.invalid/ы",
        "http://ca.invalid/\r\nHost: x",
        "http://ca.invalid/" + "x" * 3000,
    ],
)
def test_what_is_no_address_is_not_asked(clock: Clock, url: str) -> None:
    assert refused(web(clock, WebRules()), url)


def test_only_named_hosts_are_asked_where_some_are_named(clock: Clock) -> None:
    rules = WebRules(hosts=frozenset({"ca.invalid"}))
    assert "not among" in refused(web(clock, rules), "http://other.invalid/list.crl")
    assert "no address" in refused(web(clock, rules), "http://ca.invalid/list.crl")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("10.0.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("2a00:1450:4010::1", True),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::1", False),
    ],
)
def test_an_address_is_public_by_where_it_leads(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_failed_host_is_left_alone_for_longer_each_time(site: Site, clock: Clock) -> None:
    asking, wait = web(clock), WAIT_FIRST
    for _ in range(10):
        assert "404" in refused(asking, site.url("/none"))
        assert asking.next_try(HOST) == clock.now + wait
        assert "next try" in refused(asking, site.url("/none"))
        clock.now += wait
        wait = min(wait * 2, WAIT_LONGEST)
    assert len(site.asked) == 10
    site.answers["/none"] = b"here"
    assert asking.fetch(site.url("/none"), KILO) == b"here"
    assert asking.next_try(HOST) is None


def test_no_proxy_of_the_environment_is_used(
    site: Site, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    site.answers["/list"] = b"x"
    assert web(clock).fetch(site.url("/list"), KILO) == b"x"


ROOT = root("Root", "ecdsa")


class Home:
    """Authorities whose certificates name places on a site, and a trust that seeks there."""

    def __init__(self, folder: Path, site: Site, clock: Clock) -> None:
        self.site, self.clock = site, clock
        (folder / "trust").mkdir()
        (folder / "trust" / "root.der").write_bytes(ROOT.certificate.dump())
        (folder / "trust" / "root.crl").write_bytes(list_of(ROOT, period=LONG).dump())
        self.seeker = Seeker(folder / "cache", web(clock), ALGORITHMS, clock)
        self.trust = Trust.load([folder / "trust"], ALGORITHMS, seeker=self.seeker)
        self.authority = self.below(ROOT, "Issuing", "/root.crt")
        site.answers["/ca.crt"] = self.authority.certificate.dump()

    def below(self, issuer: Authority, title: str, certificate: str) -> Authority:
        extensions = [*made.authority_extensions(None), self.access(ca_issuers=certificate)]
        return issue(issuer, title, extensions).as_authority()

    def access(self, **places: str) -> x509.Extension:
        named = [
            {
                "access_method": method,
                "access_location": x509.GeneralName(
                    name="uniform_resource_identifier", value=self.site.url(path)
                ),
            }
            for method, path in places.items()
        ]
        return made.extension("authority_information_access", named)

    def signer(self, **places: str) -> bytes:
        usage = made.extension("key_usage", {"digital_signature"}, critical=True)
        lists = [point(uri=self.site.url(places.pop("crl")))] if "crl" in places else []
        extensions = [usage, self.access(**places), *lists]
        return issue(self.authority, extensions=extensions).der

    def word(self, der: bytes) -> str | None:
        return self.trust.judge(der, (), self.clock.now).sub_indication


LONG = Period(begins=NOW - DAY, ends=NOW + 60 * DAY)


@pytest.fixture
def home(tmp_path: Path, site: Site, clock: Clock) -> Home:
    return Home(tmp_path, site, clock)


def test_an_authority_and_its_list_are_found_where_they_should_be(home: Home) -> None:
    home.site.answers["/ca.crl"] = list_of(home.authority).dump()
    signer = home.signer(ca_issuers="/ca.crt", crl="/ca.crl")
    assert home.word(signer) is None
    assert home.word(signer) is None
    again = home.signer(ca_issuers="/ca.crt", crl="/ca.crl")
    assert home.word(again) is None
    assert home.site.asked == ["/ca.crt", "/ca.crl"]


def test_a_list_that_was_fetched_outlives_the_process(home: Home, tmp_path: Path) -> None:
    home.site.answers["/ca.crl"] = list_of(home.authority).dump()
    signer = home.signer(ca_issuers="/ca.crt", crl="/ca.crl")
    assert home.word(signer) is None
    home.site.answers.clear()
    seeker = Seeker(tmp_path / "cache", web(home.clock), ALGORITHMS, home.clock)
    later = Trust.load([tmp_path / "trust"], ALGORITHMS, seeker=seeker)
    assert later.judge(signer, (), NOW).sub_indication is None


def test_without_a_seeker_nothing_is_asked(home: Home, tmp_path: Path) -> None:
    offline = Trust.load([tmp_path / "trust"], ALGORITHMS)
    signer = home.signer(ca_issuers="/ca.crt", crl="/ca.crl")
    assert offline.judge(signer, (), NOW).sub_indication == "NO_CERTIFICATE_CHAIN_FOUND"
    assert home.site.asked == []


def test_authorities_are_climbed_one_by_one(home: Home) -> None:
    sub = home.below(home.authority, "Sub", "/ca.crt")
    bundle = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [],
            "encap_content_info": {"content_type": "data"},
            "certificates": [sub.certificate],
            "signer_infos": [],
        }
    )
    home.site.answers["/sub.p7c"] = cms.ContentInfo(
        {"content_type": "signed_data", "content": bundle}
    ).dump()
    usage = made.extension("key_usage", {"digital_signature"}, critical=True)
    signer = issue(sub, extensions=[usage, home.access(ca_issuers="/sub.p7c")]).der
    assert home.word(signer) == "TRY_LATER"
    assert home.site.asked == ["/sub.p7c", "/ca.crt"]


def test_an_authority_that_did_not_sign_is_not_taken(home: Home) -> None:
    impostor = below(ROOT, "Issuing")
    home.site.answers["/ca.crt"] = impostor.certificate.dump()
    assert home.word(home.signer(ca_issuers="/ca.crt")) == "NO_CERTIFICATE_CHAIN_FOUND"


def test_a_list_by_somebody_else_is_not_kept(home: Home) -> None:
    key, _ = ALGORITHMS.generate("ecdsa")
    impostor = Authority(family="ecdsa", certificate=home.authority.certificate, key=key)
    home.site.answers["/ca.crl"] = list_of(impostor).dump()
    signer = home.signer(ca_issuers="/ca.crt", crl="/ca.crl")
    assert home.word(signer) == "TRY_LATER"
    assert list(home.seeker.folder.iterdir()) == []


def test_a_newer_list_takes_the_place_of_an_older_and_not_the_reverse(home: Home) -> None:
    serial = home.signer(ca_issuers="/ca.crt", crl="/ca.crl")
    certificate = x509.Certificate.load(serial)
    home.site.answers["/ca.crl"] = list_of(home.authority).dump()
    assert home.word(serial) is None
    newer = Period(begins=NOW + 10 * DAY, ends=NOW + 20 * DAY)
    home.clock.now = NOW + 11 * DAY
    home.site.answers["/ca.crl"] = list_of(home.authority, certificate, period=newer).dump()
    assert home.word(serial) == "REVOKED"
    home.clock.now = NOW + 30 * DAY
    middle = Period(begins=NOW + 5 * DAY, ends=NOW + 40 * DAY)
    home.site.answers["/ca.crl"] = list_of(home.authority, period=middle).dump()
    # The newer list has ended, and its entry stands; of another signer nothing is known.
    another = home.signer(ca_issuers="/ca.crt", crl="/ca.crl")
    assert home.word(another) == "TRY_LATER"
    assert home.word(serial) == "REVOKED"


def test_an_answer_is_asked_for_where_no_list_is_to_be_had(home: Home) -> None:
    signer = home.signer(ca_issuers="/ca.crt", ocsp="/ocsp")
    responder = issue(home.authority, "Responder", made.responder_extensions()).as_authority()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        (asked,) = ocsp.OCSPRequest.load(body)["tbs_request"]["request_list"]
        certificate = x509.Certificate.load(signer)
        assert asked["req_cert"]["serial_number"].native == certificate.serial_number
        response = made.ocsp_response(certificate, home.authority, responder, CURRENT, ALGORITHMS)
        send(handler, response.dump())

    home.site.answers["/ocsp"] = answer
    assert home.word(signer) is None
    assert home.word(signer) is None
    assert home.site.asked == ["/ca.crt", "/ocsp"]


@pytest.mark.parametrize("octets", [b"", b"noise", b"\x30\x03\x0a\x01\x06", b"x" * 300 * KILO])
def test_noise_is_no_answer(home: Home, octets: bytes) -> None:
    home.site.answers["/ocsp"] = octets
    home.site.answers["/ca.crl"] = octets
    signer = home.signer(ca_issuers="/ca.crt", ocsp="/ocsp", crl="/ca.crl")
    assert home.word(signer) == "TRY_LATER"


def test_a_list_is_not_asked_for_again_too_soon(home: Home) -> None:
    """One that helps nobody must not be fetched for every signature."""
    ended = Period(begins=NOW - 9 * DAY, ends=NOW - DAY)
    home.site.answers["/ca.crl"] = list_of(home.authority, period=ended).dump()
    signer = home.signer(ca_issuers="/ca.crt", crl="/ca.crl")
    for _ in range(3):
        assert home.word(signer) == "TRY_LATER"
    assert home.site.asked == ["/ca.crt", "/ca.crl"]
    home.site.answers["/ca.crl"] = list_of(home.authority).dump()
    home.clock.now = NOW + AGAIN_AFTER
    assert home.word(signer) is None


def test_a_dead_host_delays_nobody_twice(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = f"http://{HOST}:{taken.getsockname()[1]}/"
    usage = made.extension("key_usage", {"digital_signature"}, critical=True)
    signer = issue(home.authority, extensions=[usage, point(uri=dead)]).der
    finding = home.trust.judge(signer, [home.authority.certificate.dump()], NOW)
    assert finding.sub_indication == "TRY_LATER"
    assert finding.awaited_issuer == "Issuing"


@pytest.mark.parametrize("named", [HOST, "other.invalid"])
def test_a_secure_host_is_known_by_its_name_and_not_by_its_address(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """The connection goes to the address that was checked; the certificate is the name's."""
    always = Period(begins=datetime(2000, 1, 1, tzinfo=UTC), ends=datetime(2045, 1, 1, tzinfo=UTC))
    house = root("Web", "ecdsa", always)
    names = [x509.GeneralName(name="dns_name", value=named)]
    extensions = [made.extension("subject_alt_name", names)]
    server = issue(house, named, extensions, always)
    bundle, chain = tmp_path / "bundle.pem", tmp_path / "chain.pem"
    bundle.write_bytes(pem.armor("CERTIFICATE", house.certificate.dump()))
    chain.write_bytes(pem.armor("PRIVATE KEY", server.key) + pem.armor("CERTIFICATE", server.der))
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(bundle))
    site = Site()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    site.answers["/list"] = b"x"
    url = site.url("/list").replace("http:", "https:")
    try:
        if named == HOST:
            assert web(clock).fetch(url, KILO) == b"x"
        else:
            assert "SSLError" in refused(web(clock), url)
    finally:
        site.server.shutdown()
        site.server.server_close()
