"""GraphQL over HTTP, for those who are known."""

from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

from kvs_graphql.access import Access
from kvs_graphql.errors import Unauthenticated
from kvs_graphql.executor import Executor
from kvs_graphql.web.authentication import ACCESS, Gate
from kvs_graphql.web.http import GraphQLOverHttp


class GatedHttp:
    """An ASGI application: finds out who asks, before anything of a body is read."""

    def __init__(self, gate: Gate, make: Callable[[Executor], GraphQLOverHttp]) -> None:
        """`make` makes what serves the operations of an executor."""
        self._gate = gate
        self._make = make
        self._whole = make(gate.executor)
        self._latest = gate.executor, self._whole

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        access = self._gate.remembered(scope)
        if access is None:
            return self._verify(scope, receive, send)
        # Not awaited here: each coroutine around a request would cost it a hundredth.
        return self._http_of(access, scope)(scope, receive, send)

    async def _verify(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate, http = self._gate, self._whole
        try:
            access = await (gate.access_by_get(scope) if scope["method"] == "GET" else gate.access(scope))
        except Unauthenticated as error:
            if not http.is_for_all(scope):
                await gate.refuse(scope, error)(scope, receive, send)
                return
        else:
            http = self._http_of(access, scope)
        await http(scope, receive, send)

    def _http_of(self, access: Access, scope: Scope) -> GraphQLOverHttp:
        """What serves a principal, who is then named in the scope."""
        scope[ACCESS] = access
        executor = self._gate.schemas.of(access)
        latest, http = self._latest
        if latest is not executor:
            http = self._make(executor)
            self._latest = executor, http
        return http
