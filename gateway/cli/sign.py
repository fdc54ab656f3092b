"""`gateway sign`: sign a file, for integrators and tests."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click

from gateway import sentences
from gateway.algorithms import pkcs11
from gateway.algorithms.interface import Unsupported
from gateway.cli import files, signer
from gateway.cli.output import Failed, Output, Wrong, options, translated
from gateway.cli.signer import Signer
from gateway.cli.stamps import stamper
from gateway.errors import GatewayError
from gateway.signatures.sign import Form, sign, sign_bundle
from gateway.xml.parser import is_xml

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FORMATS = ("cades", "jws", "pades", "xades", "xmldsig")
ENVELOPED = ("pades", "xades", "xmldsig")
PDF_HEADER = b"%PDF-"
PDF_HEADER_WITHIN = 1024
"""Octets in which readers look for the header (ISO 32000-1, implementation notes)."""

NOT_A_PLACE = translated("нет такой папки, или это папка", "no such folder, or a folder itself")


@click.command(
    "sign",
    help=translated(
        "Подписать файл ключом ГОСТ, RSA или ECDSA. XML по умолчанию получает подпись XAdES"
        " внутри, остальное: CAdES (или JWS) отдельным файлом; пакет FHIR можно подписать"
        " внутри, в Bundle.signature (--inside), а PDF: --format pades.",
        "Sign a file with a GOST, RSA or ECDSA key. XML gets a XAdES signature inside by"
        " default, anything else a CAdES (or JWS) signature in a file of its own; a FHIR bundle"
        " can be signed inside, in Bundle.signature (--inside), and a PDF by --format pades.",
    ),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--key",
    required=True,
    help=translated(
        "Закрытый ключ PKCS#8 (PEM, DER) или URI ключа в токене (pkcs11:…).",
        "Private key, PKCS#8 (PEM, DER), or the URI of a key in a token (pkcs11:…).",
    ),
)
@click.option(
    "--cert",
    required=True,
    type=_FILE,
    help=translated("Сертификат и цепочка (PEM, DER).", "Certificate and chain (PEM, DER)."),
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help=translated("Вид подписи.", "Its form.")
)
@click.option(
    "--attached",
    is_flag=True,
    help=translated("CAdES, JWS с содержимым внутри.", "CAdES, JWS with the content inside."),
)
@click.option(
    "--inside",
    is_flag=True,
    help=translated("Подпись в Bundle.signature.", "The signature in Bundle.signature."),
)
@click.option(
    "-T",
    "--timestamp",
    "stamped",
    is_flag=True,
    help=translated(
        "Со штампом времени (CAdES-T, XAdES-T, PAdES-T, JAdES-T) от службы --tsa.",
        "With a time stamp (CAdES-T, XAdES-T, PAdES-T, JAdES-T) by the authority --tsa.",
    ),
)
@click.option(
    "--tsa",
    metavar="URL",
    help=translated("Адрес службы штампов (RFC 3161).", "Time-stamping authority (RFC 3161)."),
)
@click.option(
    "--out",
    "target",
    type=click.Path(allow_dash=True),
    help=translated("Куда писать; иначе рядом с файлом.", "Where to write; else beside the file."),
)
@options
def command(
    out: Output,
    file: str,
    key: str,
    cert: Path,
    form: str | None,
    attached: bool,
    inside: bool,
    stamped: bool,
    tsa: str | None,
    target: str | None,
) -> None:
    _require_authority(out, stamped, tsa)
    octets = files.content(out, file)
    xml = is_xml(octets[:64]) and not attached and not inside
    form = form or ("xades" if xml else "cades")
    if (attached or inside) and (form in ENVELOPED or attached is inside):
        said = "--attached или --inside, для cades и jws", "--attached or --inside, for cades, jws"
        raise Wrong(out.say(*said))
    if form == "pades" and PDF_HEADER not in octets[:PDF_HEADER_WITHIN]:
        raise Wrong(out.say(*_not_a_pdf(file)))
    by = signer.read(out, key, cert)
    if tsa is not None:
        by = replace(by, stamp=stamper(out, tsa, by.imprint, by.algorithms))
    at = datetime.now(UTC)
    signed = _signed(out, octets, by, cast("Form", form), attached, inside, at)
    signer.warn_out_of_term(out, cert, by, at)
    place = target or _beside(file, form, attached, inside)
    if place == files.STDIN:
        sys.stdout.buffer.write(signed)
        return
    try:
        Path(place).write_bytes(signed)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise Wrong(f"--out {place}: {NOT_A_PLACE}") from error
    out.data({"out": place, "format": form, "bytes": len(signed)})
    out.text(f"{out.mark(True)} {place}")


def _require_authority(out: Output, stamped: bool, tsa: str | None) -> None:
    """Raise Wrong for a time stamp without an authority, and for an authority without one."""
    if stamped and tsa is None:
        raise Wrong(
            out.say(
                "-T: назовите службу штампов времени, --tsa URL; для пробы её заменит"
                " gateway mock tsa",
                "-T: name the time-stamping authority, --tsa URL; gateway mock tsa is one to try",
            )
        )
    if tsa is not None and not stamped:
        raise Wrong(
            out.say(
                "--tsa без -T: штамп ставится с ключом -T",
                "--tsa without -T: -T asks for the time stamp",
            )
        )


def _not_a_pdf(file: str) -> tuple[str, str]:
    return (
        f"{file}: это не PDF (нет заголовка %PDF-), --format pades только для PDF",
        f"{file}: not a PDF (no header %PDF-), --format pades is for PDF alone",
    )


def _signed(
    out: Output,
    octets: bytes,
    by: Signer,
    form: Form,
    attached: bool,
    inside: bool,
    at: datetime,
) -> bytes:
    try:
        if inside:
            return sign_bundle(
                octets,
                key=by.key,
                chain=by.chain,
                algorithms=by.algorithms,
                form=form,
                at=at,
                stamp=by.stamp,
            )
        return sign(
            octets,
            key=by.key,
            chain=by.chain,
            algorithms=by.algorithms,
            form=form,
            detached=not attached,
            at=at,
            stamp=by.stamp,
        )
    except GatewayError as error:
        what = "; ".join(out.reason(one) for one in error.problems)
        if form in ("xades", "xmldsig"):
            what = out.say(
                f"--format {form} только для XML. {what}",
                f"--format {form} is for XML alone. {what}",
            )
        raise Wrong(what) from error
    except pkcs11.TokenFault as error:
        raise Failed(f"--key: {sentences.say(str(error), out.language)}") from error
    except (ValueError, Unsupported) as error:
        raise Wrong(sentences.say(str(error), out.language)) from error


def _beside(file: str, form: str, attached: bool, inside: bool) -> str:
    """Return where the result goes when nobody said: beside the file, never over it."""
    if file == files.STDIN:
        return files.STDIN
    path = Path(file)
    if form not in ENVELOPED and not inside:
        ends = {"cades": ("sig", "p7m"), "jws": ("jws", "jose")}[form]
        return f"{path}.{ends[attached]}"
    return str(path.with_name(f"{path.stem}.signed{path.suffix}"))
