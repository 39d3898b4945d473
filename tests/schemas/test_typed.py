"""Tables with schemas from a registry: written by independent serializers, read and written through GraphQL."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.registry.apicurio import Apicurio
from tests.schemas.shop import COUNTED, FIELDS, Shop, opened, order

pytestmark = pytest.mark.kafka


@pytest.fixture
async def shop(
    embedded_broker: EmbeddedBroker, embedded_topic: str, apicurio: Apicurio, tmp_path: Path
) -> AsyncIterator[Shop]:
    """A table of orders with two fields, in whose topic nothing is yet."""
    apicurio.register(f"{embedded_topic}-value", order(FIELDS))
    async with opened(embedded_broker, embedded_topic, apicurio, tmp_path) as shop:
        yield shop


async def test_a_value_of_another_serializer_is_read_by_the_fields_of_its_schema(shop: Shop) -> None:
    await shop.generation(1)
    await shop.write("a", {"id": "a", "amount": 2**60}, order(FIELDS))
    assert await shop.value("a") == {"id_": "a", "amount": str(2**60)}


async def test_a_value_written_by_a_mutation_is_read_by_another_deserializer(shop: Shop) -> None:
    await shop.generation(1)
    shown = "entry { data { id_ amount } value(encoding: HEX) }"
    document = f'mutation {{ ordersSet(key: "m", data: {{id_: "m", amount: "-5"}}) {{ {shown} }} }}'
    entry = (await shop.served.data(document))["ordersSet"]["entry"]
    assert entry["data"] == {"id_": "m", "amount": "-5"}
    assert shop.read(bytes.fromhex(entry["value"])) == {"id": "m", "amount": -5}


async def test_a_value_that_does_not_fit_is_refused_with_its_path(shop: Shop, apicurio: Apicurio) -> None:
    apicurio.register(f"{shop.topic}-value", order(COUNTED))
    await shop.generation(2)
    document = 'mutation { ordersSet(key: "m", data: {id_: "m", amount: 1, count: null}) { key } }'
    (error,) = (await shop.served.query(document))["errors"]
    assert (error["extensions"]["code"], "data.count" in error["message"]) == ("BAD_INPUT", True)


async def test_a_new_version_is_served_without_a_restart(shop: Shop, apicurio: Apicurio) -> None:
    await shop.generation(1)
    await shop.write("a", {"id": "a", "amount": 1}, order(FIELDS))
    apicurio.register(f"{shop.topic}-value", order(COUNTED))
    await shop.generation(2)
    await shop.write("b", {"id": "b", "amount": 2, "count": 7}, order(COUNTED))
    assert [await shop.value(key, "id_ count") for key in "ab"] == [{"id_": "a", "count": 1}, {"id_": "b", "count": 7}]
    schema = (await shop.served.http.get("/schema.graphql")).text
    assert "  count: Int!\n" in schema


async def test_values_that_cannot_be_decoded_say_why_and_harm_no_neighbour(shop: Shop) -> None:
    await shop.generation(1)
    await shop.write("good", {"id": "good", "amount": 1}, order(FIELDS))
    for key, value in (("text", b"plain"), ("unknown", b"\0\x7f\xff\xff\xff\x02a"), ("cut", b"\0")):
        await shop.put(key, value)
    document = '{ ordersValues(keys: ["good", "text", "unknown", "cut"]) { data { id_ } value(encoding: HEX) } }'
    answer = await shop.served.query(document)
    found = answer["data"]["ordersValues"]
    assert [one["data"] for one in found] == [{"id_": "good"}, None, None, None]
    assert [one["value"] for one in found[1:]] == [b"plain".hex(), "007fffffff0261", "00"]
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"UNDECODABLE"}
    assert [error["extensions"]["schemaId"] for error in answer["errors"]] == [None, 2**31 - 1, None]


async def test_reads_and_a_restart_need_no_registry(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    apicurio = Apicurio(tmp_path_factory.mktemp("registry"))
    apicurio.start()
    try:
        apicurio.register(f"{embedded_topic}-value", order(FIELDS))
        async with opened(embedded_broker, embedded_topic, apicurio, tmp_path) as shop:
            await shop.generation(1)
            await shop.write("a", {"id": "a", "amount": 1}, order(FIELDS))
            assert await shop.value("a") == {"id_": "a", "amount": "1"}
            apicurio.kill()
            assert await shop.value("a") == {"id_": "a", "amount": "1"}
        async with opened(embedded_broker, embedded_topic, apicurio, tmp_path) as shop:
            assert await shop.value("a") == {"id_": "a", "amount": "1"}
            assert (await shop.until(lambda found: found["problem"] is not None))["version"] == 1
    finally:
        apicurio.close()


async def test_without_registry_and_kept_schemas_the_table_is_read_as_text_and_not_ready(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    apicurio = Apicurio(tmp_path_factory.mktemp("registry"))
    try:
        async with opened(embedded_broker, embedded_topic, apicurio, tmp_path) as shop:
            await shop.put("a", b"raw")
            answer = await shop.served.data('{ ordersValue(key: "a") { value } }')
            assert answer == {"ordersValue": {"value": "raw"}}
            table = await shop.schema()
            assert (table["ready"], "the schema of values" in table["reason"]) == (False, True)
            response = await shop.served.http.get("/readyz")
            assert (response.status_code, "orders" in response.json()["tables"]) == (503, True)
            apicurio.start()
            apicurio.register(f"{shop.topic}-value", order(FIELDS))
            await shop.generation(1)
            await shop.write("b", {"id": "b", "amount": 1}, order(FIELDS))
            assert await shop.value("b") == {"id_": "b", "amount": "1"}
            assert (await shop.schema())["ready"]
    finally:
        apicurio.close()
