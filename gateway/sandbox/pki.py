"""The sandbox's own public-key infrastructure: authorities, signers, revocation lists.

For each key family a root, an issuing authority below it, and signers of both sandbox
laboratories; beside them a stranger whose authority nobody trusts.

    trust/         what everybody may read: anchors, intermediates, revocation lists
    signers/       <family>-<role>.key.pem (0600) and .crt.pem (signer, then its authority)
    authorities/   keys of the authorities (0600)

Everything here is invented; numbers only have right check digits.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from asn1crypto import crl, pem, x509

from gateway.algorithms.interface import Algorithms
from gateway.sandbox import certificates as made
from gateway.sandbox.certificates import Authority, Period

FAMILIES = ("gost256", "gost512", "rsa", "ecdsa")
ROLES = ("doctor", "organisation", "revoked", "expired", "ocsp", "tsa")
PERSON = "person"
"""The doctor again, under a natural person's certificate: for whom, a power of attorney says."""

STRANGER = "stranger"

DAY = timedelta(days=1)
ROOT_LIFE = 20 * 365 * DAY
AUTHORITY_LIFE = 15 * 365 * DAY
SIGNER_LIFE = 10 * 365 * DAY
"""Longer than the fifteen months of real ones, so that a sandbox need not renew them."""

LIST_LIFE = timedelta(days=7)
LIST_RENEWED_BEFORE = timedelta(days=1)
LIST_BEGINS_BEFORE = timedelta(hours=1)
"""A list begins a little in the past: clocks of one machine's tests may differ."""

Names = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Person:
    """An invented doctor and the laboratory they sign for."""

    surname: str
    given: str
    snils: str
    inn: str
    organization: str
    ogrn: str
    inn_organization: str

    def doctor(self) -> Names:
        return (
            *self.organisation()[:-1],
            ("title", "Врач клинической лабораторной диагностики"),
            *self.person()[1:],
        )

    def person(self) -> Names:
        return (
            ("country_name", "RU"),
            ("surname", self.surname),
            ("given_name", self.given),
            ("snils", self.snils),
            ("inn", self.inn),
            ("common_name", f"{self.surname} {self.given}"),
        )

    def organisation(self) -> Names:
        return (
            ("country_name", "RU"),
            ("locality_name", "Песочница"),
            ("organization_name", self.organization),
            ("ogrn", self.ogrn),
            ("inn_le", self.inn_organization),
            ("common_name", self.organization),
        )


POLARIS = Person(
    surname="Соколова",
    given="Марина Игоревна",
    snils="12345678156",
    inn="779900178170",
    organization="ООО «Лаборатория Полярис»",
    ogrn="1267700000116",
    inn_organization="7799000118",
)
MERIDIAN = Person(
    surname="Ветров",
    given="Павел Андреевич",
    snils="12345679158",
    inn="789900179149",
    organization="АО «Медицинская лаборатория Меридиан»",
    ogrn="1267800000225",
    inn_organization="7899000224",
)
LABORATORIES = {"gost256": POLARIS, "ecdsa": POLARIS, "gost512": MERIDIAN, "rsa": MERIDIAN}
"""Whose doctor and organisation sign with a family's keys; all revoked ones are MERIDIAN's."""


@dataclass(frozen=True, kw_only=True)
class SignerFiles:
    """Where a signer's key and certificates lie."""

    name: str
    key: Path
    certificate: Path
    """The signer's certificate first, then its authority's."""

    def private_key(self) -> bytes:
        """Return the private key, PKCS#8, DER."""
        return _read_pem(self.key)[0]

    def chain(self) -> tuple[bytes, ...]:
        """Return the certificates, DER, the signer's first."""
        return _read_pem(self.certificate)


@dataclass(frozen=True, kw_only=True)
class Pki:
    """A built infrastructure."""

    folder: Path
    trust: Path
    signers: Mapping[str, SignerFiles]

    def signer(self, name: str) -> SignerFiles:
        """Return a signer by name, `gost256-doctor` or `stranger`.  Raises KeyError."""
        return self.signers[name]


def build(
    folder: Path, algorithms: Algorithms, now: datetime, families: Sequence[str] = FAMILIES
) -> Pki:
    """Return the infrastructure in `folder`, made where it is missing, lists renewed.

    What is there stays: a second call changes nothing but lists about to end.
    """
    now = now.replace(microsecond=0)  # certificates know whole seconds only
    for sub, mode in (("trust", 0o755), ("signers", 0o700), ("authorities", 0o700)):
        (folder / sub).mkdir(mode=mode, parents=True, exist_ok=True)
    for family in families:
        # The issuing authority's list is written last, so it tells a finished family.
        if not (folder / "trust" / f"{family}-ca.crl.pem").exists():
            _build_family(folder, family, algorithms, now)
        if not _signer_files(folder, f"{family}-{PERSON}").certificate.exists():
            _build_person(folder, family, algorithms, now)
    if not _signer_files(folder, STRANGER).certificate.exists():
        _build_stranger(folder, families[0], algorithms, now)
    refresh(folder, algorithms, now)
    return load(folder)


def load(folder: Path) -> Pki:
    """Return the infrastructure in `folder`, as it is."""
    names = sorted(
        path.name.removesuffix(".crt.pem") for path in (folder / "signers").glob("*.crt.pem")
    )
    return Pki(
        folder=folder,
        trust=folder / "trust",
        signers={name: _signer_files(folder, name) for name in names},
    )


def refresh(folder: Path, algorithms: Algorithms, now: datetime) -> int:
    """Issue again the revocation lists that have ended or soon will; return how many."""
    now = now.replace(microsecond=0)
    renewed = 0
    for path in sorted((folder / "trust").glob("*.crl.pem")):
        old = crl.CertificateList.load(_read_pem(path)[0])
        times = old["tbs_cert_list"]
        begins, ends = times["this_update"].native, times["next_update"].native
        if begins <= now < ends - LIST_RENEWED_BEFORE:
            continue
        revoked = [
            (entry["user_certificate"].native, entry["revocation_date"].native)
            for entry in times["revoked_certificates"]
        ]
        authority = load_authority(folder, path.name.removesuffix(".crl.pem"))
        _write_list(path, authority, revoked, old.crl_number_value.native + 1, algorithms, now)
        renewed += 1
    return renewed


def load_authority(folder: Path, name: str) -> Authority:
    """Return an authority by name: `gost256-ca`, `gost256-root`, `stranger-root`."""
    place = folder / "authorities"
    family = (place / f"{name}.family").read_text("ascii").strip()
    return Authority(
        family=family,
        certificate=x509.Certificate.load(_read_pem(place / f"{name}.crt.pem")[0]),
        key=_read_pem(place / f"{name}.key.pem")[0],
    )


def _build_family(folder: Path, family: str, algorithms: Algorithms, now: datetime) -> None:
    root = _root(f"Головной УЦ песочницы ({family})", family, algorithms, now)
    authority = _below(root, f"Аккредитованный УЦ песочницы ({family})", algorithms, now)
    _keep_authority(folder, f"{family}-root", root)
    _keep_authority(folder, f"{family}-ca", authority)
    person = LABORATORIES[family]
    lived = Period(begins=now - DAY, ends=now - DAY + SIGNER_LIFE)
    ended = Period(begins=now - 400 * DAY, ends=now - 30 * DAY)
    service = (("country_name", "RU"), ("organization_name", "УЦ песочницы"))
    extensions = made.signing_extensions(lived, f"{family}-ca")
    plans = {
        "doctor": (person.doctor(), lived, extensions),
        "organisation": (person.organisation(), lived, extensions),
        "revoked": (MERIDIAN.doctor(), Period(begins=now - 9 * DAY, ends=lived.ends), extensions),
        "expired": (person.doctor(), ended, made.signing_extensions(ended, f"{family}-ca")),
        "ocsp": ((*service, ("common_name", "OCSP")), lived, made.responder_extensions()),
        "tsa": (
            (*service, ("common_name", "TSA")),
            lived,
            [*made.timestamper_extensions(), *made.pointers(f"{family}-ca")],
        ),
    }
    revoked = []
    for role in ROLES:
        names, period, extra = plans[role]
        key, public = algorithms.generate(family)
        certificate = made.certify(
            made.name(*names), public, extra, period, algorithms, issuer=authority
        )
        files = _signer_files(folder, f"{family}-{role}")
        _write_secret(files.key, pem.armor("PRIVATE KEY", key))
        _write(files.certificate, _chain_pem(certificate, authority.certificate))
        if role == "revoked":
            revoked.append((certificate.serial_number, now - 2 * DAY))
    trust = folder / "trust"
    _write(trust / f"{family}-root.crt.pem", _chain_pem(root.certificate))
    _write(trust / f"{family}-ca.crt.pem", _chain_pem(authority.certificate))
    _write_list(trust / f"{family}-root.crl.pem", root, [], 1, algorithms, now)
    _write_list(trust / f"{family}-ca.crl.pem", authority, revoked, 1, algorithms, now)


def _build_person(folder: Path, family: str, algorithms: Algorithms, now: datetime) -> None:
    authority = load_authority(folder, f"{family}-ca")
    lived = Period(begins=now - DAY, ends=now - DAY + SIGNER_LIFE)
    key, public = algorithms.generate(family)
    certificate = made.certify(
        made.name(*LABORATORIES[family].person()),
        public,
        made.signing_extensions(lived, f"{family}-ca"),
        lived,
        algorithms,
        issuer=authority,
    )
    files = _signer_files(folder, f"{family}-{PERSON}")
    _write_secret(files.key, pem.armor("PRIVATE KEY", key))
    _write(files.certificate, _chain_pem(certificate, authority.certificate))


def _build_stranger(folder: Path, family: str, algorithms: Algorithms, now: datetime) -> None:
    root = _root("УЦ, которому никто не верит", family, algorithms, now)
    _keep_authority(folder, f"{STRANGER}-root", root)
    period = Period(begins=now - DAY, ends=now - DAY + SIGNER_LIFE)
    key, public = algorithms.generate(family)
    certificate = made.certify(
        made.name(*POLARIS.doctor()),
        public,
        made.signing_extensions(period, STRANGER),
        period,
        algorithms,
        issuer=root,
    )
    files = _signer_files(folder, STRANGER)
    _write_secret(files.key, pem.armor("PRIVATE KEY", key))
    _write(files.certificate, _chain_pem(certificate, root.certificate))


def _root(title: str, family: str, algorithms: Algorithms, now: datetime) -> Authority:
    key, public = algorithms.generate(family)
    begins = now - 3 * 365 * DAY
    certificate = made.certify(
        _authority_name(title),
        public,
        made.authority_extensions(None),
        Period(begins=begins, ends=begins + ROOT_LIFE),
        algorithms,
        own=(family, key),
    )
    return Authority(family=family, certificate=certificate, key=key)


def _below(root: Authority, title: str, algorithms: Algorithms, now: datetime) -> Authority:
    key, public = algorithms.generate(root.family)
    begins = now - 2 * 365 * DAY
    certificate = made.certify(
        _authority_name(title),
        public,
        [*made.authority_extensions(0), *made.pointers(f"{root.family}-root")],
        Period(begins=begins, ends=begins + AUTHORITY_LIFE),
        algorithms,
        issuer=root,
    )
    return Authority(family=root.family, certificate=certificate, key=key)


def _authority_name(title: str) -> x509.Name:
    return made.name(
        ("country_name", "RU"), ("organization_name", "Песочница"), ("common_name", title)
    )


def _keep_authority(folder: Path, name: str, authority: Authority) -> None:
    place = folder / "authorities"
    _write(place / f"{name}.crt.pem", _chain_pem(authority.certificate))
    _write(place / f"{name}.family", authority.family.encode("ascii"))
    _write_secret(place / f"{name}.key.pem", pem.armor("PRIVATE KEY", authority.key))


def _write_list(
    path: Path,
    authority: Authority,
    revoked: Sequence[tuple[int, datetime]],
    number: int,
    algorithms: Algorithms,
    now: datetime,
) -> None:
    period = Period(begins=now - LIST_BEGINS_BEFORE, ends=now + LIST_LIFE)
    issued = made.revocation_list(authority, revoked, number, period, algorithms)
    _write(path, pem.armor("X509 CRL", issued.dump()))


def _signer_files(folder: Path, name: str) -> SignerFiles:
    place = folder / "signers"
    return SignerFiles(
        name=name, key=place / f"{name}.key.pem", certificate=place / f"{name}.crt.pem"
    )


def _chain_pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(pem.armor("CERTIFICATE", c.dump()) for c in certificates)


def _read_pem(path: Path) -> tuple[bytes, ...]:
    return tuple(der for _, _, der in pem.unarmor(path.read_bytes(), multiple=True))


def _write(path: Path, octets: bytes, mode: int = 0o644) -> None:
    """Put a file in place whole: whoever watches the folder never reads half of one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(octets)
    beside.replace(path)


def _write_secret(path: Path, octets: bytes) -> None:
    _write(path, octets, mode=0o600)
