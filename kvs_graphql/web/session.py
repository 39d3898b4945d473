"""The cookie for a browser's EventSource, which cannot send a header: a POST with the token sets it, a DELETE ends it.

The cookie is the token: so it means the same on every replica, and after a restart. Its path is that of the request, as
the browser sees it; only a browser knows the prefix that a proxy strips.
"""

import time
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kvs_graphql.access import Access
from kvs_graphql.errors import Unauthenticated
from kvs_graphql.web.authentication import COOKIE, Gate, bearer_token
from kvs_graphql.web.clients import ClientAddresses
from kvs_graphql.web.sign_in import SignIn

SESSION_PATH = "/graphql/session"


async def how_to_begin(asks: bool, sign_in: SignIn | None, _: Request) -> Response:
    """How a page gets a token, for all to read: `tokens` says whether they are asked for."""
    oidc = None if sign_in is None else asdict(sign_in)
    return JSONResponse({"tokens": asks, "oidc": oidc}, headers={"Cache-Control": "no-store"})


class Session:
    """Sets and ends the cookie."""

    def __init__(self, gate: Gate, addresses: ClientAddresses) -> None:
        self._gate = gate
        self._addresses = addresses

    async def begin(self, request: Request) -> Response:
        """204 with the cookie, until the token expires; 401 without a valid token in the header."""
        try:
            token = bearer_token(request.scope)
            access = await self._gate.authenticator.access(token or "")
        except Unauthenticated as error:
            return self._gate.refuse(request.scope, error)
        return self._with_cookie(request, token or "", _seconds_left(access))

    async def end(self, request: Request) -> Response:
        """204, and the browser forgets the cookie."""
        return self._with_cookie(request, "", 0)

    def _with_cookie(self, request: Request, value: str, seconds: int | None) -> Response:
        response = Response(status_code=204, headers={"Cache-Control": "no-store"})
        secure = "; Secure" if self._is_secure(request) else ""
        age = "" if seconds is None else f"; Max-Age={seconds}"
        response.headers["Set-Cookie"] = f"{COOKIE}={value}; HttpOnly; SameSite=Strict{secure}{age}"
        return response

    def _is_secure(self, request: Request) -> bool:
        """Whether the browser speaks TLS: to this service, or to a proxy that says so."""
        if request.url.scheme == "https":
            return True
        peer = request.client
        is_proxy = peer is not None and self._addresses.trusts(peer.host)
        return is_proxy and request.headers.get("x-forwarded-proto") == "https"


def _seconds_left(access: Access) -> int | None:
    return None if access.expires_at is None else max(0, int(access.expires_at - time.time()))
