"""Whether the process lives, and whether it should get traffic."""

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from kvs_graphql.service import Catalog, Readiness


class Health:
    """The probes of an orchestrator."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def alive(self, _: Request) -> Response:
        """200 while the event loop turns."""
        return PlainTextResponse("ok\n")

    async def ready(self, _: Request) -> Response:
        """200 once all required tables have caught up, even while Kafka is away; else 503. The body says why."""
        readiness = self._catalog.readiness()
        shown = _shown(readiness.of_all)
        if "" not in readiness.tables:
            shown["tables"] = {name: _shown(one) for name, one in readiness.tables.items()}
        body = orjson.dumps(shown)
        return Response(body, 200 if readiness.ready else 503, media_type="application/json")


def _shown(readiness: Readiness) -> dict[str, object]:
    return {
        "ready": readiness.ready,
        "state": readiness.moment.state.value,
        "reason": readiness.moment.reason,
        "since": readiness.moment.since,
        "lag": readiness.lag,
    }
