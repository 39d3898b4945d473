"""A registry that fails, and values that are not what their schemas say: what a table does, and tells."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.registry.apicurio import Apicurio
from tests.registry.front import Behaviour, Front, answering, drip, front_of, hang, sending
from tests.schemas.shop import COUNTED, FIELDS, opened, order
from tests.serving import produce, serving_tables

pytestmark = pytest.mark.kafka

FAILURES: dict[str, Behaviour] = {
    "401": answering(401, {"error_code": 40101}),
    "404 of another service": answering(404, b"<html>"),
    "404 of a registry": answering(404, {"error_code": 40403}),
    "500": answering(500),
    "garbage": answering(200, b"\xff<html>"),
    "other JSON": answering(200, {"id": "one", "schema": 5}),
    "10 MB": answering(200, {"schema": order(FIELDS) + " " * 10_000_000, "id": 5}),
    "closed": sending(b""),
    "hangs": hang,
    "drips": drip,
}
GOOD = {"id": "good", "amount": 1}
SHOWN = {"id_": "good", "amount": "1"}


@pytest.fixture
async def front(apicurio: Apicurio) -> AsyncIterator[Front]:
    """What the service takes for its registry."""
    async with front_of(apicurio.url) as front:
        yield front


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_registry_that_fails_at_the_start_and_later_harms_only_values_whose_schemas_it_does_not_give(
    embedded_broker: EmbeddedBroker,
    embedded_topic: str,
    tmp_path: Path,
    apicurio: Apicurio,
    front: Front,
    failure: str,
) -> None:
    apicurio.register(f"{embedded_topic}-value", order(FIELDS))
    front.behave(FAILURES[failure])
    async with (
        asyncio.timeout(SECONDS_MAX),
        opened(embedded_broker, embedded_topic, apicurio, tmp_path, front) as shop,
    ):
        await shop.write("good", GOOD, order(FIELDS))
        assert not (await shop.schema())["ready"]
        assert (await shop.until(lambda found: found["problem"] is not None))["version"] is None
        assert (await shop.served.data('{ ordersValue(key: "good") { size } }'))["ordersValue"]["size"] > 5

        front.behave()
        await shop.generation(1)
        assert (await shop.value("good"), (await shop.schema())["ready"]) == (SHOWN, True)

        later = await shop.encoded(f"{embedded_topic}-elsewhere", order(COUNTED), {**GOOD, "id": "later", "count": 2})
        front.behave(FAILURES[failure])
        await shop.put("later", later)
        await shop.until(lambda found: found["problem"] is not None)
        assert (await shop.value("good"), (await shop.schema())["ready"]) == (SHOWN, True)
        document = '{ ordersValues(keys: ["good", "later"]) { data { id_ amount } value(encoding: HEX) } }'
        answer = await shop.served.query(document)
        assert [one["data"] for one in answer["data"]["ordersValues"]] == [SHOWN, None]
        assert answer["data"]["ordersValues"][1]["value"] == later.hex()
        (error,) = answer["errors"]
        assert (error["extensions"]["code"], error["extensions"]["schemaId"]) == (
            "UNDECODABLE",
            int.from_bytes(later[1:5]),
        )

        front.behave()
        await shop.until(lambda found: found["problem"] is None)
        while "errors" in (answer := await shop.answer("later")):
            assert answer["data"]["ordersValue"]["data"] is None
        assert answer["data"]["ordersValue"]["data"] == {"id_": "later", "amount": "1"}


async def test_a_schema_that_the_registry_did_not_give_is_loaded_before_anyone_reads(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, apicurio: Apicurio, front: Front
) -> None:
    apicurio.register(f"{embedded_topic}-value", order(FIELDS))
    async with (
        asyncio.timeout(SECONDS_MAX),
        opened(embedded_broker, embedded_topic, apicurio, tmp_path, front) as shop,
    ):
        await shop.generation(1)
        later = await shop.encoded(f"{embedded_topic}-elsewhere", order(COUNTED), {**GOOD, "count": 2})

        async def asked() -> None:
            """Return once the registry was asked for that schema."""
            path = f"/schemas/ids/{int.from_bytes(later[1:5])}"
            while all(request.path != path for request in front.requests):
                await front.seen(len(front.requests) + 1)

        # Which is asked once, and not again in a moment.
        front.behave(answering(401))
        await shop.put("later", later)
        await asked()
        front.requests.clear()
        front.behave()
        await asked()
        # Answers to earlier questions stay as they were.
        front.behave(answering(500))
        while "errors" in (answer := await shop.answer("later")):
            pass
        assert answer["data"]["ordersValue"]["data"] == SHOWN


async def test_values_of_another_subject_or_cut_short_say_why_and_harm_no_neighbour(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, apicurio: Apicurio
) -> None:
    apicurio.register(f"{embedded_topic}-value", order(FIELDS))
    async with opened(embedded_broker, embedded_topic, apicurio, tmp_path) as shop:
        await shop.generation(1)
        good = await shop.encoded(embedded_topic, order(FIELDS), GOOD)
        customer = order([{"name": "name", "type": "string"}]).replace("Order", "Customer")
        foreign = await shop.encoded(f"{embedded_topic}-customers", customer, {"name": "Ann"})
        for key, value in (("first", good), ("foreign", foreign), ("cut", good[:-1]), ("more", good + b"\0")):
            await shop.put(key, value)
        document = '{ ordersValues(keys: ["first", "foreign", "cut", "more"]) { data { id_ amount } } }'
        answer = await shop.served.query(document)
        await shop.put("last", good)
        assert await shop.value("last") == SHOWN
    assert [one["data"] for one in answer["data"]["ordersValues"]] == [SHOWN, None, None, None]
    errors = [error["extensions"] for error in answer["errors"]]
    assert [(one["code"], one["schemaId"]) for one in errors] == [
        ("UNDECODABLE", int.from_bytes(value[1:5])) for value in (foreign, good, good)
    ]
    reasons = [error["message"] for error in answer["errors"]]
    for words, reason in zip(("cannot be read", "ends too early", "bytes are left"), reasons, strict=True):
        assert words in reason


async def test_bytes_that_begin_like_a_frame_are_plain_bytes_in_a_table_without_a_schema(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, front: Front
) -> None:
    servers, raw = embedded_broker.bootstrap_servers, {"text": b"\0\0\0\0\7abc", "bytes": b"\0\0\0\0\7\xff"}
    tables: dict[str, Any] = {"notes": {"topic": embedded_topic, "writes": True}}
    async with serving_tables(servers, tables, tmp_path, schema_registry={"url": front.url}) as served:
        await served.state(State.LIVE, "notes")
        await served.applied(
            await produce(servers, embedded_topic, *((key.encode(), raw[key]) for key in raw)), "notes"
        )
        answer = await served.query('{ notesValues(keys: ["text", "bytes"]) { value hex: value(encoding: HEX) json } }')
        written = await served.data(
            'mutation { notesSet(key: "set", value: "\\u0000\\u0000\\u0000\\u0000\\u0007abc") { key } }'
        )
        assert written == {"notesSet": {"key": "set"}}
        assert await served.code('{ notesValue(key: "text") { data } }') == "GRAPHQL_VALIDATION_FAILED"
    assert answer["data"]["notesValues"] == [
        {"value": "\0\0\0\0\7abc", "hex": raw["text"].hex(), "json": None},
        {"value": None, "hex": raw["bytes"].hex(), "json": None},
    ]
    codes = [(error["path"][1:], error["extensions"]["code"]) for error in answer["errors"]]
    assert sorted(codes) == [([0, "json"], "NOT_JSON"), ([1, "json"], "NOT_JSON"), ([1, "value"], "NOT_UTF8")]
    assert front.requests == []
