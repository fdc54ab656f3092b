"""A sandbox home: settings, keys, two laboratories, a clinic, and who may log in as whom.

What is there stays: a second call keeps keys, secrets and data, renews revocation lists that
end soon, and moves the addresses.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.access import hash_secret, new_secret
from gateway.algorithms import standard
from gateway.algorithms.interface import Algorithms
from gateway.app import Gateway, open_gateway
from gateway.destinations import fhir_rest
from gateway.model import Destination, Identifier
from gateway.patients.identifiers import FRMO, OGRN
from gateway.routing import PURPOSE
from gateway.sandbox import pki
from gateway.settings import Settings
from gateway.store.values import Client, Organization

SANDBOX_FILE = "sandbox.json"
CLINIC = "clinic"
DESTINATION = "clinic-mis"
ACTOR = "system"
CLINIC_TIMEOUT_SECONDS = "5"

SETTINGS = """\
# Settings of this sandbox; every key has a default, so the file may be empty.
url = "{url}"
language = "ru"

[work]
# A clinic that is down is tried again at once: nobody waits 30 s for a demonstration.
retry_first_seconds = 0.2
retry_longest_seconds = 0.8
attempts_max = 1000

[trust]
folders = ["trust"]

[signatures]
# Who signs for a laboratory under a certificate without it needs a power of attorney with these.
powers = ["SANDBOX_RESULTS"]

[[routes]]
to = "{destination}"
"""

EMPTY_SETTINGS = """\
# Settings of this gateway; every key has a default, so the file may be empty.
url = "{url}"
language = "ru"

[trust]
# Anchors, intermediate certificates, CRLs and OCSP responses, PEM or DER.
folders = ["trust"]

# Where results go.  Without conditions a route takes every result; the basis to send
# (the clinic's own order, or the patient's consent) is checked each time.
# [[routes]]
# to = "name-of-a-destination"
# performer = "urn:oid:1.2.643.100.1|ОГРН of the laboratory"
"""


@dataclass(frozen=True, kw_only=True)
class Member:
    """An organisation of the sandbox with the client it logs in as."""

    id: str
    name: str
    kind: str
    ogrn: str
    oid: str

    def organization(self) -> Organization:
        return Organization(
            id=self.id,
            name=self.name,
            kind=self.kind,
            identifiers=(
                Identifier(system=OGRN, value=self.ogrn),
                Identifier(system=FRMO, value=self.oid),
            ),
        )


MEMBERS = (
    Member(
        id="polaris",
        name=pki.POLARIS.organization,
        kind="laboratory",
        ogrn=pki.POLARIS.ogrn,
        oid="1.2.643.5.1.13.13.12.2.77.9001",
    ),
    Member(
        id="meridian",
        name=pki.MERIDIAN.organization,
        kind="laboratory",
        ogrn=pki.MERIDIAN.ogrn,
        oid="1.2.643.5.1.13.13.12.2.78.9002",
    ),
    Member(
        id=CLINIC,
        name="ГБУЗ «Городская поликлиника № 900»",
        kind="clinic",
        ogrn="1267700000336",
        oid="1.2.643.5.1.13.13.12.2.77.9003",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """A sandbox home, ready to be served."""

    home: Path
    url: str
    clinic_url: str
    secrets: Mapping[str, str]
    """Client id → secret."""

    keys: pki.Pki
    algorithms: Algorithms

    consents: int
    """Consents that were added by this call."""

    @property
    def provider(self) -> str:
        """Which provider computes GOST."""
        return self.algorithms.provider("gost256").NAME


def prepare(
    home: Path, url: str, clinic_url: str, patients: Iterable[Identifier], now: datetime
) -> Sandbox:
    """Make or renew a sandbox in `home`; `patients` have agreed to the clinic's seeing results."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_settings(home, url)
    settings = Settings.load(home, os.environ)
    algorithms = standard(settings.gost)
    keys = pki.build(home, algorithms, now)
    secrets = _secrets(home)
    gateway = open_gateway(settings)
    try:
        _enrol(gateway, secrets, clinic_url)
        consents = sum(_agree(gateway, patient, now) for patient in patients)
    finally:
        gateway.close()
    sandbox = Sandbox(
        home=home,
        url=url,
        clinic_url=clinic_url,
        secrets=secrets,
        keys=keys,
        algorithms=algorithms,
        consents=consents,
    )
    _write_secret_file(home / SANDBOX_FILE, describe(sandbox))
    return sandbox


def write_settings(home: Path, url: str, template: str = SETTINGS) -> None:
    """Write gateway.toml; one that is there keeps everything but its url."""
    file = home / "gateway.toml"
    if file.exists():
        old = file.read_text("utf-8")
        new = re.sub(r"(?m)^url\s*=.*$", f'url = "{url}"', old, count=1)
        if new == old:
            return
    else:
        new = template.format(url=url, destination=DESTINATION)
    beside = file.with_suffix(".new")
    beside.write_text(new, "utf-8")
    beside.replace(file)


def describe(sandbox: Sandbox) -> dict[str, Any]:
    """Return what `sandbox.json` says (contract, section 1)."""
    return {
        "url": sandbox.url,
        "token_url": f"{sandbox.url}/oauth/token",
        "clients": [
            {
                "name": member.id,
                "role": member.kind,
                "organization": member.id,
                "client_id": member.id,
                "client_secret": sandbox.secrets[member.id],
            }
            for member in MEMBERS
        ],
        "trust": str(sandbox.keys.trust.resolve()),
        "signers": [
            {
                "name": signer.name,
                "key": str(signer.key.resolve()),
                "cert": str(signer.certificate.resolve()),
            }
            for signer in sandbox.keys.signers.values()
        ],
        "clinic_url": sandbox.clinic_url,
        "console_user": None,
    }


def _secrets(home: Path) -> dict[str, str]:
    """Return each client's secret: the one it has, else a new one."""
    try:
        known = json.loads((home / SANDBOX_FILE).read_text("utf-8"))["clients"]
        secrets = {client["client_id"]: client["client_secret"] for client in known}
    except (OSError, ValueError, KeyError, TypeError):
        secrets = {}
    return {member.id: secrets.get(member.id) or new_secret() for member in MEMBERS}


def _enrol(gateway: Gateway, secrets: Mapping[str, str], clinic_url: str) -> None:
    for member in MEMBERS:
        gateway.store.put_organization(member.organization())
        gateway.store.put_client(
            Client(
                id=member.id,
                name=member.name,
                organization=member.id,
                role=member.kind,
                secret_hash=hash_secret(secrets[member.id]),
            )
        )
    options = {"url": clinic_url, "timeout_seconds": CLINIC_TIMEOUT_SECONDS}
    gateway.store.put_destination(
        Destination(
            name=DESTINATION,
            kind=fhir_rest.NAME,
            organization=CLINIC,
            options=fhir_rest.check_options(options),
        )
    )


def _agree(gateway: Gateway, patient: Identifier, now: datetime) -> bool:
    """Record the patient's consent to the clinic unless one is there; say whether it was."""
    for number in gateway.store.patients_by_identifier(patient):
        grants = gateway.store.grants(number)
        if any(grant.recipient == CLINIC and grant.state == "active" for grant in grants):
            return False
    gateway.store.add_grant(
        (patient,),
        CLINIC,
        PURPOSE,
        now,
        None,
        {
            "resourceType": "Consent",
            "status": "active",
            "scope": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/consentscope",
                        "code": "patient-privacy",
                    }
                ]
            },
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "dateTime": now.isoformat(timespec="seconds"),
            "policyRule": {"text": "323-ФЗ, статья 13, часть 3"},
        },
        ACTOR,
    )
    return True


def _write_secret_file(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON that only its owner can read, whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=2)
    beside.replace(path)
