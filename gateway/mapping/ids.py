"""Ids of resources, the same every time: a repeat makes no second resource.

An id is a name-based UUID of the patient, the type and the key the business knows the thing
by, so version 2 of a report lands on version 1, and two patients never share a resource.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

_SPACE = uuid.UUID("8a3f3c3e-6f7e-5d0b-9a53-3b6f0d1f9c10")


def deterministic(patient: str) -> Callable[[str, str], str]:
    """Return the function (type, business key) → id for one patient."""

    def make(resource_type: str, key: str) -> str:
        return str(uuid.uuid5(_SPACE, "\x1f".join((patient, resource_type, key))))

    return make
