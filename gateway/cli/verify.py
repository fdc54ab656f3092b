"""`gateway verify`: verify every signature in or beside a file, or a kept verdict again."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from gateway.algorithms import standard
from gateway.cli import files, local, verdicts
from gateway.cli.dates import moment
from gateway.cli.output import Exit, Output, Wrong, leave, options, translated
from gateway.cli.policy_file import read_policy
from gateway.cli.sign import NOT_A_PLACE
from gateway.formats.interface import formats
from gateway.model import (
    ATTORNEY,
    Attached,
    CheckStatus,
    Indication,
    Part,
    SignatureReport,
)
from gateway.signature_report.as_json import record_json
from gateway.signature_report.render import MEDIA_TYPES, render
from gateway.trust import Trust
from gateway.verification import (
    HEAD_BYTES,
    Verifier,
    differences,
    judged_again,
    judged_by_record,
    to_json,
    with_powers,
)

BESIDE = (".sig", ".p7s", ".sgn", ".jws")
"""What signing programs append to the name of what they sign."""

NO_CONTENT = "SIGNED_DATA_NOT_FOUND"
DETACHED = ("CMS", "CAdES", "JWS", "JAdES")
"""Forms that may stand in a file of their own, beside what they sign."""

_BY_ITSELF = (
    "--evidence судит сохранённое: без FILE, --signature, --trust, --policy и --attorney",
    "--evidence judges what is kept: without FILE, --signature, --trust, --policy and --attorney",
)

EXITS = {
    Indication.TOTAL_PASSED: Exit.GOOD,
    Indication.TOTAL_FAILED: Exit.REFUSED,
    Indication.INDETERMINATE: Exit.UNDECIDED,
}


@click.command(
    "verify",
    help=translated(
        "Проверить все подписи в файле и рядом с ним (CAdES, PAdES, JWS, XMLDSig, XAdES,"
        " Bundle.signature). Код 0: все верны, 1: есть неверная, 3: решить нельзя."
        " С --evidence вместо файла: повторить вердикт принятой отправки без сети по"
        " сохранённым доказательствам; код 1 и тогда, когда вышло иначе.",
        "Verify every signature in a file and beside it (CAdES, PAdES, JWS, XMLDSig, XAdES,"
        " Bundle.signature). Exit code 0: all passed, 1: any failed, 3: undecided."
        " With --evidence in place of a file: give the verdict on a kept submission again, by"
        " the evidence kept with it and no network; exit code 1 also when it came out otherwise.",
    ),
)
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
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
    "written",
    help=translated("На какой момент судить, ISO 8601.", "The time to judge at, ISO 8601."),
)
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=translated(
        "TOML: forms, levels, qualifications, roles, signatures_min, whole_document, [algorithms].",
        "TOML: forms, levels, qualifications, roles, signatures_min, whole_document, [algorithms].",
    ),
)
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help=translated(
        "Записать отчёт: .html, .pdf или .xml (ETSI TS 119 102-2); можно повторять.",
        "Write a report: .html, .pdf or .xml (ETSI TS 119 102-2); repeatable.",
    ),
)
@click.option(
    "--attorney",
    "attorneys",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help=translated(
        "Машиночитаемая доверенность (XML, её подпись рядом): даёт ли она подписанту полномочия;"
        " можно повторять.",
        "Machine-readable power of attorney (XML, its signature beside): does it give powers;"
        " repeatable.",
    ),
)
@click.option(
    "--power",
    default="",
    metavar="CODE",
    help=translated("Какое полномочие нужно.", "The power that is asked for."),
)
@click.option(
    "--evidence",
    "submission",
    metavar="ID",
    help=translated(
        "Повторить вердикт отправки из --home; с --at: на другой момент.",
        "Give the verdict on a submission of --home again; with --at: at another moment.",
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
    file: str | None,
    signatures: tuple[str, ...],
    folders: tuple[Path, ...],
    written: str | None,
    policy_file: Path | None,
    reports: tuple[Path, ...],
    attorneys: tuple[str, ...],
    power: str,
    submission: str | None,
    offline: bool,
) -> None:
    at = moment(out, "--at", written)
    for path in reports:
        if _kind(path) not in MEDIA_TYPES:
            raise Wrong(f"--report {path}: {_unknown_report(out)}")
        if path.is_dir() or not path.parent.is_dir():
            raise Wrong(f"--report {path}: {NOT_A_PLACE}")
    if power and not attorneys:
        raise Wrong(
            out.say(
                f"--power {power}: назовите и доверенность (--attorney ФАЙЛ)",
                f"--power {power}: name the power of attorney as well (--attorney FILE)",
            )
        )
    if submission is not None:
        if file or signatures or folders or policy_file or attorneys:
            raise Wrong(out.say(*_BY_ITSELF))
        _again(out, submission, at, reports)
    if file is None:
        raise Wrong(out.say("назовите файл или --evidence ID", "name a file or --evidence ID"))
    asked = read_policy(out, policy_file)
    trust_folders, gost = _trust(out, folders)
    octets = files.content(out, file)
    document = Part(name="document", media_type=_media_type(octets), body=octets)
    beside = _parts(out, signatures or _beside(file))
    algorithms = standard(gost).under(asked.algorithms)
    trust = Trust.load(trust_folders, algorithms)
    verifier = Verifier(trust, algorithms, asked.policy)
    at = at or datetime.now(UTC)
    report = verifier.verify(document, beside, at, kept=False)
    attached = tuple(
        Attached(
            attorney=Part(
                name=ATTORNEY, media_type="application/xml", body=files.content(out, path)
            ),
            signatures=_parts(out, _beside(path)),
        )
        for path in attorneys
    )
    report = with_powers(report, attached, verifier, at, kept=False, wanted=power)
    out.data(to_json(report))
    verdicts.show(out, report)
    _say_where_looked(out, file, report)
    _say_right_call(out, file, report)
    if report.indication is Indication.INDETERMINATE and not trust.freshness(at).anchors:
        _say_no_anchors(out, trust_folders)
    _write(out, reports, report, octets)
    leave(EXITS[report.indication])


def _again(out: Output, id: str, at: datetime | None, reports: tuple[Path, ...]) -> NoReturn:
    """Give the verdict on a kept submission again and say what differs."""
    with local.opened(out) as gateway:
        with local.reading(out, id):
            stored, kept = gateway.store.signatures(id), gateway.store.submission(id)
        if stored is None or not kept.parts:
            line = out.say(
                f"{id}: вердикта или исходных байтов нет",
                f"{id}: there is no verdict, or the original is not kept any more",
            )
            raise Wrong(line)
        was, algorithms, attached = stored.report, gateway.algorithms, kept.attorneys
        document, signatures = kept.document, kept.signatures
        proof = local.proof(out, gateway, kept, at or gateway.clock())
        record = proof.finding if proof else None
        if at is not None and proof is not None and record is not None:
            now = judged_by_record(
                was, proof.kept, record, signatures, document, algorithms, at, attached
            )
        else:
            now = judged_again(was, document, signatures, algorithms, kept.kept_at, at, attached)
    found = differences(was, now)
    told = [{"place": one.place, "what": one.what, "was": one.was, "now": one.now} for one in found]
    out.data(
        {
            "submission": id,
            "equal": not found,
            "differences": told,
            **to_json(now),
            "evidence_record": record_json(record) if record else None,
        }
    )
    verdicts.show(out, now)
    # At another moment the signatures rest on the record, and say themselves what it lacks.
    told_of = {
        one
        for finding in now.signatures
        for one in finding.checks
        if one.status is not CheckStatus.PASSED
    }
    beside = record.checks if record else ()
    verdicts.show_checks(out, (check for check in beside if check not in told_of))
    if not found:
        out.text(out.say("вердикт тот же", "the verdict is the same"))
    for one in found:
        out.text(f"{out.mark(False)} {one.place} {one.what}: {one.was or '—'} → {one.now or '—'}")
    _write(out, reports, now, kept.document.body)
    # A record that covers something else: what is kept was changed, whatever else holds.
    changed = record is not None and not record.stamps
    leave(Exit.REFUSED if changed or (found and at is None) else EXITS[now.indication])


def _write(out: Output, paths: tuple[Path, ...], report: SignatureReport, document: bytes) -> None:
    for path in paths:
        rendered = render(_kind(path), report, document, out.language)
        path.write_bytes(rendered.octets)
        out.note(out.say(f"отчёт: {path}", f"report: {path}"))


def _trust(out: Output, folders: tuple[Path, ...]) -> tuple[tuple[Path, ...], str]:
    """Return where the trust material lies, and which GOST provider to use."""
    for folder in folders:
        if not folder.is_dir():
            raise Wrong(out.say(f"--trust {folder}: нет папки", f"--trust {folder}: no folder"))
    settings = local.settings(out)
    return folders or settings.trust_folders, settings.gost


def _parts(out: Output, paths: tuple[str, ...]) -> tuple[Part, ...]:
    return tuple(
        Part(name="signature", media_type="application/octet-stream", body=files.content(out, path))
        for path in paths
    )


def _beside(file: str) -> tuple[str, ...]:
    """Return the signature files that stand beside `file` under its name."""
    if file == files.STDIN:
        return ()
    return tuple(f"{file}{end}" for end in BESIDE if Path(f"{file}{end}").is_file())


def _media_type(octets: bytes) -> str:
    for form in formats().values():
        if form.recognises(octets[:HEAD_BYTES]):
            return form.MEDIA_TYPES[0]
    return "application/octet-stream"


def _kind(report: Path) -> str:
    return report.suffix[1:].lower()


def _unknown_report(out: Output) -> str:
    ends = ", ".join(f".{kind}" for kind in MEDIA_TYPES)
    return out.say(
        f"неизвестный вид отчёта; по окончанию имени пишется {ends}",
        f"no known kind of report; by the name's ending it is {ends}",
    )


def _say_no_anchors(out: Output, folders: tuple[Path, ...]) -> None:
    listed = ", ".join(map(str, folders))
    out.note(
        out.say(
            f"доверять некому: корневых сертификатов нет ни одного ({listed});"
            " папку с ними называет --trust",
            f"nobody to trust: there is no anchor ({listed}); --trust names the folder with them",
        )
    )


def _say_where_looked(out: Output, file: str, report: SignatureReport) -> None:
    """Say on stderr, where no signature was found, which names one would have had."""
    if report.signatures or file == files.STDIN:
        return
    names = ", ".join(f"{Path(file).name}{end}" for end in BESIDE)
    out.note(
        out.say(
            f"искали в самом файле и рядом ({names}); подпись под другим именем: --signature ФАЙЛ",
            f"looked in the file itself and beside it ({names}); a signature under another"
            " name: --signature FILE",
        )
    )


def _say_right_call(out: Output, file: str, report: SignatureReport) -> None:
    """Say on stderr how to call, where a detached signature was given without what it signs."""
    if not any(
        one.sub_indication == NO_CONTENT and one.place == "document" and one.format in DETACHED
        for one in report.signatures
    ):
        return
    document, end = Path(file).with_suffix(""), Path(file).suffix
    if end in BESIDE and document.is_file():
        call = f"gateway verify {shlex.quote(str(document))}"
    else:
        signed = out.say("ДОКУМЕНТ", "DOCUMENT")
        call = f"gateway verify {signed} --signature {shlex.quote(file)}"
    out.note(
        out.say(
            f"{file}: это отдельная подпись, сам подписанный файл не назван. Вызов: {call}",
            f"{file}: a detached signature, without the file it signs. Call: {call}",
        )
    )
