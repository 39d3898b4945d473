"""Whether the process lives, and whether it should get traffic."""

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from kvs_graphql.service import Service


class Health:
    """The probes of an orchestrator."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def alive(self, _: Request) -> Response:
        """200 while the event loop turns."""
        return PlainTextResponse("ok\n")

    async def ready(self, _: Request) -> Response:
        """200 once the table has caught up, even while Kafka is away; else 503. The body says what is going on."""
        readiness = self._service.readiness()
        body = orjson.dumps(
            {
                "ready": readiness.ready,
                "state": readiness.moment.state.value,
                "reason": readiness.moment.reason,
                "since": readiness.moment.since,
                "lag": readiness.lag,
            }
        )
        return Response(body, 200 if readiness.ready else 503, media_type="application/json")
