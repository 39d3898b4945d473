"""Tokens that expire while a test runs, and the settings of a service that takes them."""

import time
from pathlib import Path
from typing import Any

from tests.auth.issuer import AUDIENCE, ISSUER, Issuer, write_keys

SHORT_SECONDS = 2.0
LONG_SECONDS = 3600.0


def token_for(seconds: float) -> str:
    """A token of the issuer that expires after some seconds."""
    return Issuer().token(exp=time.time() + seconds)


class Tokens:
    """Gives a token until it is refused, and then the next one; the last one lasts."""

    def __init__(self, *seconds: float) -> None:
        self.given = 0
        self.expires_at = 0.0
        self._seconds = iter(seconds)
        self._token = ""

    def __call__(self, refused: bool) -> str:
        if refused or not self._token:
            self.expires_at = time.time() + next(self._seconds)
            self._token = Issuer().token(exp=self.expires_at)
            self.given += 1
        return self._token


def token_settings(directory: Path) -> dict[str, Any]:
    """The settings of a service that takes them, and ends what they began when they expire."""
    keys = write_keys(directory / "jwks.json", Issuer().jwk())
    found = {"jwt_issuer": ISSUER, "jwt_audience": (AUDIENCE,), "jwt_jwks_file": keys}
    return found | {"jwt_clock_skew_seconds_max": 0.001}
