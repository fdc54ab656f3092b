"""Signatures, from their mathematics to the verdict (ETSI EN 319 102-1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gateway.model.words import Assurance, CheckStatus, Identifier, Indication

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far ahead of ours somebody else's clock may run (semantics, rule 4)."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One itemised check with its outcome, for people and machines."""

    name: str
    status: CheckStatus
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Covered:
    """Octets that a signature covers."""

    octets: bytes
    """Exactly what was digested: for XML the canonical form, for CMS the content."""

    scope: str
    """`FULL`, `PARTIAL` or `DIGEST` (EU DSS, SignatureScopeType)."""

    covers_enclosing: bool | None
    """Whether what carried the signature is covered as a whole, the signature itself aside: the
    document, or for FHIR the Bundle around the Signature, which may be an entry of another
    (then `scope` is `PARTIAL`).  None where nothing encloses."""

    reference: str = ""
    """The reference as written in the signature (URI, or empty)."""

    media_type: str = ""
    received: bytes = b""
    """For canonicalised JSON: the received text restricted to the digested members, whose
    canonical form `octets` is (semantics, rule 15); empty where the octets are read themselves."""


@dataclass(frozen=True, kw_only=True)
class CheckedTimestamp:
    """A time-stamp token whose mathematics were checked; its authority is not judged yet."""

    kind: str
    """`content`, `signature`, `references` or `archive` (EN 319 122-1, clause 5)."""

    at: datetime
    """genTime: what it stamps existed then, once the authority is believed (RFC 3161).
    The year 9999, which proves nothing, when the token could not be read."""

    certificate: bytes | None
    """The time-stamping authority's certificate, DER; None when it could not be identified."""

    other_certificates: tuple[bytes, ...]
    checks: tuple[Check, ...]
    indication: Indication
    """TOTAL_PASSED here means only: imprint and signature hold."""

    sub_indication: str | None = None
    sha256: str = ""
    """Of the token as it stands (hex)."""

    covers: frozenset[str] = frozenset()
    """Of an archive time-stamp: which tokens of the signature were there before it."""

    renewed_by: str = ""
    """Of a stamp in an evidence record that the file carries: the token that renewed it, without
    which it is not believed."""


@dataclass(frozen=True, kw_only=True)
class CheckedSignature:
    """A signature whose mathematics were checked; its certificate is not judged yet.

    `problem` is None when the mathematics hold; otherwise it is the ETSI sub-indication.
    """

    format: str
    """`CMS`, `CAdES`, `PDF` (CMS in PDF), `PAdES`, `XMLDSig`, `XAdES`, `JWS`."""

    level: str
    """`BES`, `B`, `T`, … or empty when the form has no levels."""

    certificate: bytes | None
    """Signing certificate, DER; None when it could not be identified."""

    other_certificates: tuple[bytes, ...]
    covered: tuple[Covered, ...]
    claimed_at: datetime | None
    checks: tuple[Check, ...]
    indication: Indication
    """TOTAL_PASSED here means only: the mathematics hold and the form is complete."""

    sub_indication: str | None = None
    hints: tuple[str, ...] = ()
    place: str = ""
    """Where the signature was found: part name and position, XPath or JSON pointer."""

    claimed: Claimed | None = None
    timestamps: tuple[CheckedTimestamp, ...] = ()
    revocations: tuple[tuple[str, bytes], ...] = ()
    """Revocation objects the signature brought: (`crl` | `ocsp`, DER)."""

    counter_signatures: tuple[CheckedSignature, ...] = ()
    """Signatures over this one's value, each with `covered` naming it (EN 319 122-1, 5.2.7)."""


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """Whom the message, not the certificate, names as the signer (FHIR `Signature.who`)."""

    role: str
    """As `Signer.role`; empty when the message does not tell."""

    identifiers: tuple[Identifier, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Who signed, read from the certificate alone."""

    subject: str
    """Distinguished name, RFC 4514."""

    serial: str = ""
    issuer: str = ""
    common_name: str = ""
    snils: str | None = None
    inn: str | None = None
    ogrn: str | None = None
    organization: str | None = None
    certificate_sha256: str = ""
    inn_organization: str | None = None
    """ИННЮЛ; `inn` holds the person's own, or this one where there is no other."""

    @property
    def role(self) -> str:
        """`doctor`, `organisation` or empty: a certificate with a СНИЛС is a person's, be an
        organisation named beside or not (semantics, rule 5)."""
        if self.snils:
            return "doctor"
        return "organisation" if self.ogrn or self.inn_organization else ""


@dataclass(frozen=True, kw_only=True)
class Times:
    """Claimed signing time, best (trusted) time and the time the verdict is for."""

    claimed: datetime | None
    best: datetime | None
    validation: datetime


@dataclass(frozen=True, kw_only=True)
class TimestampFinding:
    """The verdict on one time-stamp token: its mathematics and its authority together."""

    kind: str
    """As `CheckedTimestamp.kind`."""

    at: datetime
    indication: Indication
    """TOTAL_PASSED: what it stamps existed at `at`."""

    sub_indication: str | None
    authority: Signer | None
    checks: tuple[Check, ...]


@dataclass(frozen=True, kw_only=True)
class Powers:
    """What one power of attorney that names a signer gives at the moment of the signature."""

    place: str
    """Of the power of attorney."""

    checks: tuple[Check, ...]


@dataclass(frozen=True, kw_only=True)
class SignatureFinding:
    """The verdict on one signature (ETSI EN 319 102-1) with everything it rests on."""

    indication: Indication
    sub_indication: str | None
    format: str
    level: str
    signer: Signer | None
    covered: tuple[Covered, ...]
    qualification: str
    """`QES`, `AdES-QC`, `AdES` or `UNKNOWN` (63-ФЗ, article 11); apart from the indication."""

    times: Times
    checks: tuple[Check, ...]
    hints: tuple[str, ...] = ()
    place: str = ""
    evidence: tuple[tuple[str, bytes], ...] = ()
    """Objects the verdict rests on: (`certificate` | `crl` | `ocsp`, DER), (`anchor`, SHA-256
    of the certificate a chain ended at), (`accreditation` and `policy`, JSON: what the list
    of authorities said, and the rules)."""

    awaited_issuer: str = ""
    """With TRY_LATER: the CA whose revocation list is missing, which need not be the signer's."""

    claimed: Claimed | None = None
    claimed_signer: str = "absent"
    """Whether whom the message names is who signed: `match`, `mismatch`, `absent`, or
    `unknown` where there is nothing to compare."""

    timestamps: tuple[TimestampFinding, ...] = ()
    counter_signatures: tuple[SignatureFinding, ...] = ()
    qualification_checks: tuple[Check, ...] = ()
    """What the qualification rests on, one condition each; unknown is INDETERMINATE."""

    attorney: str = ""
    """Place of the power of attorney that names the signer; empty: none does."""

    powers: tuple[Powers, ...] = ()
    """By every power of attorney that names the signer, that of `attorney` first."""


@dataclass(frozen=True, kw_only=True)
class Party:
    """Somebody by the state's numbers, digits only; None where one is not given."""

    snils: str | None = None
    inn: str | None = None
    ogrn: str | None = None


@dataclass(frozen=True, kw_only=True)
class RegistryState:
    """What the registry of powers of attorney says of one."""

    state: str = "UNKNOWN"
    """`UNKNOWN`, `VALID` or `REVOKED`."""

    source: str = ""
    """Who said it; empty where nobody was asked."""

    revoked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class AttorneyFinding:
    """What an attached машиночитаемая доверенность says, and whether it may be believed."""

    place: str
    """`attorney[0]`, counted from 0 in the order they came."""

    sha256: str
    unread: str = ""
    """Why it could not be read; then nothing else is told."""

    number: str = ""
    issued: date | None = None
    expires: date | None = None
    """The last day it holds, by Moscow time."""

    principals: tuple[Party, ...] = ()
    signed_by: tuple[Party, ...] = ()
    """Those of the principals who signed it, as far as its signatures hold."""

    representatives: tuple[Party, ...] = ()
    powers: tuple[str, ...] = ()
    """Codes by the state's classifier, those without limits."""

    in_words: bool = False
    """Whether there are powers written for people alone, or limits to those with a code."""

    indication: Indication = Indication.INDETERMINATE
    """The verdict on its own signatures."""

    sub_indication: str | None = None
    signatures: tuple[SignatureFinding, ...] = ()
    """Its own."""

    checks: tuple[Check, ...] = ()
    """What does not depend on who acts under it."""

    registry: RegistryState = RegistryState()


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Who judged and by which rules: enough to ask the same again."""

    engine: str = ""
    """Product and version, and the tools that computed."""

    certified: bool = False
    """Whether every tool that computed is of confirmed conformity (63-ФЗ, article 11, part 3)."""

    policy: str = ""
    """Name of the policy of verification."""

    policy_sha256: str = ""
    """Digest of all the policy asks, the policy of algorithms included (hex)."""


@dataclass(frozen=True, kw_only=True)
class SignatureReport:
    """All signatures in or beside one document, and the verdict on them together."""

    indication: Indication
    signatures: tuple[SignatureFinding, ...]
    bindings: tuple[Check, ...] = ()
    """Whose signatures they are, per document (semantics, rule 5); none before it is read."""

    judge: Judge = Judge()
    attorneys: tuple[AttorneyFinding, ...] = ()
    """Powers of attorney that came with the document, in their order."""


@dataclass(frozen=True, kw_only=True)
class RecordFinding:
    """The verdict on an evidence record (RFC 4998): what it proves, stamp by stamp."""

    indication: Indication
    """TOTAL_PASSED: what it covers existed at `proven`."""

    sub_indication: str | None
    proven: datetime | None
    stamps: tuple[TimestampFinding, ...]
    """In the order of their times, each judged at the time of the next."""

    digests: tuple[str, ...] = ()
    """Of each stamp: the digest of its hash tree."""

    checks: tuple[Check, ...] = ()
    """What concerns the record as a whole."""


@dataclass(frozen=True, kw_only=True)
class SignedContent:
    """The only thing a parser may read: the exact octets that were digested."""

    octets: bytes
    media_type: str
    assurance: Assurance
    report: SignatureReport | None
    """None only for a sender whose policy allows unsigned content."""
