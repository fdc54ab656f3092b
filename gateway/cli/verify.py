"""`gateway verify`: verify every signature in or beside a file."""

from __future__ import annotations

import os
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.algorithms import standard
from gateway.cli.output import Exit, Output, Wrong, leave, options, translated
from gateway.cli.sign import read
from gateway.formats.interface import formats
from gateway.model import CheckStatus, Indication, Part, SignatureFinding, SignatureReport
from gateway.settings import BadSettings, Settings
from gateway.trust import Trust
from gateway.verification import HEAD_BYTES, Policy, Verifier, to_json

FORMS = ("CAdES", "JWS", "XMLDSig", "XAdES")
"""Forms a policy may name."""

BESIDE = (".sig", ".p7s", ".sgn", ".jws")
"""What signing programs append to the name of what they sign."""

EXITS = {
    Indication.TOTAL_PASSED: Exit.GOOD,
    Indication.TOTAL_FAILED: Exit.REFUSED,
    Indication.INDETERMINATE: Exit.UNDECIDED,
}


@click.command(
    "verify",
    help=translated(
        "Проверить все подписи в файле и рядом с ним (CAdES, JWS, XMLDSig, XAdES,"
        " Bundle.signature). Код 0: все верны, 1: есть неверная, 3: решить нельзя.",
        "Verify every signature in a file and beside it (CAdES, JWS, XMLDSig, XAdES,"
        " Bundle.signature). Exit code 0: all passed, 1: any failed, 3: undecided.",
    ),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--signature",
    "signatures",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help=translated("Отдельный файл подписи; можно повторять.", "Detached file; repeatable."),
)
@click.option(
    "--trust",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    help=translated(
        "Папка с якорями, промежуточными УЦ, CRL и OCSP (PEM, DER) вместо настроенных.",
        "Folder of anchors, intermediates, CRLs and OCSP (PEM, DER) in place of the configured.",
    ),
)
@click.option(
    "--at",
    "moment",
    help=translated("На какой момент судить, ISO 8601.", "The time to judge at, ISO 8601."),
)
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=translated(
        "TOML: forms, signatures_min, whole_document", "TOML: forms, signatures_min, whole_document"
    ),
)
@click.option(
    "--offline",
    is_flag=True,
    help=translated(
        "Только по локальным материалам (сеть не используется).",
        "By local material alone (the network is not used).",
    ),
)
@options
def command(
    out: Output,
    file: str,
    signatures: tuple[str, ...],
    folders: tuple[Path, ...],
    moment: str | None,
    policy_file: Path | None,
    offline: bool,
) -> None:
    at = _moment(out, moment)
    policy = _policy(policy_file)
    trust_folders, gost = _trust(out, folders)
    octets = read(file)
    document = Part(name="document", media_type=_media_type(octets), body=octets)
    beside = tuple(
        Part(name="signature", media_type="application/octet-stream", body=read(path))
        for path in signatures or _beside(file)
    )
    algorithms = standard(gost)
    verifier = Verifier(Trust.load(trust_folders, algorithms), algorithms, policy)
    report = verifier.verify(document, beside, at, kept=False)
    if out.json:
        out.data(to_json(report))
    else:
        _show(out, report)
    leave(EXITS[report.indication])


def _moment(out: Output, text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Wrong(
            out.say(
                f"--at {text}: нужен ISO 8601, например 2026-11-21T10:00:00Z",
                f"--at {text}: ISO 8601 is needed, such as 2026-11-21T10:00:00Z",
            )
        ) from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _policy(file: Path | None) -> Policy:
    if file is None:
        return Policy()
    try:
        given = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Wrong(f"{file}: {error}") from error
    forms = given.pop("forms", [])
    at_least = given.pop("signatures_min", 0)
    whole = given.pop("whole_document", False)
    if not isinstance(forms, list) or not set(forms) <= set(FORMS):
        raise Wrong(f"{file}: forms: {', '.join(FORMS)}")
    if not isinstance(at_least, int) or isinstance(at_least, bool) or at_least < 0:
        raise Wrong(f"{file}: signatures_min: 0, 1, 2 …")
    if not isinstance(whole, bool):
        raise Wrong(f"{file}: whole_document: true, false")
    if given:
        raise Wrong(f"{file}: {', '.join(given)}: forms, signatures_min, whole_document")
    return Policy(forms=tuple(forms), signatures_min=at_least, whole_document=whole)


def _trust(out: Output, folders: tuple[Path, ...]) -> tuple[tuple[Path, ...], str]:
    """Return where the trust material lies, and which GOST provider to use."""
    for folder in folders:
        if not folder.is_dir():
            raise Wrong(out.say(f"--trust {folder}: нет папки", f"--trust {folder}: no folder"))
    try:
        settings = Settings.load(out.home, os.environ)
    except BadSettings as error:
        raise Wrong(str(error)) from error
    return folders or settings.trust_folders, settings.gost


def _beside(file: str) -> tuple[str, ...]:
    """Return the signature files that stand beside `file` under its name."""
    return tuple(f"{file}{end}" for end in BESIDE if file != "-" and Path(f"{file}{end}").is_file())


def _media_type(octets: bytes) -> str:
    for form in formats().values():
        if form.recognises(octets[:HEAD_BYTES]):
            return form.MEDIA_TYPES[0]
    return "application/octet-stream"


def _show(out: Output, report: SignatureReport) -> None:
    if not report.signatures:
        out.text(f"{out.mark(None)} {out.say('подписей нет', 'no signatures')}")
    for finding in report.signatures:
        _show_one(out, finding)


def _show_one(out: Output, finding: SignatureFinding) -> None:
    good = {Indication.TOTAL_PASSED: True, Indication.TOTAL_FAILED: False}.get(finding.indication)
    because = f" ({finding.sub_indication})" if finding.sub_indication else ""
    out.text(f"{out.mark(good)} {finding.indication.value}{because}  {finding.format}")
    if finding.signer is not None:
        out.text(f"  {out.say('подписал', 'signed by')}: {finding.signer.subject}")
    for covered in finding.covered:
        out.text(f"  {covered.scope}, {len(covered.octets)} B")
    for check in finding.checks:
        if check.status is not CheckStatus.PASSED:
            out.text(f"  {check.status.value}  {check.name}: {check.detail}")
    for hint in finding.hints:
        out.text(out.dim(f"  {hint}"))
