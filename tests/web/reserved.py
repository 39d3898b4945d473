"""Event streams that are reserved, and what is asked for on them."""

from collections.abc import AsyncIterator

from httpx_sse import ServerSentEvent

from kvs_graphql.web.single_connection import STREAM_TOKEN
from tests.serving import Served
from tests.transports import StreamLink

TOKEN = STREAM_TOKEN.decode()
EVENTS = "text/event-stream"
QUERY = {"query": '{ value(key: "a") { value } }'}
LIVE_QUERY = {"query": 'subscription { value(key: "a") { value } }'}
VALUE = {"value": {"value": "1"}}


async def reserve(served: Served, **headers: str) -> str:
    reserved = await served.http.put("/graphql", headers=headers)
    assert reserved.status_code == 201
    return reserved.text


async def live(link: StreamLink, identity: str) -> None:
    """Start a live query with that id, and return once it has its first result."""
    assert (await link.post(identity, LIVE_QUERY)).status_code == 202
    assert await link.event() == ("next", {"id": identity, "payload": {"data": VALUE}})


async def nothing() -> AsyncIterator[ServerSentEvent]:
    """The events of a stream that is not open."""
    none: tuple[ServerSentEvent, ...] = ()
    for event in none:
        yield event
