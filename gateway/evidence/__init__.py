"""Keeping proofs alive: what ages out is stamped anew before it does.

`survey` asks of each settled submission when what proves it ages out; `renewal` puts those
whose time is near under one time stamp, many at once; `authority` is who stamps.
"""

from gateway.evidence.authority import Authority, NoAnswer
from gateway.evidence.renewal import Batch, Renewal
from gateway.evidence.rules import Rules

__all__ = ["Authority", "Batch", "NoAnswer", "Renewal", "Rules"]
