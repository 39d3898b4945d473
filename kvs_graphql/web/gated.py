"""GraphQL over HTTP, for those who are known."""

from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

from kvs_graphql.access import Access, Grants
from kvs_graphql.errors import Unauthenticated
from kvs_graphql.executor import Executor
from kvs_graphql.web.authentication import ACCESS, AUTHORIZATION, Gate
from kvs_graphql.web.fields import fields_of
from kvs_graphql.web.http import GraphQLOverHttp


class GatedHttp:
    """An ASGI application: finds out who asks, before anything of a body is read."""

    def __init__(self, gate: Gate, make: Callable[[Executor], GraphQLOverHttp]) -> None:
        """`make` makes what serves the operations of an executor."""
        self._gate = gate
        self._make = make
        self._whole = make(gate.executor)
        self._remembered = gate.authenticator.remembered
        self._latest: tuple[Grants | None, Executor, GraphQLOverHttp] = None, gate.executor, self._whole

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        header = fields_of(scope).get(AUTHORIZATION)
        access = None if header is None else self._remembered(header)
        if access is None:
            return self._verify(scope, receive, send)
        scope[ACCESS] = access
        grants, _, http = self._latest
        if grants is not access.grants:
            http = self._http_of(access)
        # Not awaited here: each coroutine around a request would cost it a hundredth.
        return http(scope, receive, send)

    async def _verify(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate, http = self._gate, self._whole
        try:
            access = await (gate.access_by_get(scope) if scope["method"] == "GET" else gate.access(scope))
        except Unauthenticated as error:
            if not http.is_for_all(scope):
                await gate.refuse(scope, error)(scope, receive, send)
                return
        else:
            scope[ACCESS] = access
            http = self._http_of(access)
        await http(scope, receive, send)

    def _http_of(self, access: Access) -> GraphQLOverHttp:
        """What serves a principal."""
        _, latest, http = self._latest
        executor = self._gate.schemas.of(access)
        # Many who may read different keys share one schema.
        if executor is not latest:
            http = self._make(executor)
        self._latest = access.grants, executor, http
        return http
