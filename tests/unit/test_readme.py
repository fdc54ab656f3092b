"""The documents' commands work, word for word, for someone who has never seen the project."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.settings import Settings
from tests.sandboxes import free_port

ROOT = Path(__file__).parents[2]
DEMO_SECONDS_MAX = 240
COMMANDS_SECONDS_MAX = 280

# What stands for a fresh machine: make and its targets are checked, not run again; the reader
# is in the folder of the clone already.
PRELUDE = """
set -eu -o pipefail
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
make() { command make -C "$CHECKOUT" -n "$@" > /dev/null; }
"""


@dataclass(frozen=True, kw_only=True)
class Demo:
    folder: Path
    """Looks like the clone, with a home of its own in `var`."""

    port: int


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """What `make run` leaves running, on a free port."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("samples", "mappings", "schemas", "certs", "tools"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv/bin").mkdir(parents=True)
    for name in ("gateway", "python"):
        (folder / ".venv/bin" / name).symlink_to(Path(sys.executable).with_name(name))
    port = free_port()
    # A process group of its own: the demo's clinic must end with it.
    with (folder / "demo.log").open("wb") as log:
        process = subprocess.Popen(
            [".venv/bin/gateway", "demo", "--port", str(port), "--json"],
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for_stories(process, folder / "demo.log")
        yield Demo(folder=folder, port=port)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def wait_for_stories(process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for the line with every story's end; the demo stays up after it."""
    end = time.monotonic() + DEMO_SECONDS_MAX
    while time.monotonic() < end:
        said = log.read_text("utf-8", "replace")
        if '"stories"' in said and said.endswith("\n"):
            return
        assert process.poll() is None, said[-2000:]
        time.sleep(0.2)
    pytest.fail(f"the demo did not finish its stories in {DEMO_SECONDS_MAX} s: {said[-2000:]}")


def commands(document: str) -> list[str]:
    """Return the lines a reader would type, in order."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / document).read_text("utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert lines
    assert all(line.startswith("$ ") for line in lines), lines
    return [line.removeprefix("$ ") for line in lines]


def test_every_command_of_the_readme_works(demo: Demo) -> None:
    said = typed(demo, "README.md", "8090")
    # Once in the sandbox, once in the reader's own home.
    assert said.count('"counts":{"accepted":1}') == 2, said


def test_every_command_of_the_document_on_signatures_works(demo: Demo) -> None:
    said = typed(demo, "docs/signatures.md", "8082")
    # Beside the file, named, with a stamp, in a PDF, over HTTP and from evidence.
    assert len(re.findall(r"\bTOTAL_PASSED\b", said)) >= 6, said
    assert "вердикт тот же" in said


def typed(demo: Demo, document: str, port: str) -> str:
    """Return what the commands of a document say; `port` is one that they open.

    One shell runs them all, as a reader's terminal would; the first that fails is named.
    """
    own_port = str(free_port())
    lines = [
        line.replace(":8080", f":{demo.port}").replace(port, own_port)
        for line in commands(document)
    ]
    script = PRELUDE + "".join(f"echo {shlex.quote('$ ' + line)} >&2\n{line}\n" for line in lines)
    environment = {"PATH": os.environ["PATH"], "CHECKOUT": str(ROOT), "LANG": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=demo.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=COMMANDS_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
    return done.stdout


def test_the_address_that_the_demo_prints_answers(demo: Demo) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{demo.port}/docs", timeout=10) as answer:
        assert answer.status == 200


def test_both_readmes_give_the_same_commands() -> None:
    """A reader of Russian must not get yesterday's commands."""
    assert commands("README.ru.md") == commands("README.md")


def test_every_make_target_it_names_exists() -> None:
    text = (ROOT / "README.md").read_text("utf-8") + (ROOT / "README.ru.md").read_text("utf-8")
    targets = set(re.findall(r"make ([a-z]+)", "\n".join(re.findall(r"`[^`\n]+`|^\$ .*$", text))))
    assert "test" in targets
    listed = (ROOT / "Makefile").read_text("utf-8")
    assert [target for target in targets if not re.search(rf"(?m)^{target}:", listed)] == []


def test_the_settings_it_shows_are_the_defaults(tmp_path: Path) -> None:
    """An operator copies them; a wrong one would be copied too."""
    shown = re.search(r"```toml\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert shown is not None
    without_routes = shown.group(1).split("[[routes]]")[0]
    file = tmp_path / "gateway.toml"
    file.write_text(without_routes, "utf-8")
    given = Settings.load(tmp_path, {})
    file.write_text("", "utf-8")
    assert given == Settings.load(tmp_path, {})
    file.write_text(shown.group(1), "utf-8")
    assert [route.to for route in Settings.load(tmp_path, {}).routes] == ["clinic-mis"]
    assert set(tomllib.loads(shown.group(1))) >= {"url", "language", "limits", "work", "trust"}
