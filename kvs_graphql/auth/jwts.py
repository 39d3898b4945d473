"""JWTs (RFC 7519), verified by PyJWT as RFC 8725 wants it."""

from dataclasses import dataclass
from typing import Any

import jwt

from kvs_graphql.auth.keys import KeySource
from kvs_graphql.errors import Unauthenticated

_NOT_VALID = "The token is not valid."
_EXPIRED = "The token has expired."


@dataclass(frozen=True, slots=True)
class JwtOptions:
    """What a token has to be."""

    issuer: str
    audience: tuple[str, ...]
    """One of them."""
    algorithms: tuple[str, ...]
    clock_skew_seconds_max: float
    """How much the issuer's clock may differ from this one."""


class JwtVerifier:
    """Verifies the tokens of one issuer."""

    def __init__(self, options: JwtOptions, keys: KeySource) -> None:
        self._options = options
        self.keys = keys
        self.skew_seconds = options.clock_skew_seconds_max

    async def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token.

        Raises:
            Unauthenticated: It is not valid. The message does not say why, unless it is a valid one that has expired.
        """
        key_id, algorithm = _named(token)
        if algorithm not in self._options.algorithms:
            raise Unauthenticated(_NOT_VALID, reason="its algorithm is not allowed")
        key = await self.keys.key(key_id, algorithm)
        if key is None:
            raise Unauthenticated(_NOT_VALID, reason="the issuer has no such key")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._options.audience,
                issuer=self._options.issuer,
                leeway=self._options.clock_skew_seconds_max,
                options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
            )
            # What no clock reaches is as good as no expiry.
            claims["exp"] = float(claims["exp"])
        except jwt.ExpiredSignatureError:
            raise Unauthenticated(_EXPIRED, reason="it has expired") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise Unauthenticated(_NOT_VALID, reason=str(error)) from None
        return claims


def _named(token: str) -> tuple[str | None, str]:
    """The id of the key, and the algorithm, that a token names. Nothing else is taken from its header.

    Raises:
        Unauthenticated: It is no token, or demands an extension (`crit`, RFC 7515, 4.1.11): none is known here.
    """
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise Unauthenticated(_NOT_VALID, reason=str(error)) from None
    key_id, algorithm = header.get("kid"), header.get("alg")
    if "crit" in header or not isinstance(algorithm, str) or not isinstance(key_id, str | None):
        raise Unauthenticated(_NOT_VALID, reason="its header is not understood")
    return key_id, algorithm
