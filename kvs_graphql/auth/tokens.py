"""Static bearer tokens. Pure, but for the making of one.

The configuration holds only hashes. A token is 256 random bits, so one round of SHA-256 is enough: nobody can try all.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping

_TOKEN_BYTES = 32
_PREFIX = "kvs_"
"""By which scanners of secrets find a token in a file."""


class StaticTokens:
    """The tokens of principals, as the hexadecimal SHA-256 hashes of them."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        """`hashes` are by the names of their principals."""
        self._digests = [(name, bytes.fromhex(hexadecimal)) for name, hexadecimal in hashes.items()]

    def principal(self, digest: bytes) -> str | None:
        """The principal whose token has this SHA-256 hash. The time it takes tells nothing about the hashes."""
        found = None
        for name, known in self._digests:
            if hmac.compare_digest(known, digest):
                found = name
        return found


def new_token() -> str:
    """Make a token."""
    return _PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)


def hash_of(token: str) -> str:
    """The hash of a token, as the configuration has it."""
    return hashlib.sha256(token.encode()).hexdigest()
