"""A time-stamping authority for the sandbox: answers requests with tokens of its own.

Its clock is this machine's, so its tokens prove nothing to anybody outside the sandbox.

Source: RFC 3161, sections 2.4.1 and 2.4.2; RFC 5816.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asn1crypto import cms, tsp

from gateway.algorithms.asn1 import MALFORMED
from gateway.algorithms.interface import DIGESTS, Algorithms
from gateway.signatures import sign_cms
from gateway.signatures.timestamps import TimeStampResp

POLICY = "1.3.6.1.4.1.4146.2.99"
DIGEST_BYTES = {
    "sha256": 32,
    "sha384": 48,
    "sha512": 64,
    "streebog256": 32,
    "streebog512": 64,
}
"""Imprints it takes; SHA-1 would prove nothing."""


@dataclass(frozen=True, kw_only=True)
class TimestampAuthority:
    """Who stamps: a private key (PKCS#8 DER) and its certificates, its own first."""

    key: bytes
    chain: tuple[bytes, ...]
    algorithms: Algorithms

    def respond(self, request: bytes, now: datetime) -> bytes:
        """Return the TimeStampResp (DER) to a TimeStampReq; a bad one is answered, not raised."""
        try:
            asked = tsp.TimeStampReq.load(request, strict=True)
            imprint = asked["message_imprint"]
            name = str(imprint["hash_algorithm"]["algorithm"].native)
            digest, nonce = imprint["hashed_message"].native, asked["nonce"].native
            version = asked["version"].native
        except MALFORMED:
            return _refusal("bad_data_format")
        if version != "v1":
            return _refusal("bad_request")
        if name not in DIGESTS or DIGEST_BYTES.get(name) != len(digest):
            return _refusal("bad_alg")
        token = self.token(name, digest, now, nonce=nonce)
        return bytes(
            TimeStampResp(
                {
                    "status": {"status": "granted"},
                    "time_stamp_token": cms.ContentInfo.load(token),
                }
            ).dump()
        )

    def stamp(self, digest: str, octets: bytes, now: datetime) -> bytes:
        """Return a token (DER) over `octets`, whose imprint is their `digest`."""
        return self.token(digest, self.algorithms.digest(digest, octets), now)

    def token(self, digest: str, imprint: bytes, now: datetime, nonce: int | None = None) -> bytes:
        """Return a token (DER) over an imprint that was computed already."""
        fields: dict[str, Any] = {
            "version": "v1",
            "policy": POLICY,
            "message_imprint": {
                "hash_algorithm": {"algorithm": digest},
                "hashed_message": imprint,
            },
            "serial_number": int.from_bytes(secrets.token_bytes(8), "big"),
            "gen_time": now.astimezone(UTC).replace(microsecond=0),
        }
        if nonce is not None:
            fields["nonce"] = nonce
        return sign_cms.file(
            tsp.TSTInfo(fields).dump(),
            key=self.key,
            chain=self.chain,
            algorithms=self.algorithms,
            detached=False,
            at=now,
            content_type="tst_info",
        )


def _refusal(reason: str) -> bytes:
    return bytes(TimeStampResp({"status": {"status": "rejection", "fail_info": {reason}}}).dump())
