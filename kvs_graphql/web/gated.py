"""GraphQL over HTTP, for those who are known."""

from starlette.types import Receive, Scope, Send

from kvs_graphql.errors import Unauthenticated
from kvs_graphql.web.authentication import ACCESS, Gate
from kvs_graphql.web.http import GraphQLOverHttp


class GatedHttp:
    """An ASGI application: finds out who asks, before anything of a body is read."""

    def __init__(self, gate: Gate, http: GraphQLOverHttp) -> None:
        self._gate = gate
        self._http = http

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate = self._gate
        try:
            scope[ACCESS] = await (gate.access_by_get(scope) if scope["method"] == "GET" else gate.access(scope))
        except Unauthenticated as error:
            if not self._http.is_page(scope):
                await gate.refuse(scope, error)(scope, receive, send)
                return
        await self._http(scope, receive, send)
