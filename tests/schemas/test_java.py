"""Typed tables beside Java's own clients and serializers, on a real broker and a real registry."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.kafka.broker import KafkaBroker
from tests.kafka.fixtures import require
from tests.kafka.jars import java_compiler
from tests.registry.apicurio import Apicurio
from tests.registry.java.clients import Read, Written, avro, protobuf, read_topics, serializer_jars, write_keys
from tests.serving import serving_tables
from tests.tables.served import until_ready

pytestmark = pytest.mark.kafka

PARTITIONS = 12
AVRO_KEY = json.dumps(
    {
        "type": "record",
        "name": "Key",
        "fields": [
            {"name": "shop", "type": "string"},
            {"name": "number", "type": "long"},
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["NEW", "OLD"]}},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "note", "type": ["null", "string"]},
        ],
    }
)
PROTOBUF_KEY = """
syntax = "proto3"; import "google/protobuf/timestamp.proto";
message Key { string shop = 1; sint64 number = 2; Kind kind = 3; google.protobuf.Timestamp at = 4; }
enum Kind { NEW = 0; OLD = 1; }
"""


def literal(value: Any) -> str:
    """A value as a literal of GraphQL; NEW and OLD are of an enumeration."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {literal(part)}" for name, part in value.items()) + "}"
    return value if value in ("NEW", "OLD") else json.dumps(value, ensure_ascii=False)


def in_avro_json(key: dict[str, Any]) -> str:
    """A key in Avro's own JSON, which names the branch of a union."""
    note = key["note"] and {"string": key["note"]}
    return json.dumps({**key, "number": int(key["number"]), "at": 1_500, "note": note})


MOMENT = "1970-01-01T00:00:01.500Z"
RECORDS: list[dict[str, Any]] = [
    {"shop": shop, "number": str(number), "kind": kind, "at": MOMENT}
    for shop, number, kind in (("a", 0, "NEW"), ("Zoë ключ", -1, "OLD"), ("", 2**63 - 1, "OLD"), ("b" * 200, 7, "NEW"))
]
NUMBERS = [0, -1, 1, 7, 2**31 - 1, -(2**31)]
KEYS: dict[str, list[tuple[str, str]]] = {
    "int": [(str(number), str(number)) for number in NUMBERS],
    "long": [(str(number), f'"{number}"') for number in (*NUMBERS, 2**63 - 1, -(2**63))],
    "uuid": [(text, f'"{text}"') for text in (str(UUID(int=number << 96 | 5)) for number in NUMBERS[2:5])],
    "avro": [
        (in_avro_json(one), literal(one))
        for one in [*({**one, "note": None} for one in RECORDS), {**RECORDS[0], "note": "é"}]
    ],
    "protobuf": [(json.dumps(one), literal(one)) for one in RECORDS],
}
"""By format: each key as Java's side takes it, and as an argument."""


@pytest.fixture(autouse=True)
def _java() -> None:
    require(serializer_jars, java_compiler)


async def test_typed_keys_have_the_bytes_and_partitions_of_javas_producer_and_are_read_by_its_consumer(
    kafka_broker: KafkaBroker, apicurio: Apicurio, tmp_path: Path
) -> None:
    topics = {form: f"keys-{form}-{uuid4().hex}" for form in KEYS}
    for topic in topics.values():
        kafka_broker.create_topic(topic, PARTITIONS)
    apicurio.register(f"{topics['avro']}-key", AVRO_KEY)
    by_protobuf = apicurio.register(f"{topics['protobuf']}-key", PROTOBUF_KEY, "PROTOBUF")
    formats = {form: form for form in KEYS} | {"avro": avro(AVRO_KEY), "protobuf": protobuf(by_protobuf, PROTOBUF_KEY)}
    asked = [(topics[form], formats[form], key) for form, keys in KEYS.items() for key, _ in keys]
    javas = await asyncio.to_thread(write_keys, kafka_broker, apicurio, asked)
    tables = {f"of{form}": {"topic": topic, "key": form, "writes": True} for form, topic in topics.items()}
    registry = {"url": apicurio.url, "poll_seconds": 0.05}
    ours = list[Written]()
    async with serving_tables(kafka_broker.bootstrap_servers, tables, tmp_path, schema_registry=registry) as served:
        await until_ready(served)
        for form, keys in KEYS.items():
            for _, argument in keys:
                field = f"of{form}Value(key: {argument}) {{ value }}"
                assert await served.data(f"{{ {field} }}") == {f"of{form}Value": {"value": "java"}}
                field = f'of{form}Set(key: {argument}, value: "here") {{ key(encoding: HEX) partition }}'
                (written,) = (await served.data(f"mutation {{ {field} }}")).values()
                ours.append(Written(bytes.fromhex(written["key"]), written["partition"]))
    assert ours == javas
    assert len({one.partition for one in ours}) > PARTITIONS // 2
    read = [(topics[form], formats[form], "string") for form in KEYS]
    for form, records in zip(KEYS, await asyncio.to_thread(read_topics, kafka_broker, apicurio, read), strict=True):
        found = Counter((one.partition, one.key) for one in records)
        assert (len(found), set(found.values())) == (len(KEYS[form]), {2})
        assert {one.value for one in records} == {"java", "here"}


VALUES: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "avro": (
        "AVRO",
        json.dumps(
            {
                "type": "record",
                "name": "Order",
                "fields": [
                    {"name": "id", "type": "string"},
                    {"name": "amount", "type": "long"},
                    {"name": "tags", "type": {"type": "map", "values": "int"}},
                    {"name": "note", "type": ["null", "string"], "default": None},
                    {"name": "count", "type": "int", "default": 3},
                ],
            }
        ),
        '{id_: "é", amount: "9007199254740993", tags: [{key: "a", value: 1}]}',
        {"id": "é", "amount": 2**53 + 1, "tags": {"a": 1}, "note": None, "count": 3},
    ),
    "protobuf": (
        "PROTOBUF",
        """
        syntax = "proto3";
        message Order {
          string id = 1; uint64 amount = 2; map<string, int32> tags = 3; oneof by { string card = 4; int32 bank = 5; }
        }
        """,
        '{id_: "é", amount: "18446744073709551615", tags: [{key: "a", value: 1}], by: {bank: 7}}',
        {"id": "é", "amount": str(2**64 - 1), "tags": {"a": 1}, "bank": 7},
    ),
    "json_schema": (
        "JSON",
        json.dumps(
            {
                "type": "object",
                "properties": {"id": {"type": "string"}, "amount": {"type": "integer"}},
                "required": ["id"],
                "additionalProperties": False,
            }
        ),
        '{id_: "é", amount: "9007199254740993"}',
        {"id": "é", "amount": 2**53 + 1},
    ),
}
"""By format: its name in the registry, the schema, the argument, and the value that is read."""


async def test_typed_values_that_a_mutation_writes_are_read_by_javas_consumer(
    kafka_broker: KafkaBroker, apicurio: Apicurio, tmp_path: Path
) -> None:
    topics = {form: f"values-{form}-{uuid4().hex}" for form in VALUES}
    formats = {"json_schema": "json_schema", "avro": avro(VALUES["avro"][1])}
    for form, (kind, text, *_) in VALUES.items():
        kafka_broker.create_topic(topics[form])
        schema_id = apicurio.register(f"{topics[form]}-value", text, kind)
        if form == "protobuf":
            formats[form] = protobuf(schema_id, text)
    names = {"avro": "avros", "protobuf": "messages", "json_schema": "documents"}
    tables = {names[form]: {"topic": topic, "value": form, "writes": True} for form, topic in topics.items()}
    registry = {"url": apicurio.url, "poll_seconds": 0.05}
    async with serving_tables(kafka_broker.bootstrap_servers, tables, tmp_path, schema_registry=registry) as served:
        await until_ready(served)
        for form, (*_, argument, _) in VALUES.items():
            await served.data(f'mutation {{ {names[form]}Set(key: "k", data: {argument}) {{ key }} }}')
    asked = [(topics[form], "string", formats[form]) for form in VALUES]
    found = await asyncio.to_thread(read_topics, kafka_broker, apicurio, asked)
    for records, (*_, expected) in zip(found, VALUES.values(), strict=True):
        assert records == [Read(0, "k", records[0].value)]
        assert json.loads(records[0].value) == expected
