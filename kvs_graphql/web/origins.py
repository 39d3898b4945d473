"""Which pages may ask: those of this service's own origin, and those of `KVS_CORS_ORIGINS`.

Browsers hide the answers from other pages, but send their requests where a form or an image could have sent them: by
GET. (A POST without `content-type: application/json` is refused whoever sends it.) To WebSockets they apply no CORS.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.types import Scope

from kvs_graphql.web.fields import fields_of

_OTHER_ORIGIN = "A page of another origin may not ask by GET, unless KVS_CORS_ORIGINS has its origin."
_DEFAULT_PORTS = {"http": 80, "https": 443}
_OWN_SITES = (b"same-origin", b"none")
"""A page of this origin, and a user who typed the address."""
_PREFLIGHTED = frozenset({b"apollo-require-preflight", b"x-apollo-operation-name"})
"""Headers that a page of another origin can send only where CORS has let it."""
_BEARER = b"bearer "
"""Credentials that such a page can send only so, too. Others, such as Basic, browsers add by themselves."""


class Origins:
    """The origins of other sites whose pages may ask; `*` for any."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = frozenset(origin.encode() for origin in allowed)
        self._allows_any = "*" in allowed

    def allow_socket(self, scope: Scope) -> bool:
        """Whether a page of that origin may open a WebSocket. Clients other than browsers name no origin."""
        headers = fields_of(scope)
        return self._is_listed(headers) or _is_own(headers)

    def allow_get(self, scope: Scope) -> bool:
        """Whether no page of another origin asks.

        As Go's `http.CrossOriginProtection` decides: by `Sec-Fetch-Site`, which browsers send to secure addresses and
        to loopback; elsewhere by `Origin`.
        """
        headers = fields_of(scope)
        if self._is_listed(headers) or _is_preflighted(headers):
            return True
        site = headers.get(b"sec-fetch-site")
        return _is_own(headers) if site is None else site in _OWN_SITES

    def check_get(self, scope: Scope) -> None:
        """Raises: HTTPException: 403: A page of another origin asks."""
        if not self.allow_get(scope):
            raise HTTPException(403, _OTHER_ORIGIN)

    def prove_own(self, scope: Scope) -> bool:
        """Whether a page of this service's own origin, or of a listed one, asks; unlike `allow_get`, not if unsure."""
        headers = fields_of(scope)
        named = b"origin" in headers or _is_preflighted(headers)
        return (named or headers.get(b"sec-fetch-site") == b"same-origin") and self.allow_get(scope)

    def _is_listed(self, headers: dict[bytes, bytes]) -> bool:
        return self._allows_any or headers.get(b"origin") in self._allowed


def _is_own(headers: dict[bytes, bytes]) -> bool:
    """Whether no origin is named, or that of the service itself."""
    origin = headers.get(b"origin")
    return origin is None or _is_same_host(origin.decode("latin-1"), headers.get(b"host", b"").decode("latin-1"))


def _is_preflighted(headers: dict[bytes, bytes]) -> bool:
    return not _PREFLIGHTED.isdisjoint(headers) or headers.get(b"authorization", b"").lower().startswith(_BEARER)


def _is_same_host(origin: str, host: str) -> bool:
    """Whether an origin has this host and port; its scheme may differ behind a proxy that ends TLS."""
    try:
        page, served = urlsplit(origin), urlsplit(f"//{host}")
        default = _DEFAULT_PORTS.get(page.scheme)
        ports = page.port or default, served.port or default
    except ValueError:
        return False
    return page.hostname is not None and page.hostname == served.hostname and ports[0] == ports[1]
