"""Settings of one gateway home: `gateway.toml` and a handful of environment variables.

Read only by `app` and `cli`; everything else gets what it needs as arguments.
The names are those of the contract, section 5.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from marshmallow import Schema, ValidationError, fields, validate

from gateway.bindings import (
    MISMATCHES,
    REFUSE,
    ROLES,
    BindingPolicies,
    BindingPolicy,
    DocumentRule,
)
from gateway.evidence.rules import Rules
from gateway.model import Identifier
from gateway.qualification import QUALIFICATIONS
from gateway.routing import ASK, BASES, BASES_USUAL, STORE, Route
from gateway.signatures.evidence_records import DIGESTS
from gateway.tables import faults
from gateway.trust import PathPolicy, read_policy
from gateway.trust.fetching import WebRules
from gateway.verification import LEVELS

ROOT = Path(__file__).resolve().parents[1]
"""Where `mappings/`, `schemas/` and `certs/` lie: the top of the checkout."""

CONFIG_NAME = "gateway.toml"

LINE_WORKERS = 2
LINE_WORKERS_SQLITE = 1
"""A second thread finished no more on SQLite, and had its writer hold the file twice as long."""


class BadSettings(Exception):
    """A setting is wrong; the message names the file, the key and what is expected."""

    def __init__(self, file: Path, ru: str, en: str) -> None:
        self.ru = f"{file}: {ru}"
        super().__init__(f"{file}: {en}")

    def say(self, language: str) -> str:
        return str(self) if language == "en" else self.ru


@dataclass(frozen=True, kw_only=True)
class Limits:
    body_bytes_max: int
    requests_per_second: float
    """Per client; a burst of two seconds' worth is let through."""

    signatures_max: int


@dataclass(frozen=True, kw_only=True)
class Work:
    """How the line and the deliveries are worked."""

    line_workers: int
    delivery_workers: int
    lease: timedelta
    retry_first: timedelta
    retry_longest: timedelta
    attempts_max: int
    seal_every: timedelta
    consents_every: timedelta
    """How often ended consents are looked for; a claim asks for itself, whatever this is."""

    revocation_patience: timedelta
    """How long a missing CRL is waited for before a person is asked (semantics, rule 4)."""


@dataclass(frozen=True, kw_only=True)
class VerificationService:
    """Where a verification tool answers (docs/verification-service.md)."""

    url: str
    name: str
    certified: bool
    """The operator has the tool's confirmation of conformity (63-ФЗ, article 11, part 3)."""

    timeout: timedelta
    token_file: Path | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    home: Path
    database_url: str
    keystore_url: str
    master_key_file: Path
    url: str
    language: str
    limits: Limits
    work: Work
    routes: tuple[Route, ...]
    trust_folders: tuple[Path, ...]
    gost: str
    """`auto`, `engine` or `pure`."""

    path_policy: PathPolicy = field(default_factory=PathPolicy)
    network: WebRules | None = None
    """Where missing lists and authorities may be sought; None is nowhere."""

    signatures: BindingPolicies = field(default_factory=BindingPolicies)
    """What is asked of signatures, by the organisation that sends (semantics, rule 5)."""

    transactions_apart: frozenset[str] = frozenset()
    """Organisations whose FHIR transactions are judged report by report (semantics, rule 7)."""

    verification: VerificationService | None = None
    """The outside tool that takes the decision on signatures; None: the built-in verifier."""

    evidence: Rules | None = None
    """How evidence is renewed before it ages out; None: it is not."""

    mappings: Path = ROOT / "mappings"

    @property
    def list_signers(self) -> Path:
        """Where the pinned signers of trusted lists lie: no trust folder, whose certificates
        would be anchors."""
        return self.home / "list-signers"

    @property
    def config_file(self) -> Path:
        return self.home / CONFIG_NAME

    @classmethod
    def load(cls, home: Path | None, environ: Mapping[str, str]) -> Settings:
        """Return the settings of `home` (else GATEWAY_HOME, else ./var).

        A missing `gateway.toml` means all defaults.  Raises BadSettings.
        """
        where = (home or Path(environ.get("GATEWAY_HOME", "var"))).resolve()
        file = Path(environ.get("GATEWAY_CONFIG", where / CONFIG_NAME))
        given = _read(file)
        work, limits = given["work"], given["limits"]
        database_url = environ.get("GATEWAY_DATABASE_URL", f"sqlite:///{where}/gateway.db")
        usual = LINE_WORKERS_SQLITE if database_url.startswith("sqlite") else LINE_WORKERS
        return cls(
            home=where,
            database_url=database_url,
            keystore_url=environ.get("GATEWAY_KEYSTORE_URL", f"sqlite:///{where}/keys.db"),
            master_key_file=Path(environ.get("GATEWAY_MASTER_KEY_FILE", where / "master.key")),
            url=given["url"],
            language=given["language"],
            limits=Limits(**limits),
            work=Work(
                line_workers=work["line_workers"] or usual,
                delivery_workers=work["delivery_workers"],
                lease=timedelta(seconds=work["lease_seconds"]),
                retry_first=timedelta(seconds=work["retry_first_seconds"]),
                retry_longest=timedelta(seconds=work["retry_longest_seconds"]),
                attempts_max=work["attempts_max"],
                seal_every=timedelta(seconds=work["seal_every_seconds"]),
                consents_every=timedelta(minutes=work["consents_every_minutes"]),
                revocation_patience=timedelta(hours=work["revocation_patience_hours"]),
            ),
            routes=tuple(
                Route(**{**route, "bases": tuple(route["bases"])}) for route in given["routes"]
            ),
            trust_folders=tuple(where / folder for folder in given["trust"]["folders"]),
            gost=given["trust"]["gost"],
            path_policy=_path_policy(file, given["trust"]["path"]),
            network=_network(given["trust"]["network"]),
            signatures=_binding_policies(given["signatures"]),
            verification=_verification(given["verification"], where),
            evidence=_evidence(given["evidence"], where),
            transactions_apart=frozenset(given["transactions"]["apart"]),
        )


def _path_policy(file: Path, given: Mapping[str, Any]) -> PathPolicy:
    try:
        return read_policy(given)
    except ValueError as error:
        said = f"trust.path: {error}"
        raise BadSettings(file, said, said) from error


def _network(given: Mapping[str, Any] | None) -> WebRules | None:
    if given is None:
        return None
    return WebRules(
        hosts=frozenset(given["hosts"]),
        private_hosts=frozenset(given["private_hosts"]),
        time_max=timedelta(seconds=given["seconds_max"]),
    )


def _verification(given: Mapping[str, Any] | None, home: Path) -> VerificationService | None:
    if given is None:
        return None
    files = {name: home / given[name] for name in ("token_file", "ca_file") if given[name]}
    return VerificationService(
        url=given["url"],
        name=given["name"],
        certified=given["certified"],
        timeout=timedelta(seconds=given["timeout_seconds"]),
        **files,
    )


def _evidence(given: Mapping[str, Any] | None, home: Path) -> Rules | None:
    if given is None:
        return None
    files = {name: home / given[name] for name in ("credentials_file", "ca_file") if given[name]}
    return Rules(
        tsa=given["tsa"],
        digest=given["digest"],
        before=timedelta(days=given["before_days"]),
        batch=given["batch"],
        every=timedelta(minutes=given["every_minutes"]),
        **files,
    )


def _binding_policies(given: Mapping[str, Any]) -> BindingPolicies:
    """Return the policies; what an organisation's own does not say, the default says."""
    apart = ("organizations", "documents")
    whole = {name: value for name, value in given.items() if name not in apart}
    return BindingPolicies(
        default=_binding_policy(whole),
        organizations={
            organization: _binding_policy({**whole, **own})
            for organization, own in given["organizations"].items()
        },
        documents=tuple(_document_rule(rule) for rule in given["documents"]),
    )


def _document_rule(given: Mapping[str, Any]) -> DocumentRule:
    lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    return DocumentRule(kind=given["kind"], sender=given["sender"], **lists)


def _binding_policy(given: Mapping[str, Any]) -> BindingPolicy:
    others = [one.partition("|") for one in given["sends_for"]]
    return BindingPolicy(
        mismatch=given["mismatch"],
        required=tuple(given["required"]),
        sends_for=tuple(Identifier(system=system, value=value) for system, _, value in others),
        levels=tuple(given["levels"]),
        qualifications=tuple(given["qualifications"]),
        powers=tuple(given["powers"]),
    )


class _Limits(Schema):
    body_bytes_max = fields.Integer(
        load_default=25 * 1024 * 1024, validate=validate.Range(min=1024, max=1 << 30)
    )
    requests_per_second = fields.Float(load_default=200.0, validate=validate.Range(min=0.1))
    signatures_max = fields.Integer(load_default=16, validate=validate.Range(min=1, max=64))


class _Work(Schema):
    line_workers = fields.Integer(load_default=None, validate=validate.Range(min=1, max=64))
    delivery_workers = fields.Integer(load_default=2, validate=validate.Range(min=1, max=64))
    lease_seconds = fields.Float(load_default=60.0, validate=validate.Range(min=1))
    # Doubling from 30 s up to 6 h spreads fourteen attempts over about 26 h: one working
    # day for a hospital to notice.
    retry_first_seconds = fields.Float(load_default=30.0, validate=validate.Range(min=0.01))
    retry_longest_seconds = fields.Float(load_default=21600.0, validate=validate.Range(min=0.01))
    attempts_max = fields.Integer(load_default=14, validate=validate.Range(min=1, max=1000))
    seal_every_seconds = fields.Float(load_default=1.0, validate=validate.Range(min=0.05, max=60))
    consents_every_minutes = fields.Float(
        load_default=60.0, validate=validate.Range(min=0.001, max=1440)
    )
    revocation_patience_hours = fields.Float(load_default=24.0, validate=validate.Range(min=0))


class _Network(Schema):
    hosts = fields.List(fields.String(), load_default=list)
    private_hosts = fields.List(fields.String(), load_default=list)
    seconds_max = fields.Float(load_default=20.0, validate=validate.Range(min=0.1, max=120))


class _Trust(Schema):
    folders = fields.List(fields.String(), load_default=lambda: ["trust"])
    gost = fields.String(load_default="auto", validate=validate.OneOf(["auto", "engine", "pure"]))
    path = fields.Dict(keys=fields.String(), load_default=dict)
    network = fields.Nested(_Network, load_default=None)


IDENTIFIER = validate.Regexp(r"\S+\|\S+\Z", error="system|value")
POWER_CODE = validate.Regexp(r"\S{1,64}\Z", error="CODE")
"""A code of the state's classifier of powers, as it stands in a power of attorney."""


class _DemandedSignatures(Schema):
    required = fields.List(fields.String(validate=validate.OneOf(ROLES)))
    levels = fields.List(fields.String(validate=validate.OneOf(LEVELS)))
    qualifications = fields.List(fields.String(validate=validate.OneOf(QUALIFICATIONS)))
    powers = fields.List(fields.String(validate=POWER_CODE))


class _DocumentRule(_DemandedSignatures):
    kind = fields.String(load_default="")
    sender = fields.String(load_default="")


class _OwnSignatures(_DemandedSignatures):
    mismatch = fields.String(validate=validate.OneOf(MISMATCHES))
    sends_for = fields.List(fields.String(validate=IDENTIFIER))


class _Signatures(_OwnSignatures):
    mismatch = fields.String(load_default=REFUSE, validate=validate.OneOf(MISMATCHES))
    required = fields.List(fields.String(validate=validate.OneOf(ROLES)), load_default=list)
    levels = fields.List(fields.String(validate=validate.OneOf(LEVELS)), load_default=list)
    qualifications = fields.List(
        fields.String(validate=validate.OneOf(QUALIFICATIONS)), load_default=list
    )
    powers = fields.List(fields.String(validate=POWER_CODE), load_default=list)
    documents = fields.List(fields.Nested(_DocumentRule), load_default=list)
    sends_for = fields.List(fields.String(validate=IDENTIFIER), load_default=list)
    organizations = fields.Dict(
        keys=fields.String(), values=fields.Nested(_OwnSignatures), load_default=dict
    )


class _Transactions(Schema):
    apart = fields.List(fields.String(), load_default=list)


class _Verification(Schema):
    url = fields.Url(required=True, require_tld=False, schemes={"http", "https"})
    name = fields.String(required=True, validate=validate.Length(1, 100))
    certified = fields.Boolean(load_default=False)
    timeout_seconds = fields.Float(load_default=20.0, validate=validate.Range(min=1, max=120))
    token_file = fields.String(load_default="")
    ca_file = fields.String(load_default="")


class _Evidence(Schema):
    tsa = fields.Url(required=True, require_tld=False, schemes={"http", "https"})
    credentials_file = fields.String(load_default="")
    ca_file = fields.String(load_default="")
    digest = fields.String(load_default=Rules.digest, validate=validate.OneOf(DIGESTS))
    before_days = fields.Integer(load_default=90, validate=validate.Range(min=1, max=3650))
    batch = fields.Integer(load_default=Rules.batch, validate=validate.Range(min=1, max=5000))
    every_minutes = fields.Float(load_default=60.0, validate=validate.Range(min=0.01, max=10080))


class _Route(Schema):
    to = fields.String(required=True)
    performer = fields.String(load_default="")
    ordering = fields.String(load_default="")
    bases = fields.List(
        fields.String(validate=validate.OneOf(BASES)),
        load_default=lambda: list(BASES_USUAL),
        validate=validate.Length(1),
    )
    without_basis = fields.String(load_default=STORE, validate=validate.OneOf([STORE, ASK]))


class _File(Schema):
    url = fields.Url(load_default="http://127.0.0.1:8080", require_tld=False)
    language = fields.String(load_default="ru", validate=validate.OneOf(["ru", "en"]))
    limits = fields.Nested(_Limits, load_default=lambda: _Limits().load({}))
    work = fields.Nested(_Work, load_default=lambda: _Work().load({}))
    trust = fields.Nested(_Trust, load_default=lambda: _Trust().load({}))
    routes = fields.List(fields.Nested(_Route), load_default=list)
    signatures = fields.Nested(_Signatures, load_default=lambda: _Signatures().load({}))
    verification = fields.Nested(_Verification, load_default=None)
    evidence = fields.Nested(_Evidence, load_default=None)
    transactions = fields.Nested(_Transactions, load_default=lambda: _Transactions().load({}))


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text("utf-8") if file.exists() else ""
        return cast("dict[str, Any]", _File().load(tomllib.loads(text)))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(file, f"это не TOML: {error}", f"not TOML: {error}") from error
    except ValidationError as error:
        found = faults(_File(), error)
        ru, en = ("; ".join(one.say(language) for one in found) for language in ("ru", "en"))
        raise BadSettings(file, ru, en) from error
