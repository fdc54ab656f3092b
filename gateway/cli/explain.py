"""`gateway explain CODE`: the error catalogue page of a code."""

from __future__ import annotations

import click

from gateway import errors
from gateway.cli.output import Output, Wrong, options, translated


@click.command(
    "explain",
    help=translated(
        "Объяснить код ошибки: что значит и что делать. Без кода: список кодов.",
        "Explain an error code: what it means and what to do. Without a code: list the codes.",
    ),
)
@click.argument("code", required=False)
@options
def command(out: Output, code: str | None) -> None:
    if code is None:
        for known in errors.codes():
            page = errors.explain(known, out.language)
            out.data({"code": known, "title": page.title, "fix": page.fix})
            out.text(f"{known}  {page.title}")
        return
    try:
        page = errors.explain(code.upper(), out.language)
    except KeyError as error:
        raise Wrong(_unknown(out, code)) from error
    out.data(
        {
            "code": page.code,
            "title": page.title,
            "reason": page.reason,
            "cause": page.cause,
            "fix": page.fix,
            "example": page.example,
            "http": page.http,
            "issue": page.issue,
        }
    )
    out.text(f"{click.style(page.code, bold=True)}  {page.title}")
    out.text(f"  {page.reason}")
    out.text(f"  {out.say('Обычная причина', 'Usual cause')}: {page.cause}")
    out.text(f"  {out.say('Пример', 'Example')}: {page.example}")
    out.text(f"  {out.say('Что делать', 'What to do')}: {page.fix}")
    out.text(out.dim(f"  HTTP {page.http} · OperationOutcome {page.issue}"))


def _unknown(out: Output, code: str) -> str:
    family = code.upper().split("-")[0]
    near = [known for known in errors.codes() if known.startswith(family)]
    text = out.say(f"кода {code} нет в каталоге", f"code {code} is not in the catalogue")
    return f"{text}: {', '.join(near)}" if near else text
