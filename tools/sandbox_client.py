"""Prints `client_id:client_secret` of the sandbox's first client of a role, for `curl -u`.

Usage: sandbox_client.py laboratory|clinic [HOME]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(role: str, home: str = "var") -> None:
    sandbox = json.loads((Path(home) / "sandbox.json").read_text("utf-8"))
    client = next(client for client in sandbox["clients"] if client["role"] == role)
    print(f"{client['client_id']}:{client['client_secret']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
