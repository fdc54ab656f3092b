"""`gateway check FILE…`: everything the gateway would check, with nothing stored."""

from __future__ import annotations

import click

from gateway.cli import documents, words
from gateway.cli.desk import at_desk
from gateway.cli.output import Exit, Output, Wrong, leave, options_to, problem_json, translated
from gateway.cli.status import mark, problem_lines
from gateway.errors import Rejected

EXITS = {"accepted": Exit.GOOD, "rejected": Exit.REFUSED, "needs_info": Exit.UNDECIDED}
WORST_FIRST = (Exit.REFUSED, Exit.UNDECIDED, Exit.GOOD)


@click.command(
    "check",
    help=translated(
        "Проверить документы, ничего не сохраняя: подпись, формат, коды, единицы, пациент."
        " Неподписанный документ сначала подписывается с --sign.",
        "Check documents and store nothing: signature, format, codes, units, patient."
        " An unsigned document is signed first with --sign.",
    ),
)
@click.argument("names", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--profile",
    metavar="FORMAT",
    help=translated(
        "Читать как этот формат (fhir_json, lab_xml…), а не по имени и содержанию.",
        "Read as this format (fhir_json, lab_xml…), not by name and content.",
    ),
)
@click.option(
    "--sign", is_flag=True, help=translated("Подписать ключом песочницы.", "Sign as the sandbox.")
)
@click.option("--signer", help=translated("Чьим ключом (signers/).", "Whose key (signers/)."))
@click.option("--signature", help=translated("Файл подписи.", "File of the signature."))
@documents.attorney_option
@click.option("--media-type", help=translated("Вид документа.", "Media type."))
@options_to
def command(
    out: Output,
    names: tuple[str, ...],
    profile: str | None,
    sign: bool,
    signer: str | None,
    signature: str | None,
    attorneys: tuple[str, ...],
    media_type: str | None,
) -> None:
    if profile is not None:
        media_type = _media_type(out, profile, media_type)
    files = documents.find(out, names)
    powers = documents.attorneys(out, attorneys)
    codes = []
    with at_desk(out) as desk, out.progress(len(files), out.say("файл", "file")) as step:
        for file in files:
            try:
                given = documents.read(out, file, signature, media_type)
                if sign:
                    given = documents.signed(out, given, signer, fresh=False)
                found = desk.check(given.document, (*given.beside, *powers))
            except Rejected as error:
                # What the door would not take does not stop the files after it.
                problems = [problem_json(one, out.language) for one in error.problems]
                found = {"outcome": "rejected", "problems": problems, "signatures": None}
            codes.append(EXITS[found["outcome"]])
            step(file)
            out.data({"file": file, **found})
            status = words.status(found["outcome"], out.language)
            out.text(f"  {mark(out, found['outcome'])} {file}  {status}")
            for problem in found["problems"]:
                problem_lines(out, problem)
    leave(next(code for code in WORST_FIRST if code in codes))


def _media_type(out: Output, profile: str, given: str | None) -> str:
    """Return the media type of a format by its name.  Raises Wrong for a name of none."""
    from gateway.formats.interface import formats

    known = formats()
    if profile not in known:
        raise Wrong(
            out.say(f"нет профиля {profile}; есть: ", f"there is no profile {profile}, only: ")
            + ", ".join(known)
        )
    types = known[profile].MEDIA_TYPES
    if given is not None and given not in types:
        raise Wrong(
            out.say(f"{profile} не бывает {given}, только: ", f"{profile} is never {given}, only: ")
            + ", ".join(types)
        )
    return given or types[0]
