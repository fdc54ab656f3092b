"""How much work strangers may add to a signed file: what nobody signed anybody may write."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.signatures.findings import FORMAT_FAILURE, failed

PARTS_MAX = 64
STAMPED_BYTES_MAX = 256 * 1024 * 1024


@dataclass
class Allowance:
    """How much one file may still ask for beyond its signatures: strangers write these parts."""

    parts: int = PARTS_MAX
    """Time stamps and counter-signatures."""

    stamped_bytes: int = STAMPED_BYTES_MAX
    """Octets digested for time stamps that are over all of the content."""

    def take(self, octets: int = 0) -> None:
        """Take one part; raises the flaw of a file that asks for too much."""
        self.parts -= 1
        self.stamped_bytes -= octets
        if self.parts < 0 or self.stamped_bytes < 0:
            detail = "more time stamps and counter-signatures than anybody needs"
            raise failed("unsigned_attributes", FORMAT_FAILURE, detail)
