"""Client secrets: made here, kept only as an Argon2id hash.

Secrets are 256 random bits, so the hash guards a stolen database, not a weak password:
the parameters are OWASP's smallest (19 MiB, two passes), about 20 ms, and a flood of token
requests cannot take the memory of the machine.
"""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)


def new_secret() -> str:
    """Return a fresh client secret, URL-safe text."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """Return the Argon2id hash of `secret` as a PHC string."""
    return _HASHER.hash(secret)


def secret_fits(secret: str, secret_hash: str | None) -> bool:
    """Say whether `secret` is the one hashed.

    Without a hash (unknown client, or one without a secret) the same work is done on a
    hash nobody has the secret of, so that the time taken tells nothing.
    """
    try:
        _HASHER.verify(secret_hash or _nobody(), secret)
    except (VerificationError, InvalidHashError, UnicodeError):
        return False
    return secret_hash is not None


@cache
def _nobody() -> str:
    return hash_secret(new_secret())
