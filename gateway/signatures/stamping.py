"""Asks a time-stamping authority for a token: the request, and what an answer must be.

The way there is the caller's: this file knows no network.

Source: RFC 3161, sections 2.2, 2.4.1 and 2.4.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from asn1crypto import tsp

from gateway.algorithms.interface import Algorithms
from gateway.model import Indication
from gateway.signatures.findings import MALFORMED
from gateway.signatures.timestamps import TimeStampResp, check_token_over

Stamp = Callable[[bytes], bytes]
"""Gives a token (DER) over octets.  Raises NotStamped."""

GRANTED = ("granted", "granted_with_mods")


class NotStamped(Exception):
    """The authority gave no token, or one that is not over what it was asked to stamp."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """A stamp by a time-stamping authority that is asked over the network."""

    post: Callable[[bytes], bytes]
    """Sends a TimeStampReq (DER) and returns the authority's answer.  Raises NotStamped."""

    algorithms: Algorithms
    digest: str
    """Of the imprint: `sha256`, `streebog256` …"""

    nonce: Callable[[], int]
    """A fresh random number, so that no older answer can stand in for this one."""

    def stamp(self, octets: bytes) -> bytes:
        """Return a token over `octets`.  Raises NotStamped, and Unsupported for the digest."""
        return self.stamp_over(self.algorithms.digest(self.digest, octets))

    def stamp_over(self, imprint: bytes) -> bytes:
        """Return a token over what has this digest.  Raises NotStamped."""
        nonce = self.nonce()
        request = tsp.TimeStampReq(
            {
                "version": "v1",
                "message_imprint": {
                    "hash_algorithm": {"algorithm": self.digest},
                    "hashed_message": imprint,
                },
                "nonce": nonce,
                "cert_req": True,
            }
        )
        token, answered = _answered(self.post(request.dump()))
        if answered != nonce:
            raise NotStamped("the answer is to another request")
        checked = check_token_over(token, self.digest, imprint, "signature", self.algorithms)
        if checked.indication is not Indication.TOTAL_PASSED:
            raise NotStamped(f"the token does not hold: {checked.sub_indication}")
        return token


def _answered(answer: bytes) -> tuple[bytes, int | None]:
    """Return the token and the nonce in it."""
    try:
        response = TimeStampResp.load(answer, strict=True)
        status = str(response["status"]["status"].native)
        if status not in GRANTED:
            reasons = ", ".join(sorted(response["status"]["fail_info"].native or ())) or status
            raise NotStamped(f"refused: {reasons}")
        token = response["time_stamp_token"]
        content = tsp.TSTInfo.load(bytes(token["content"]["encap_content_info"]["content"]))
        return bytes(token.dump()), content["nonce"].native
    except MALFORMED as error:
        raise NotStamped("the answer is no TimeStampResp") from error
