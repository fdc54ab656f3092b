"""How sure we are that the author said it, on every resource (semantics, rule 1)."""

from __future__ import annotations

from gateway.model import Assurance, Json

SYSTEM = "urn:gateway:assurance"

_DISPLAY = {
    Assurance.SIGNED_QUALIFIED: "Подписано квалифицированной подписью",
    Assurance.SIGNED: "Подписано",
    Assurance.TRANSCRIBED: "Переписано с подписанного документа",
    Assurance.CHANNEL: "Получено по доверенному каналу без подписи",
    Assurance.PATIENT_ASSERTED: "Со слов пациента",
}


def tag(resource: Json, assurance: Assurance) -> None:
    """Put the assurance tag into the resource's meta."""
    meta = resource.pop("meta", None)
    kept: Json = dict(meta) if isinstance(meta, dict) else {}
    tags = kept.get("tag")
    others = [
        other
        for other in (tags if isinstance(tags, list) else [])
        if not (isinstance(other, dict) and other.get("system") == SYSTEM)
    ]
    ours: Json = {"system": SYSTEM, "code": assurance.value, "display": _DISPLAY[assurance]}
    kept["tag"] = [*others, ours]
    # FHIR writers put meta right behind the id; readers find it there.
    rest = {
        name: resource.pop(name) for name in list(resource) if name not in ("resourceType", "id")
    }
    resource["meta"] = kept
    resource.update(rest)
