"""The commands of the contract exist, and preparing twice costs nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = ("run", "test", "lint", "corpus", "fuzz", "faults", "soak", "bench", "clean", "help")


def make(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    # A make that runs the tests must not hand its own flags down.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    for name in ("RUN_ONCE", "PORT"):
        inherited.pop(name, None)
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=cwd,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_lists_every_command_of_the_contract() -> None:
    said = make("help").stdout
    assert [target for target in TARGETS if not re.search(rf"(?m)^  make {target} +\S", said)] == []


def test_plain_make_explains_instead_of_doing() -> None:
    assert make().stdout == make("help").stdout


def test_run_stays_up_unless_told_to_end() -> None:
    assert "--once" not in make("-n", "run").stdout
    assert "--once" not in make("-n", "run", RUN_ONCE="0").stdout
    assert "--once" in make("-n", "run", RUN_ONCE="1").stdout
    assert "--port 9000" in make("-n", "run", PORT="9000").stdout


def test_ci_runs_lint_and_test() -> None:
    script = (ROOT / ".ci/run").read_text("utf-8").splitlines()
    assert script[-2:] == ["make lint", "make test"]
    assert os.access(ROOT / ".ci/run", os.X_OK)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder that looks prepared: nothing in it can be installed."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    for name in ("requirements.lock", "setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def setup(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "tools/setup.sh"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_machine_without_a_fitting_python_is_told_what_to_install(
    clone: Path, tmp_path: Path
) -> None:
    """The first thing a stranger may meet; it must say what was found and what to do."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname", "pwd", "cat", "sha256sum", "true"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    old = tools / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit\nexit 1\n')
    old.chmod(0o755)
    done = setup(clone, PATH=str(tools))
    assert done.returncode == 1
    assert "CPython 3.11 or newer; found: Python 3.9.2" in done.stderr
    assert not (clone / ".venv").exists()


def test_a_missing_package_that_may_not_be_installed_is_named_and_not_fatal(tmp_path: Path) -> None:
    """Without root the gateway goes on with what there is, and says what that costs."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "sh").symlink_to(shutil.which("sh") or "")
    done = subprocess.run(
        ["sh", str(ROOT / "tools/system_packages.sh"), "It is slow without.", "libengine-gost"],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "Not installed: libengine-gost. It is slow without." in done.stderr
    assert "sudo apt-get install libengine-gost" in done.stderr
