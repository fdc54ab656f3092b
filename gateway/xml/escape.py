"""Characters of canonical XML: what is written as a reference, and what stands as it is.

Source: W3C Canonical XML 1.0, clause 2.3.
"""

from __future__ import annotations

import re

_IN_TEXT = re.compile(r"[&<>\r]")
_IN_ATTRIBUTE = re.compile(r'[&<"\t\n\r]')


def text(value: str) -> str:
    """Return `value` as the text of a canonical element."""
    if not _IN_TEXT.search(value):
        return value
    return (
        value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")
    )


def attribute(value: str) -> str:
    """Return `value` as the value of a canonical attribute, without its quotes."""
    if not _IN_ATTRIBUTE.search(value):
        return value
    return (
        value.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace('"', "&quot;")
        .replace("\t", "&#x9;")
        .replace("\n", "&#xA;")
        .replace("\r", "&#xD;")
    )
