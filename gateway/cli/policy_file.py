"""The file of `gateway verify --policy`: what is asked of a document's signatures."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from gateway.algorithms import policy
from gateway.algorithms.policy import AlgorithmPolicy, BadPolicy
from gateway.bindings import ROLES
from gateway.cli import files
from gateway.cli.output import Output, Wrong
from gateway.qualification import QUALIFICATIONS
from gateway.tables import faults
from gateway.verification import LEVELS, Policy

FORMS = ("CMS", "CAdES", "PDF", "PAdES", "XMLDSig", "XAdES", "JWS", "JAdES")
"""Forms a policy may name."""

_LISTS = ("forms", "levels", "qualifications", "roles")


def _words(known: tuple[str, ...]) -> fields.List[str]:
    return fields.List(fields.String(validate=validate.OneOf(known)), load_default=list)


def _truth(given: object) -> None:
    # As numbers, 1 and true are the same to Python and to nobody who writes a policy.
    if not isinstance(given, bool):
        raise ValidationError("not a truth value")


class _File(Schema):
    name = fields.String(
        load_default="file",
        validate=validate.Regexp(r"[\w.-]{1,64}\Z"),
        metadata={"expected": "A-Z a-z 0-9 . _ -"},
    )
    forms = _words(FORMS)
    levels = _words(LEVELS)
    qualifications = _words(QUALIFICATIONS)
    roles = _words(ROLES)
    signatures_min = fields.Integer(load_default=0, strict=True, validate=validate.Range(0, 32))
    whole_document = fields.Raw(
        load_default=False,
        validate=_truth,
        metadata={"expected": "true, false"},
    )

    algorithms = fields.Dict(load_default=dict)

    @post_load
    def asked(self, given: dict[str, Any], **_: object) -> Asked:
        lists = {name: tuple(given[name]) for name in _LISTS}
        algorithms = policy.standard().laid_over(given.pop("algorithms"))
        return Asked(policy=Policy(**{**given, **lists}), algorithms=algorithms)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a policy file asks: of signatures, and of the algorithms they rest on."""

    policy: Policy
    algorithms: AlgorithmPolicy


def read_policy(out: Output, file: Path | None) -> Asked:
    """Return the policy in a TOML file; the default one for None.  Raises Wrong."""
    if file is None:
        return Asked(policy=Policy(), algorithms=policy.standard())
    try:
        given = tomllib.loads(files.settings(out, "--policy", file).decode("utf-8"))
        asked: Asked = _File().load(given)
    except BadPolicy as error:
        raise Wrong(f"--policy {file}: algorithms.{error.say(out.language)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        said = out.say("это не TOML", "not TOML")
        raise Wrong(f"--policy {file}: {said}: {error}") from error
    except ValidationError as error:
        said = "; ".join(one.say(out.language) for one in faults(_File(), error))
        raise Wrong(f"--policy {file}: {said}") from error
    return asked
