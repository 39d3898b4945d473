"""Null, absent and empty: each member of a request on each transport, and each message of graphql-transport-ws."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.serving import Served, serving_topic
from tests.transports import MULTIPART_ACCEPT, open_socket, open_stream, receive, send
from tests.web.posting import JSON
from tests.web.reserved import TOKEN

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENTS = "text/event-stream"
WAYS = {"POST": JSON, "SSE": EVENTS, "multipart": MULTIPART_ACCEPT, "GET": JSON, "SSE by GET": EVENTS}
CLOSED = 4400
FINE = "answered"
NONE = "BAD_INPUT"
"""Of requests without a document, and of those that are none."""
UNKNOWN_HASH = "PERSISTED_QUERY_NOT_SUPPORTED"
NAMED = {"query": "query Q { __typename }"}
# What a request has as well as the query, or instead of it, and what comes of it.
WITH_QUERY: list[tuple[dict[str, Any], str]] = [
    ({}, FINE),
    *(({member: None}, FINE) for member in ("variables", "operationName", "extensions", "documentId", "unknown")),
    *(({member: {}}, FINE) for member in ("variables", "extensions", "unknown")),
    ({"operationName": "Q"}, FINE),
    ({"documentId": ""}, FINE),
    ({"extensions": {"persistedQuery": None}}, FINE),
    ({"extensions": {"persistedQuery": {}}}, FINE),
    ({"operationName": "Other"}, NONE),
    *(({member: 5}, NONE) for member in ("query", "variables", "operationName", "extensions")),
    *(({member: []}, NONE) for member in ("query", "variables", "operationName", "extensions")),
    ({"query": {}}, NONE),
    ({"operationName": {}}, NONE),
]
WITHOUT_QUERY: list[tuple[dict[str, Any], str]] = [
    ({}, NONE),
    ({"query": None}, NONE),
    ({"query": ""}, NONE),
    ({"documentId": None}, NONE),
    ({"documentId": 5}, NONE),
    ({"documentId": "unknown"}, UNKNOWN_HASH),
    ({"query": None, "documentId": "unknown"}, UNKNOWN_HASH),
    ({"query": "", "documentId": "unknown"}, UNKNOWN_HASH),
    ({"extensions": None}, NONE),
    ({"extensions": {}}, NONE),
    ({"extensions": {"persistedQuery": None}}, NONE),
    ({"extensions": {"persistedQuery": {}}}, UNKNOWN_HASH),
    *(({"extensions": {"persistedQuery": one}}, UNKNOWN_HASH) for one in ("", 5)),
    *(({"extensions": {"persistedQuery": {"sha256Hash": one}}}, UNKNOWN_HASH) for one in (None, "", 5, "ab" * 32)),
]
# Empty texts: in an address they are as good as none.
EMPTY: list[tuple[dict[str, Any], str, str]] = [
    ({"variables": ""}, NONE, FINE),
    ({"extensions": ""}, NONE, FINE),
    ({"operationName": ""}, NONE, FINE),
]
CASES = [
    *((NAMED | members, outcome, outcome) for members, outcome in WITH_QUERY),
    *((members, outcome, outcome) for members, outcome in WITHOUT_QUERY),
    *((NAMED | members, outcome, by_get) for members, outcome, by_get in EMPTY),
    ({"documentId": ""}, UNKNOWN_HASH, NONE),
]
IDS = [orjson.dumps(members).decode() for members, _, _ in CASES]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serving_topic(embedded_broker, tmp_path_factory.mktemp("members")) as topic:
        yield topic.served


def address(members: dict[str, Any]) -> str:
    """The members as parameters: texts as they are, all others as JSON."""
    return urlencode(
        {name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in members.items()}
    )


async def answer_of(socket: ClientConnection) -> dict[str, Any] | int:
    """The next message, or the code with which the socket is closed."""
    try:
        return await receive(socket)
    except ConnectionClosed as closed:
        return 0 if closed.rcvd is None else closed.rcvd.code


def outcome(text: str) -> str:
    """What has come of a request."""
    if '"code":' not in text:
        assert '"__typename":"Query"' in text
        return FINE
    return text.partition('"code":"')[2].partition('"')[0]


# In an address all is text: these are no others, and null is the text "null".
NOT_BY_GET = ("query", "operationName", "documentId")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("members", "expected", "by_get"), CASES, ids=IDS)
async def test_member_of_a_request_may_be_null_absent_or_empty_where_it_may_be_left_out(
    served: Served, way: str, members: dict[str, Any], expected: str, by_get: str
) -> None:
    headers = {"accept": WAYS[way], "content-type": JSON}
    if "GET" not in way:
        answer = await served.http.post("/graphql", content=orjson.dumps(members), headers=headers)
        assert outcome(answer.text) == expected
    elif all(isinstance(members.get(name, ""), str) for name in NOT_BY_GET):
        answer = await served.http.get(f"/graphql?{address(members)}", headers=headers)
        assert outcome(answer.text) == by_get


@pytest.mark.parametrize(("members", "expected", "_"), CASES, ids=IDS)
async def test_members_mean_the_same_on_a_shared_event_stream(
    served: Served, members: dict[str, Any], expected: str, _: str
) -> None:
    extensions = members.get("extensions")
    if isinstance(extensions, dict | None):
        members = members | {"extensions": (extensions or {}) | {"operationId": "1"}}
    async with open_stream(served) as link:
        headers = {"content-type": JSON, TOKEN: link.token}
        answer = await served.http.post("/graphql", content=orjson.dumps(members), headers=headers)
        if answer.status_code != 202:
            assert (answer.status_code, outcome(answer.text), expected) == (400, NONE, NONE)
            return
        _, data = await link.event()
        assert outcome(orjson.dumps(data).decode()) == expected


@pytest.mark.parametrize(("members", "expected", "_"), CASES, ids=IDS)
async def test_members_mean_the_same_in_a_subscribe_message(
    served: Served, members: dict[str, Any], expected: str, _: str
) -> None:
    """A message without a valid request breaks the protocol there."""
    async with open_socket(served) as socket:
        await send(socket, type="subscribe", id="1", payload=members)
        message = await answer_of(socket)
    assert expected == NONE if message == CLOSED else outcome(orjson.dumps(message).decode()) == expected


ABSENT = "<absent>"
"""Stands for a member that is left out."""
Values = tuple[object, ...]
OBJECTS: Values = (ABSENT, None, {})
NO_OBJECTS: Values = ("", "text", [], 0, False)
TEXTS: Values = ("", "x")
NO_TEXTS: Values = (ABSENT, None, {}, [], 0)
QUERY = {"query": "{ __typename }"}
PONG, COMPLETE = {"type": "pong"}, {"type": "complete", "id": "x"}
# A message, one of its members, the values that it may have, and others.
MESSAGES: list[tuple[dict[str, Any], str, Values, Values]] = [
    ({"type": "connection_init"}, "payload", OBJECTS, NO_OBJECTS),
    ({"type": "ping"}, "payload", OBJECTS, NO_OBJECTS),
    (PONG, "payload", OBJECTS, NO_OBJECTS),
    (COMPLETE, "id", TEXTS, NO_TEXTS),
    (COMPLETE, "payload", OBJECTS, NO_OBJECTS),
    ({"type": "subscribe", "id": "x", "payload": QUERY}, "id", TEXTS, NO_TEXTS),
    ({"type": "subscribe", "id": "x", "payload": QUERY}, "payload", (QUERY,), (ABSENT, None, {}, *NO_OBJECTS)),
    ({"type": "ping"}, "type", ("ping",), (ABSENT, None, "", {}, [], 0)),
]
CELLS = [
    pytest.param(message, member, value, closes, id=f"{message['type']}-{member}-{value!r}-{closes}")
    for message, member, fine, others in MESSAGES
    for values, closes in ((fine, False), (others, True))
    for value in values
]


@pytest.mark.parametrize(("message", "member", "value", "closes"), CELLS)
async def test_member_of_a_message_may_be_null_absent_or_empty_where_it_may_be_left_out(
    served: Served, message: dict[str, Any], member: str, value: object, closes: bool
) -> None:
    changed = {**message, member: value}
    sent = {name: one for name, one in changed.items() if one is not ABSENT}
    async with open_socket(served, init=message["type"] != "connection_init") as socket:
        await socket.send(orjson.dumps(sent).decode())
        await send(socket, type="ping")
        while isinstance(answer := await answer_of(socket), dict) and answer["type"] != "pong":
            pass
    assert answer == (CLOSED if closes else {"type": "pong"})
