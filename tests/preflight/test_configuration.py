"""`check` and `init`, each in a process of its own."""

import re
import tomllib
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.preflight import catalog_for
from kvs_graphql.preflight.proposal import names_for
from kvs_graphql.settings import load_settings
from kvs_graphql.table_names import is_table_name
from tests.cli.test_read import ended
from tests.kafka.broker import KafkaBroker
from tests.registry.apicurio import Apicurio
from tests.registry.readers import record

pytestmark = pytest.mark.slow


def configured(directory: Path, servers: str, **tables: str) -> Path:
    """Write a configuration file with these lines of each table."""
    blocks = [f"[tables.{name}]\n{lines}\n" for name, lines in tables.items()]
    file = directory / "service.toml"
    file.write_text(f'bootstrap_servers = "{servers}"\ndatabase = "{directory}/tables"\n' + "\n".join(blocks))
    return file


async def test_check_finds_what_keeps_each_table_from_being_ready(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    good, missing = f'topic = "{embedded_topic}"', f'topic = "{embedded_topic}-missing"'
    file = configured(tmp_path, servers, orders=good, optional=f"{missing}\nrequired = false")
    found = await ended("check", KVS_CONFIG=str(file))
    assert found.code == 0, found.errors
    assert re.search(rf"orders +ok +topic '{embedded_topic}' can be read: 3 partitions, 0 offsets", found.output)
    assert re.search(r"optional +note +topic .* does not exist +create it", found.output)
    file = configured(tmp_path, servers, orders=good, others=missing)
    found = await ended("check", KVS_CONFIG=str(file))
    assert found.code == 1
    assert re.search(r"others +problem +topic .* does not exist", found.output)


async def test_check_names_brokers_that_cannot_be_reached() -> None:
    found = await ended("check", "--bootstrap-servers", "127.0.0.1:1", "--topic", "orders")
    assert found.code == 1
    assert re.search(r"problem +topic 'orders': 127\.0\.0\.1:1: connection refused", found.output)


async def test_check_of_wrong_settings_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    file = configured(tmp_path, "broker:9092", orders='topic = "two words"')
    found = await ended("check", KVS_CONFIG=str(file))
    assert (found.code, found.output) == (2, "")
    assert found.errors.startswith("kvs-graphql: tables.orders.topic=two words: must be a topic name")


@pytest.mark.kafka
async def test_check_on_kafka_tells_of_a_topic_that_is_not_compacted(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 2)
    file = configured(tmp_path, kafka_broker.bootstrap_servers, orders=f'topic = "{topic}"')
    found = await ended("check", KVS_CONFIG=str(file))
    assert found.code == 0, found.errors
    assert re.search(r"note +topic .* is not compacted: .* +set cleanup\.policy=compact", found.output)


async def test_init_writes_a_file_that_check_accepts_and_replaces_none(tmp_path: Path) -> None:
    file, topics = tmp_path / "service.toml", ("orders", "x" * 249)
    # A broker without the topics of other tests.
    async with EmbeddedBroker() as broker:
        # The first is one of Kafka's own.
        for topic in ("__consumer_offsets", *topics):
            broker.create_topic(topic, 3)
        servers = ("--bootstrap-servers", broker.bootstrap_servers)
        registry = 'http://registry:8081/a"b'
        assert (await ended("init", *servers, str(file), KVS_SCHEMA_REGISTRY__URL=registry)).code == 0
        assert tomllib.loads(file.read_text())["schema_registry"] == {"url": registry}
        assert "# The formats of topics are not complete: " in file.read_text()
        found = await ended("check", KVS_CONFIG=str(file), KVS_DATABASE=str(tmp_path / "kvs"))
        assert found.code == 0, found.errors
        assert re.findall(r" ok +topic '(.*)' can be read", found.output) == list(topics)
        again = await ended("init", *servers, str(file))
        assert (again.code, "File exists" in again.errors) == (2, True)


async def test_each_line_that_init_comments_out_is_a_setting(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = await catalog_for(load_settings(bootstrap_servers=embedded_broker.bootstrap_servers), set())
    file = tmp_path / "service.toml"
    file.write_text(re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE))
    monkeypatch.setenv("KVS_CONFIG", str(file))
    settings = load_settings()
    (table,) = [table for table in settings.catalog.values() if table.topic == embedded_topic]
    assert settings.schema_registry.url == "https://registry:8081"
    assert (table.key.format, table.value.format, table.writes, table.required) == ("long", "avro", True, False)
    assert (table.tombstones, table.unreadable) == ("empty", "skip")
    # Each has a comment of its own.
    assert len(re.findall(r"^# \w+ = .* # \w", text.partition(f'"{embedded_topic}"')[2], re.MULTILINE)) >= 6


@pytest.mark.kafka
async def test_init_writes_the_formats_that_the_registry_has_for_topics(tmp_path: Path, apicurio: Apicurio) -> None:
    # The last has the name of a type of the service.
    file, topics = tmp_path / "service.toml", [*(uuid4().hex for _ in range(3)), "status"]
    async with EmbeddedBroker() as broker:
        for topic in topics:
            broker.create_topic(topic, 1)
        apicurio.register(f"{topics[0]}-value", record("a"))
        apicurio.register(f"{topics[0]}-key", record("a"))
        apicurio.register(f"{topics[1]}-value", '{"type": "object", "properties": {}}', "JSON")
        apicurio.register(f"{topics[3]}-value", record("a"))
        flags = ("--bootstrap-servers", broker.bootstrap_servers, "--schema-registry-url", apicurio.url)
        assert (await ended("init", *flags, str(file))).code == 0
        tables = {table["topic"]: table for table in tomllib.loads(file.read_text())["tables"].values()}
        assert tables == {
            topics[0]: {"topic": topics[0], "key": "avro", "value": "avro"},
            topics[1]: {"topic": topics[1], "value": "json_schema"},
            topics[2]: {"topic": topics[2]},
            topics[3]: {"topic": topics[3], "value": "avro"},
        }
        found = await ended("check", KVS_CONFIG=str(file), KVS_DATABASE=str(tmp_path / "kvs"), COLUMNS="400")
        assert found.code == 0, found.errors
        assert found.output.count("version 1, id ") == 4


async def test_init_without_a_broker_writes_nothing(tmp_path: Path) -> None:
    found = await ended("init", "--bootstrap-servers", "127.0.0.1:1", str(tmp_path / "service.toml"))
    assert (found.code, found.errors.count("\n"), list(tmp_path.iterdir())) == (5, 1, [])
    assert "connection refused" in found.errors


@given(st.lists(st.from_regex(r"[A-Za-z0-9._-]{1,80}", fullmatch=True), unique=True, max_size=20))
def test_every_topic_gets_a_name_of_its_own(topics: list[str]) -> None:
    names = names_for(topics, set())
    assert all(map(is_table_name, names))
    assert len({name.lower() for name in names}) == len(topics)


def test_names_are_the_words_of_topics() -> None:
    topics = ["shop.orders.v1", "Customers", "2024", "shop_orders-v1", "any", "status"]
    assert names_for(topics, {"Status"}) == [
        "shopOrdersV1",
        "customers",
        "topic2024",
        "shopOrdersV12",
        "topicAny",
        "topicStatus",
    ]
