"""What a policy demands of signatures, on the line: the kind by the list of authorities."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asn1crypto import pem

from gateway.app import Gateway, open_gateway
from gateway.model import Status
from gateway.sandbox import home as sandbox_home
from gateway.sandbox import pki
from gateway.settings import Settings
from gateway.trust.lists import keep_list
from gateway.verification import differences, judged_again
from tests.handing_in import sent, worked
from tests.pki.trusted_lists import Listed, russian

RULE = """
[[signatures.documents]]
kind = "fhir_json"
sender = "polaris"
qualifications = ["QES"]
"""


@pytest.fixture
def keys(tmp_path: Path) -> pki.Pki:
    """A home where FHIR documents of one laboratory must be under qualified signatures."""
    made = sandbox_home.prepare(
        tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2", (), datetime.now(UTC)
    )
    config = tmp_path / "gateway.toml"
    config.write_text(config.read_text("utf-8") + RULE, "utf-8")
    return made.keys


@pytest.fixture
def gateway(keys: pki.Pki, tmp_path: Path) -> Iterator[Gateway]:
    opened = open_gateway(Settings.load(tmp_path, os.environ))
    yield opened
    opened.close()


def accredit(keys: pki.Pki, word: str) -> None:
    """Put a list into the trust folder on which the sandbox's authority stands so."""
    _, _, authority = pem.unarmor((keys.trust / "gost256-ca.crt.pem").read_bytes())
    now = datetime.now(UTC)
    one = Listed(name="УЦ", certificates=[authority], statuses=[(word, "2020-01-01T00:00:00")])
    keep_list(keys.trust, russian(one, issued=now.strftime("%Y-%m-%dT%H:%M:%S")))


def ended(gateway: Gateway, submission: str) -> tuple[Status, set[str]]:
    view = gateway.store.view(submission, None)
    assert view is not None
    problems = [*view.problems, *(p for one in view.documents for p in one.problems)]
    return view.status, {one.code for one in problems if not one.warning}


def test_an_unknown_kind_waits_for_the_list_and_goes_on_with_it(
    gateway: Gateway, keys: pki.Pki
) -> None:
    submission = sent(gateway, keys)
    assert ended(gateway, submission) == (Status.NEEDS_INFO, {"SIG-224"})
    accredit(keys, "Действует")
    gateway.store.replay(submission, "operator", None)
    worked(gateway)
    assert ended(gateway, submission) == (Status.ACCEPTED, set())
    stored = gateway.store.signatures(submission)
    assert stored is not None
    (one,) = stored.report.signatures
    assert one.qualification == "QES"
    kept = gateway.store.submission(submission)
    again = judged_again(
        stored.report, kept.document, kept.signatures, gateway.algorithms, kept.kept_at
    )
    assert differences(stored.report, again) == ()


def test_an_authority_that_lost_its_accreditation_is_not_enough(
    gateway: Gateway, keys: pki.Pki
) -> None:
    accredit(keys, "Прекращена")
    assert ended(gateway, sent(gateway, keys)) == (Status.REJECTED, {"SIG-223"})
