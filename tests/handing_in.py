"""A signed document of a sandbox laboratory, handed in and taken to its end in this process."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway.app import Gateway
from gateway.model import Part
from gateway.sandbox import pki
from gateway.sandbox.fresh import fresh
from gateway.signatures.sign import sign
from tests.sandboxes import GOST, SAMPLES

JSON = (SAMPLES / "01-transaction-gost256" / "result.json").read_bytes()
FHIR = "application/fhir+json"


@dataclass(frozen=True)
class Laboratory:
    client: str = "polaris"
    organization: str = "polaris"


def sent(gateway: Gateway, keys: pki.Pki) -> str:
    """Hand in a document signed by a doctor and take it to its end; return the submission."""
    octets = fresh(JSON, datetime.now(UTC), lambda: str(uuid.uuid4()))
    signer = keys.signer("gost256-doctor")
    signature = sign(
        octets,
        key=signer.private_key(),
        chain=signer.chain(),
        algorithms=GOST,
        form="cades",
        detached=True,
        at=datetime.now(UTC),
    )
    parts = (
        Part(name="document", media_type=FHIR, body=octets),
        Part(name="signature", media_type="application/octet-stream", body=signature),
    )
    kept = gateway.line.keep(Laboratory(), "multipart/form-data", parts)
    worked(gateway)
    return kept.submission


def worked(gateway: Gateway) -> None:
    """Work the next submission on the line."""
    for order in gateway.store.claim("submission", 1, timedelta(seconds=60)):
        gateway.line.work(order)
