"""Where a request carries its token: in its header, a WebSocket also in `connection_init`, an EventSource in a cookie.

Never in a URL, which logs and histories keep.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from kvs_graphql.access import Access
from kvs_graphql.auth import Authenticator
from kvs_graphql.errors import Unauthenticated
from kvs_graphql.executor import Executor
from kvs_graphql.web.fields import fields_of
from kvs_graphql.web.negotiation import accept_of, takes_event_stream_only
from kvs_graphql.web.origins import Origins
from kvs_graphql.web.responses import refusal_response
from kvs_graphql.web.schemas import Schemas

COOKIE = "kvs_token"
ACCESS = "kvs_graphql.access"
"""Who asks, in the scope of a request."""

AUTHORIZATION = b"authorization"
_BEARER = "bearer"
_MALFORMED = "The Authorization header must be one, and of the form: Bearer token."
_NOT_BY_COOKIE = (
    "A cookie authenticates only event streams that a page of this service's own or an allowed origin asks for."
)
_TWO_PRINCIPALS = "The Authorization header and `connection_init` have tokens of two principals."
_SEVERAL_COOKIES = f"There are several cookies {COOKIE}: one of them may be set by another host of this domain."

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Gate:
    """Finds the token of a request, and with it who asks."""

    authenticator: Authenticator
    schemas: Schemas
    origins: Origins

    @property
    def executor(self) -> Executor:
        """That of the whole schema, for refusals."""
        return self.schemas.whole

    async def access(self, scope: Scope) -> Access:
        """Who asks, by the header.

        Raises:
            Unauthenticated: The header has no valid token, or there is none and one is needed.
        """
        header = fields_of(scope).get(AUTHORIZATION)
        if header is None:
            return await self.authenticator.access(None)
        # As it was sent, it is found again without being looked into.
        return await self.authenticator.access(_of_header(header.decode("latin-1")), header)

    async def access_by_get(self, scope: Scope) -> Access:
        """Who asks by GET: for an event stream, also by the cookie.

        Browsers send cookies whichever page asks. So it counts only where the page is known, and where the answer is
        an event stream whatever is asked for.
        """
        token = bearer_token(scope)
        is_stream = token is None and takes_event_stream_only(accept_of(fields_of(scope)))
        if is_stream and (cookie := _cookie(scope)) is not None:
            if not self.origins.prove_own(scope):
                raise Unauthenticated(_NOT_BY_COOKIE)
            token = cookie
        return await self.authenticator.access(token)

    async def access_by_init(self, payload: dict[str, Any] | None, known: Access | None) -> Access:
        """Who opens a WebSocket, by the payload of `connection_init`; `known` by its header, where that had a token.

        Raises:
            Unauthenticated: There is no valid token, or there are two, which are not of one principal.
        """
        token = _token_in(payload or {})
        if known is not None and token is None:
            return known
        access = await self.authenticator.access(token)
        if known is not None and known.identity != access.identity:
            raise Unauthenticated(_TWO_PRINCIPALS)
        return access

    def refuse(self, scope: Scope, error: Unauthenticated) -> Response:
        """The answer to a request whose sender is not known."""
        accept = accept_of(fields_of(scope))
        shown = has_authorization(scope)
        challenge = 'Bearer realm="kvs-graphql"' + (', error="invalid_token"' if shown else "")
        return refusal_response(self.executor, accept, error, 401, {"WWW-Authenticate": challenge})

    def guarded(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, for those who are known; the scope tells it who they are."""

        async def guard(request: Request) -> Response:
            try:
                request.scope[ACCESS] = await self.access(request.scope)
            except Unauthenticated as error:
                return self.refuse(request.scope, error)
            return await endpoint(request)

        return guard


def bearer_token(scope: Scope) -> str | None:
    """The token in the Authorization header; None where there is no such header.

    Raises:
        Unauthenticated: There are several, or it has another form.
    """
    header = fields_of(scope).get(AUTHORIZATION)
    return None if header is None else _of_header(header.decode("latin-1"))


def _token_in(payload: dict[str, Any]) -> str | None:
    """The token in a payload: as `authorization`, in any case, also below `headers`, as clients send it.

    Raises:
        Unauthenticated: There are several, or it has another form.
    """
    headers = payload.get("headers")
    members = [*payload.items(), *(headers.items() if isinstance(headers, dict) else ())]
    found = [value for name, value in members if name.lower() == "authorization"]
    if not found:
        return None
    value, *others = found
    return _of_header(value) if isinstance(value, str) and not others else _malformed()


def _of_header(value: str) -> str:
    scheme, _, token = value.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != _BEARER or not token or " " in token:
        _malformed()
    return token


def _malformed() -> str:
    raise Unauthenticated(_MALFORMED)


def _cookie(scope: Scope) -> str | None:
    """The token in the cookie; None where there is no such cookie.

    Split only, since `http.cookies` stops at the first cookie of others that it does not understand.

    Raises:
        Unauthenticated: There are several, and whoever set one could choose who the others are taken for.
    """
    headers = b";".join(value for name, value in scope["headers"] if name == b"cookie")
    pairs = [pair.partition("=") for pair in headers.decode("latin-1").split(";")]
    found = {value.strip() for name, equals, value in pairs if equals and name.strip() == COOKIE}
    if len(found) > 1:
        raise Unauthenticated(_SEVERAL_COOKIES)
    return found.pop() if found else None


def has_authorization(scope: Scope) -> bool:
    """Whether a request has an Authorization header, of whatever form."""
    return AUTHORIZATION in fields_of(scope)
