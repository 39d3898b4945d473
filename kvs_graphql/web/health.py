"""Whether the process lives, and whether it should get traffic."""

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from kvs_graphql.access import Verb
from kvs_graphql.errors import Unauthenticated
from kvs_graphql.service import Catalog, Readiness
from kvs_graphql.web.authentication import Gate


class Health:
    """The probes of an orchestrator."""

    def __init__(self, catalog: Catalog, gate: Gate | None = None) -> None:
        self._catalog = catalog
        self._gate = gate

    async def alive(self, _: Request) -> Response:
        """200 while the event loop turns."""
        return PlainTextResponse("ok\n")

    async def ready(self, request: Request) -> Response:
        """200 once all required tables have caught up, even while Kafka is away; else 503. The body says why.

        Who may not see the status learns only whether it is: probes of an orchestrator have no token.
        """
        readiness = self._catalog.readiness()
        if self._gate is not None and not await self._may_see(self._gate, request):
            body = orjson.dumps({"ready": readiness.ready})
            return Response(body, 200 if readiness.ready else 503, media_type="application/json")
        shown = _shown(readiness.of_all)
        if "" not in readiness.tables:
            shown["tables"] = {name: _shown(one) for name, one in readiness.tables.items()}
        body = orjson.dumps(shown)
        return Response(body, 200 if readiness.ready else 503, media_type="application/json")

    async def _may_see(self, gate: Gate, request: Request) -> bool:
        """Whether the client may see the status of all tables."""
        try:
            access = await gate.access(request.scope)
        except Unauthenticated:
            return False
        return access.allows_all(Verb.STATUS, self._catalog.tables)


def _shown(readiness: Readiness) -> dict[str, object]:
    return {
        "ready": readiness.ready,
        "state": readiness.moment.state.value,
        "reason": readiness.moment.reason,
        "since": readiness.moment.since,
        "lag": readiness.lag,
    }
