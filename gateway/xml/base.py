"""Joining `xml:base` values of elements left out, as Canonical XML 1.1 asks for.

Source: W3C Canonical XML 1.1, clause 2.4 (RFC 3986, clause 5.2, for relative bases too).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit


def join(base: str, reference: str) -> str:
    """Return `reference` resolved against `base`, either of which may be relative."""
    b, r = urlsplit(base), urlsplit(reference)
    if r.scheme:
        return urlunsplit((r.scheme, r.netloc, _no_dots(r.path), r.query, ""))
    if r.netloc:
        return urlunsplit((b.scheme, r.netloc, _no_dots(r.path), r.query, ""))
    if not r.path:
        return urlunsplit((b.scheme, b.netloc, _no_dots(b.path), r.query or b.query, ""))
    if r.path.startswith("/"):
        path = r.path
    elif b.netloc and not b.path:
        path = "/" + r.path
    else:
        folder = b.path if b.path.endswith("/..") or b.path == ".." else b.path.rpartition("/")[0]
        path = f"{folder}/{r.path}" if folder or b.path.startswith("/") else r.path
    return urlunsplit((b.scheme, b.netloc, _no_dots(path), r.query, ""))


def _no_dots(path: str) -> str:
    """Remove `.` and `..` segments; leading `..` stay in a relative path (C14N 1.1, 2.4)."""
    absolute = path.startswith("/")
    segments = re.sub(r"/{2,}", "/", path).split("/")
    if absolute:
        segments = segments[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            if kept and kept[-1] != "..":
                kept.pop()
            elif not absolute:
                kept.append("..")
        elif segment not in (".", ""):
            kept.append(segment)
    # A path that ends in a dot segment names a folder and keeps its slash.
    if segments[-1] in ("", ".", "..") and kept:
        kept.append("")
    return ("/" if absolute else "") + "/".join(kept)
