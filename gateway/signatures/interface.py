"""What a signature plug-in promises: one file in this room per signature form.

A form unwraps and checks mathematics; it never judges a certificate (that is `trust`).
"""

from __future__ import annotations

from typing import Protocol, cast

from gateway import registry
from gateway.algorithms.interface import Algorithms
from gateway.model import CheckedSignature, Part
from gateway.signatures.directory import Directory


class SignatureForm(Protocol):
    """A module that checks one signature form."""

    NAME: str

    def check(
        self,
        document: Part,
        signatures: tuple[Part, ...],
        algorithms: Algorithms,
        *,
        directory: Directory = ...,
    ) -> tuple[CheckedSignature, ...]:
        """Check every signature of this form in `document` or in `signatures` beside it.

        `directory` has the certificates at hand that a signature may name without bringing
        them.  Returns one CheckedSignature each, bad ones included; none when there is no
        signature of this form.  Never raises for bad input: what cannot be read as a
        signature of this form comes back as TOTAL_FAILED with FORMAT_FAILURE.
        """


def forms() -> dict[str, SignatureForm]:
    """Return the signature forms in this room by name."""
    return cast("dict[str, SignatureForm]", registry.discover("gateway.signatures", ("check",)))
