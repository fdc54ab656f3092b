"""The words of the page for people, in Russian and English."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

LANGUAGES = ("ru", "en")

Table = dict[str, dict[str, list[str]]]


@dataclass(frozen=True, kw_only=True)
class Words:
    """The words of one language."""

    language: str

    def __call__(self, group: str, key: str) -> str:
        """Return the words for `key`; what has none (a check of a new form) stays itself."""
        texts = table()[group].get(key)
        return texts[LANGUAGES.index(self.language)] if texts else key

    def knows(self, group: str, key: str) -> bool:
        """Say whether `key` has words of its own."""
        return key in table()[group]


@cache
def table() -> Table:
    """Return all words by group and key: Russian first, English second."""
    text = (resources.files("gateway.signature_report") / "words.toml").read_text("utf-8")
    found: Table = tomllib.loads(text)
    return found
