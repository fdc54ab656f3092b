"""Powers of attorney beside a document, from keep to the verdict given again years later.

The doctor signs under a natural person's certificate; that they may do so for the laboratory
says its power of attorney alone (63-ФЗ, article 17.2; semantics, rule 5).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gateway.app import Gateway, open_gateway
from gateway.model import ATTORNEY, ATTORNEY_SIGNATURE, Part, Problem, SignatureReport, Status
from gateway.pipeline import content_digest
from gateway.qualification.attorney import MOSCOW
from gateway.sandbox import home as sandbox_home
from gateway.sandbox import pki
from gateway.sandbox.fresh import fresh
from gateway.settings import Settings
from gateway.signatures.sign import sign
from gateway.verification import differences, judged_again
from tests.sandboxes import GOST, SAMPLES
from tests.unit.qualification.test_attorney import attorney

JSON = (SAMPLES / "01-transaction-gost256" / "result.json").read_bytes()
NOW = datetime.now(UTC)
TODAY = NOW.astimezone(MOSCOW).date()
DAY = timedelta(days=1)
CODE = "SANDBOX_RESULTS"
GIVEN = f'<МашПолн КодПолн="{CODE}"/>'
DOCTOR = "gost256-person"
STRANGERS_OGRN = f'ОГРН="{pki.MERIDIAN.ogrn}"'


@dataclass(frozen=True)
class Laboratory:
    client: str
    organization: str


POLARIS = Laboratory("polaris", "polaris")


@dataclass(frozen=True)
class Ended:
    id: str
    status: Status
    problems: tuple[Problem, ...]
    report: SignatureReport

    @property
    def codes(self) -> list[str]:
        return [problem.code for problem in self.problems if not problem.warning]

    @property
    def named(self) -> dict[str, str]:
        return {check.name: check.status.value for check in self.report.bindings}


class House:
    """A sandbox home whose clock stands still and whose line is worked by hand."""

    def __init__(self, gateway: Gateway, keys: pki.Pki) -> None:
        self.gateway = gateway
        self.keys = keys

    def signed(self, name: str, octets: bytes) -> bytes:
        signer = self.keys.signer(name)
        return sign(
            octets,
            key=signer.private_key(),
            chain=signer.chain(),
            algorithms=GOST,
            form="cades",
            detached=True,
            at=NOW,
        )

    def parts(self, *powers: Part, signers: tuple[str, ...] = (DOCTOR,)) -> tuple[Part, ...]:
        octets = fresh(JSON, NOW, lambda: str(uuid.uuid4()))
        return (
            Part(name="document", media_type="application/fhir+json", body=octets),
            *(_part("signature", self.signed(name, octets)) for name in signers),
            *powers,
        )

    def given(
        self,
        octets: bytes,
        by: str = "gost256-organisation",
        over: bytes | None = None,
    ) -> tuple[Part, Part]:
        """Return a power of attorney and its signature; `over`, where that is another's."""
        own = _part(ATTORNEY_SIGNATURE, self.signed(by, over or octets))
        return _part(ATTORNEY, octets), own

    def sent(self, *powers: Part, signers: tuple[str, ...] = (DOCTOR,)) -> Ended:
        """Hand a document in and take it to the end of the line."""
        store, line = self.gateway.store, self.gateway.line
        kept = line.keep(POLARIS, "multipart/form-data", self.parts(*powers, signers=signers))
        (order,) = store.claim("submission", 1, timedelta(seconds=60))
        line.work(order)
        view, stored = store.view(kept.submission, None), store.signatures(kept.submission)
        assert view is not None
        problems = [*view.problems, *(p for d in view.documents for p in d.problems)]
        report = stored.report if stored else SignatureReport(indication=None, signatures=())  # type: ignore[arg-type]
        return Ended(kept.submission, view.status, tuple(problems), report)

    def again(self, ended: Ended, bodies: Sequence[bytes] = ()) -> SignatureReport:
        """Return the verdict given again from what was kept, or from `bodies` in its place."""
        kept = self.gateway.store.submission(ended.id)
        if bodies:
            parts = zip(kept.parts, bodies, strict=True)
            kept = replace(kept, parts=tuple(replace(one, body=body) for one, body in parts))
        return judged_again(
            ended.report,
            kept.document,
            kept.signatures,
            self.gateway.algorithms,
            kept.kept_at,
            attached=kept.attorneys,
        )


def _part(name: str, octets: bytes) -> Part:
    return Part(name=name, media_type="application/octet-stream", body=octets)


def powers(**changed: str) -> bytes:
    """Return a power of attorney from yesterday to tomorrow, or with one thing otherwise."""
    usual = {"begins": _day(-1), "ends": _day(1), "power": GIVEN}
    return attorney(**{**usual, **changed})  # type: ignore[arg-type]


def _day(distance: int) -> str:
    return date.isoformat(TODAY + distance * DAY)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home = tmp_path_factory.mktemp("home")
    made = sandbox_home.prepare(home, "http://127.0.0.1:1", "http://127.0.0.1:2", (), NOW)
    gateway = open_gateway(Settings.load(home, os.environ), clock=lambda: NOW)
    try:
        yield House(gateway, made.keys)
    finally:
        gateway.close()


def test_a_person_signs_for_the_laboratory_by_its_power_of_attorney(house: House) -> None:
    ended = house.sent(*house.given(powers()))
    assert (ended.status, ended.codes) == (Status.ACCEPTED, [])
    assert ended.named["signer_for_custodian"] == ended.named["signer_is_author"] == "PASSED"
    (one,) = ended.report.attorneys
    assert (one.number, one.powers) == ("4f1c2d3e", (CODE,))
    assert one.indication.value == "TOTAL_PASSED"
    assert one.registry.state == "UNKNOWN", "the registry of the tax service cannot be asked"


def test_its_last_day_counts_whole(house: House) -> None:
    assert house.sent(*house.given(powers(ends=_day(0)))).status is Status.ACCEPTED


@pytest.mark.parametrize(
    ("changed", "code", "check"),
    [
        ({"ends": _day(-1)}, "SIG-227", "attorney_term"),
        ({"begins": _day(1)}, "SIG-227", "attorney_term"),
        ({"representative": pki.MERIDIAN.snils}, "SIG-226", "attorney_representative"),
        ({"power": '<МашПолн КодПолн="SANDBOX_RESULT"/>'}, "SIG-226", "attorney_powers"),
        ({"kind": "Передов"}, "SIG-230", "attorney_chain"),
    ],
)
def test_one_thing_otherwise_is_refused_by_its_name(
    house: House, changed: Mapping[str, str], code: str, check: str
) -> None:
    ended = house.sent(*house.given(powers(**changed)))
    assert (ended.status, ended.codes) == (Status.REJECTED, [code])
    assert ended.problems[0].detail["check"] == check
    assert ended.problems[0].place == "attorney[0]"


def test_another_organisations_power_of_attorney_is_refused_naming_both(house: House) -> None:
    """It is perfect, and the custodian did not give it."""
    theirs = house.given(powers(organisation=STRANGERS_OGRN), by="gost512-organisation")
    ended = house.sent(*theirs)
    assert (ended.status, ended.codes) == (Status.REJECTED, ["SIG-226"])
    detail = ended.problems[0].detail
    assert pki.MERIDIAN.ogrn in detail["found"]
    assert pki.POLARIS.ogrn in detail["expected"]


@pytest.mark.parametrize(
    "other",
    [{"power": '<МашПолн КодПолн="PARCELS"/>'}, {"organisation": STRANGERS_OGRN}],
    ids=["other powers", "another organisation"],
)
@pytest.mark.parametrize("first", [True, False])
def test_of_several_that_name_the_signer_the_one_that_fits_counts(
    house: House, other: dict[str, str], first: bool
) -> None:
    """Who has several powers of attorney, of one organisation or of two, sends them all."""
    by = "gost512-organisation" if "organisation" in other else "gost256-organisation"
    good, unfit = house.given(powers()), house.given(powers(**other), by=by)
    ended = house.sent(*(unfit + good if first else good + unfit))
    assert (ended.status, ended.codes) == (Status.ACCEPTED, [])
    ended = house.sent(*unfit, *unfit)
    assert (ended.status, ended.codes) == (Status.REJECTED, ["SIG-226"])


def test_one_byte_changed_after_signing_is_refused(house: House) -> None:
    signed = powers()
    changed = signed.replace('ВнНомДовер="17"'.encode(), 'ВнНомДовер="18"'.encode())
    ended = house.sent(*house.given(changed, over=signed))
    assert (ended.status, ended.codes) == (Status.REJECTED, ["SIG-228"])
    assert ended.problems[0].detail["found"] == "HASH_FAILURE"


@pytest.mark.parametrize("by", ["stranger", DOCTOR, "gost512-organisation", "gost256-doctor"])
def test_signed_by_anybody_but_the_principal_is_refused(house: House, by: str) -> None:
    """The doctor's other certificate names the laboratory, and the doctor is not its head."""
    ended = house.sent(*house.given(powers(), by=by))
    assert (ended.status, ended.codes) == (Status.REJECTED, ["SIG-228"])


def test_without_any_signature_of_its_own_it_is_worth_nothing(house: House) -> None:
    ended = house.sent(_part(ATTORNEY, powers()))
    assert (ended.status, ended.codes) == (Status.REJECTED, ["SIG-228"])


@pytest.mark.parametrize("octets", [b"%PDF-1.7", b"<a/>", powers().replace(b"EMCHD_1", b"EMCHD_9")])
def test_what_is_no_power_of_attorney_is_refused(house: House, octets: bytes) -> None:
    ended = house.sent(*house.given(octets))
    assert (ended.status, ended.codes) == (Status.REJECTED, ["SIG-230"])


def test_powers_in_words_are_for_a_person(house: House) -> None:
    words = "<ТекстПолн>Подписывать результаты</ТекстПолн>"
    ended = house.sent(*house.given(powers(power=words)))
    assert (ended.status, ended.codes) == (Status.NEEDS_INFO, ["SIG-229"])


def test_a_principal_whose_certificate_has_ended_since_is_for_a_person(house: House) -> None:
    """It may have been good when it was given, and nothing proves when that was."""
    ended = house.sent(*house.given(powers(head=pki.POLARIS.snils), by="gost256-expired"))
    assert (ended.status, ended.codes) == (Status.NEEDS_INFO, ["SIG-229"])


def test_a_person_without_any_power_of_attorney_is_refused_where_one_is_demanded(
    house: House,
) -> None:
    ended = house.sent()
    assert (ended.status, ended.codes) == (Status.REJECTED, ["SIG-225"])


def test_nobody_needs_one_where_the_organisation_signs_too(house: House) -> None:
    ended = house.sent(signers=(DOCTOR, "gost256-organisation"))
    assert (ended.status, ended.codes) == (Status.ACCEPTED, [])


def test_no_power_of_attorney_mends_a_certificate_of_another_organisation(house: House) -> None:
    """Who signs under another organisation's certificate signs for that one."""
    mine = house.given(powers(representative=pki.MERIDIAN.snils))
    ended = house.sent(*mine, signers=("gost512-doctor",))
    assert ended.status is Status.REJECTED
    assert "SIG-210" in ended.codes


def test_who_acts_by_it_stands_in_the_place_of_the_seal(house: House) -> None:
    """The doctor signs as author, a colleague with the power of attorney for the laboratory."""
    colleague = house.given(powers(representative=pki.MERIDIAN.snils))
    ended = house.sent(*colleague, signers=(DOCTOR, "gost512-person"))
    assert (ended.status, ended.codes) == (Status.ACCEPTED, [])
    assert [c.detail for c in ended.report.bindings if c.name == "roles"] == [
        "doctor, organisation"
    ]
    ended = house.sent(*house.given(powers()), signers=(DOCTOR, "gost512-person"))
    assert (ended.status, ended.codes) == (Status.REJECTED, ["SIG-210"])


def test_of_several_the_one_that_holds_speaks(house: House) -> None:
    old, new = house.given(powers(ends=_day(-1))), house.given(powers())
    ended = house.sent(*old, *new)
    assert (ended.status, ended.codes) == (Status.ACCEPTED, [])
    assert ended.report.signatures[0].attorney == "attorney[1]"


def test_a_power_of_attorney_is_content_like_the_document(house: House) -> None:
    parts = house.parts(*house.given(powers()))
    other = (*parts[:-2], *house.given(powers(ends=_day(2))))
    digests = {content_digest("multipart/form-data", some) for some in (parts, other, parts[:-2])}
    assert len(digests) == 3
    kept = house.gateway.line.keep(POLARIS, "multipart/form-data", parts)
    again = house.gateway.line.keep(POLARIS, "multipart/form-data", parts)
    assert (again.submission, again.known) == (kept.submission, True)
    assert house.gateway.store.submission(kept.submission).parts == parts
    (order,) = house.gateway.store.claim("submission", 1, timedelta(seconds=60))
    house.gateway.line.work(order)


def test_the_verdict_comes_out_again_from_what_was_kept(house: House) -> None:
    ended = house.sent(*house.given(powers()))
    again = house.again(ended)
    assert differences(ended.report, again) == ()
    assert again.attorneys[0].signed_by == ended.report.attorneys[0].signed_by != ()


def test_a_changed_power_of_attorney_does_not(house: House) -> None:
    ended = house.sent(*house.given(powers()))
    number, other = (f'ВнНомДовер="{one}"'.encode() for one in (17, 18))
    parts = house.gateway.store.submission(ended.id).parts
    changed = [part.body.replace(number, other) for part in parts]
    found = {one.what for one in differences(ended.report, house.again(ended, changed))}
    assert {"sha256", "indication", "powers"} <= found


def test_a_missing_list_of_the_principals_authority_is_waited_for(tmp_path: Path) -> None:
    """A list that is not to be had is nobody's fault, and never a pass (semantics, rule 4)."""
    made = sandbox_home.prepare(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2", (), NOW)
    (made.keys.trust / "ecdsa-ca.crl.pem").unlink()
    gateway = open_gateway(Settings.load(tmp_path, os.environ), clock=lambda: NOW)
    try:
        house = House(gateway, made.keys)
        line, store = gateway.line, gateway.store
        given = house.given(powers(), by="ecdsa-organisation")
        kept = line.keep(POLARIS, "multipart/form-data", house.parts(*given))
        (order,) = store.claim("submission", 1, timedelta(seconds=60))
        line.work(order)
        view = store.view(kept.submission, None)
        assert view is not None
        assert view.status in (Status.RECEIVED, Status.PROCESSING)
        waited = [event for event in store.events(kept.submission) if "SIG-207" in repr(event)]
        assert waited
    finally:
        gateway.close()
