"""Finds the plug-ins of a room: a plug-in is a module with the names its room asks for.

Dropping a file into a room is all it takes to add a format, a signature form or a kind of
destination; there is no list to edit.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


class BadPlugin(Exception):
    """A module in a room does not define the names the room's interface asks for."""


def discover(room: str, names: tuple[str, ...]) -> dict[str, ModuleType]:
    """Return the plug-ins of package `room` by their NAME, in order of file name.

    A module counts as a plug-in when it defines `NAME`; it must then define every one of
    `names`.  Raises BadPlugin for a missing name or a NAME taken twice.
    """
    package = importlib.import_module(room)
    found: dict[str, ModuleType] = {}
    for entry in sorted(pkgutil.iter_modules(package.__path__), key=lambda e: e.name):
        module = importlib.import_module(f"{room}.{entry.name}")
        if not hasattr(module, "NAME"):
            continue
        missing = [name for name in names if not hasattr(module, name)]
        if missing:
            raise BadPlugin(f"{module.__name__} does not define {', '.join(missing)}.")
        if module.NAME in found:
            raise BadPlugin(f"{module.__name__} takes the name {module.NAME!r} a second time.")
        found[module.NAME] = module
    return found
