"""What the repository itself promises: nothing private, nothing of one machine, no dead link."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Words are put together here so that this file does not name what it forbids.
MACHINE_PATHS = re.compile(
    r"(?<![\w.])/(?:" + "|".join(["wo" + "rk", "ro" + "ot", "ho" + "me"]) + r")/\w"
)
REGISTRY_HOSTS = re.compile(
    "|".join(["py" + r"pi\.org", "python" + r"hosted\.org", "npm" + r"js\.org"])
)
WRITING_TOOLS = re.compile("|".join(["cla" + "ude", "co" + "pilot", "chat" + "gpt"]), re.IGNORECASE)
PRIVATE_KEY = re.compile("-----BEGIN (?:[A-Z]+ )?PRIV" + "ATE KEY-----")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def files() -> list[Path]:
    """Return what is or would be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def texts() -> list[tuple[str, str]]:
    """Return (name, text) of every text file."""
    found = []
    for file in files():
        try:
            found.append((str(file.relative_to(ROOT)), file.read_text("utf-8")))
        except UnicodeDecodeError:
            continue
    return found


TEXTS = texts()
MARKDOWN = [(name, text) for name, text in TEXTS if name.endswith(".md")]


def test_no_path_of_one_machine() -> None:
    """A path that exists on one machine only breaks on every other."""
    assert [name for name, text in TEXTS if MACHINE_PATHS.search(text)] == []


def test_nothing_names_the_tools_it_was_written_with() -> None:
    """Who reads the project in five years has other tools."""
    assert [name for name, text in TEXTS if WRITING_TOOLS.search(text)] == []


def test_no_package_registry_is_named() -> None:
    """Which registry or mirror to use is the installing machine's to say, not ours."""
    assert [name for name, text in TEXTS if REGISTRY_HOSTS.search(text)] == []


def test_every_pinned_package_has_digests() -> None:
    """One package without a digest, and a registry decides what we run."""
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^#.*\n", "", lock).strip())
    assert len(entries) > 50
    assert [e.split()[0] for e in entries if "==" not in e or "--hash=sha256:" not in e] == []


def test_every_dependency_is_pinned() -> None:
    """What setup.cfg asks for and the lock does not hold is installed by nobody."""
    text = (ROOT / "setup.cfg").read_text("utf-8")
    wanted = re.findall(r"(?m)^    ([A-Za-z][\w.-]*)(?:\[\w+\])?$", text[: text.index("[mypy]")])
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pinned = {plain(name) for name in re.findall(r"(?m)^([\w.-]+)(?:\[\w+\])?==", lock)}
    assert [name for name in wanted if plain(name) not in pinned] == []


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_private_key_is_committed() -> None:
    """A key in the history is a key of everybody: the sandbox makes its own on each machine."""
    assert [name for name, text in TEXTS if PRIVATE_KEY.search(text)] == []
    assert [str(file) for file in files() if file.suffix in {".key", ".p12", ".pfx"}] == []


@pytest.mark.parametrize(("name", "text"), MARKDOWN, ids=[name for name, _ in MARKDOWN])
def test_every_link_in_the_documentation_leads_somewhere(name: str, text: str) -> None:
    dead = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        if not file.exists() or (anchor and anchor not in anchors(file)):
            dead.append(target)
    assert dead == []


def anchors(file: Path) -> set[str]:
    """Return the anchors a page gives its headings."""
    headings = re.findall(r"(?m)^#+ +(.+)$", file.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_no_work_is_left_behind_unnamed() -> None:
    words = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME"]) + r")\b")
    assert [name for name, text in TEXTS if name.endswith(".py") and words.search(text)] == []
