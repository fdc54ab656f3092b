"""`gateway init`: an empty gateway home."""

from __future__ import annotations

import click

from gateway.cli import local
from gateway.cli.output import Output, options, translated


@click.command(
    "init",
    help=translated(
        "Создать пустой дом шлюза: настройки, базы данных, ключи. Что уже есть, не меняется.",
        "Create an empty gateway home: settings, databases, keys. What is there stays.",
    ),
)
@click.option(
    "--url",
    default="http://127.0.0.1:8080",
    show_default=True,
    help=translated("Адрес, по которому шлюз виден.", "The address the gateway is seen at."),
)
@options
def command(out: Output, url: str) -> None:
    from gateway.app import open_gateway
    from gateway.sandbox.home import EMPTY_SETTINGS, write_settings

    new = not (out.home / "gateway.toml").exists()
    out.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if new:
        write_settings(out.home, url, EMPTY_SETTINGS)
    (out.home / "trust").mkdir(exist_ok=True)
    open_gateway(local.settings(out)).close()
    home = str(out.home.resolve())
    out.data({"home": home, "created": new})
    out.text(
        f"{out.mark(True)} "
        + out.say(f"Дом шлюза: {home}", f"Gateway home: {home}")
        + ("" if new else out.say(" (уже был)", " (was there)"))
    )
    out.text(
        out.dim(
            out.say(
                "  Дальше: gateway admin org add, client add, destination add; сертификаты и CRL"
                " в trust/, маршруты в gateway.toml; затем gateway doctor и gateway serve",
                "  Next: gateway admin org add, client add, destination add; certificates and CRLs"
                " into trust/, routes into gateway.toml; then gateway doctor and gateway serve",
            )
        )
    )
