"""What `check` finds about schemas, in files and in a real registry."""

import re
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.cli.test_read import Ended, ended
from tests.preflight.test_configuration import configured
from tests.registry.apicurio import Apicurio
from tests.registry.front import answering, front_of
from tests.registry.readers import record
from tests.schemas.test_colliding_names import LINE
from tests.schemas.test_colliding_names import record as order

pytestmark = pytest.mark.slow


class Checker:
    """Runs `check` for one table of a topic that is there, with a registry if there is a URL."""

    def __init__(self, broker: EmbeddedBroker, topic: str, directory: Path) -> None:
        self._servers = broker.bootstrap_servers
        self._topic = topic
        self._directory = directory

    async def check(self, url: str | None = None, **settings: Any) -> Ended:
        lines = [f'topic = "{self._topic}"', *(f"{name} = {_toml(value)}" for name, value in settings.items())]
        file = configured(self._directory, self._servers, orders="\n".join(lines))
        flags = () if url is None else ("--schema-registry-url", url)
        return await ended("check", *flags, KVS_CONFIG=str(file), COLUMNS="400")


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | int) else f'"{value}"'


@pytest.fixture
def checker(embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path) -> Checker:
    return Checker(embedded_broker, embedded_topic, tmp_path)


@pytest.mark.kafka
async def test_check_names_the_version_that_is_served_and_why_newer_ones_are_not(
    checker: Checker, apicurio: Apicurio, subject: str
) -> None:
    apicurio.register(subject, record("a"))
    second = apicurio.register(subject, record("a", b=0))
    apicurio.register(subject, record("c"))
    found = await checker.check(apicurio.url, value="avro", subject=subject)
    assert (found.code, found.errors) == (0, "")
    about = f"the schema of values, subject '{subject}'"
    assert re.search(rf"ok +{about}: version 2, id {second}, is served", found.output)
    assert re.search(rf"note +{about}: version 3 is not served: it cannot read version 2: .+ pin one", found.output)
    found = await checker.check(apicurio.url, value="avro", subject=subject, version=3)
    assert re.search(rf"ok +{about}: version 3, id [0-9]+, is served", found.output)


@pytest.mark.kafka
async def test_check_names_a_subject_that_is_not_there_or_of_another_format(
    checker: Checker, apicurio: Apicurio, subject: str
) -> None:
    found = await checker.check(apicurio.url, value="avro", subject=subject)
    assert found.code == 1
    assert re.search(
        rf"problem +the schema of values, .*: the schema registry has no subject '{subject}'", found.output
    )
    found = await checker.check(apicurio.url, value="avro", subject=subject, required=False)
    assert found.code == 0
    apicurio.register(subject, '{"type": "object", "properties": {}}', "JSON")
    found = await checker.check(apicurio.url, key="avro", key_subject=subject)
    assert found.code == 1
    assert re.search(r"problem +the schema of keys, .*: no version of subject .* can be served", found.output)
    assert "version 1 is not served: it is a schema of the format json_schema, not avro" in found.output


async def test_check_names_a_registry_that_gives_nothing(checker: Checker) -> None:
    async with front_of() as front:
        for behaviour, words in [(answering(401), "refuses access: HTTP 401"), (answering(503), "answered HTTP 503")]:
            front.behave(behaviour)
            found = await checker.check(front.url, value="avro")
            assert (found.code, found.errors) == (1, "")
            assert f"the schema registry at {front.url} {words}" in found.output


async def test_check_reads_schemas_in_files(checker: Checker, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.avsc", tmp_path / "bad.avsc"
    good.write_text(record("a"))
    bad.write_text("{")
    found = await checker.check(key="avro", key_schema=good, value="avro", schema=bad)
    assert (found.code, found.errors) == (1, "")
    assert re.search(rf"ok +the schema of keys, {good}, can be used", found.output)
    assert re.search(rf"problem +the schema of values, {bad}: .+ mend the file", found.output)
    bad.write_bytes(b"\xff")
    assert "is not UTF-8" in (await checker.check(value="avro", schema=bad)).output


async def test_check_refuses_names_that_collide_as_the_start_does(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    with_lines, plain = tmp_path / "lines.avsc", tmp_path / "plain.avsc"
    with_lines.write_text(order("a", lines=LINE))
    plain.write_text(order("a"))
    lines = f'topic = "{embedded_topic}"\nvalue = "avro"\nrequired = false\nschema = '
    tables = {"orders": f'{lines}"{with_lines}"', "ordersLine": f'{lines}"{plain}"'}
    file = configured(tmp_path, embedded_broker.bootstrap_servers, **tables)
    checked = await ended("check", KVS_CONFIG=str(file), COLUMNS="400")
    started = await ended("serve", "--port", "0", KVS_CONFIG=str(file))
    reason = (
        "tables: the type OrdersLine of table 'ordersLine' is also one of table 'orders': give a table another name"
    )
    assert (checked.code, checked.errors) == (1, "")
    assert re.search(rf"problem +{reason}", checked.output)
    assert started.code == 2
    assert reason in started.errors


@pytest.mark.kafka
async def test_check_names_the_version_that_could_not_be_served_beside_other_tables(
    embedded_broker: EmbeddedBroker, embedded_topic: str, apicurio: Apicurio, subject: str, tmp_path: Path
) -> None:
    apicurio.register(f"{subject}-orders", order("a", lines=LINE))
    apicurio.register(f"{subject}-line", order("a"))
    lines = f'topic = "{embedded_topic}"\nvalue = "avro"\nsubject = "{subject}'
    tables = {"orders": f'{lines}-orders"', "ordersLine": f'{lines}-line"'}
    file = configured(tmp_path, embedded_broker.bootstrap_servers, **tables)
    found = await ended("check", "--schema-registry-url", apicurio.url, KVS_CONFIG=str(file), COLUMNS="400")
    assert (found.code, found.errors) == (1, "")
    assert re.search(r"orders +ok +.*version 1, id [0-9]+, is served", found.output)
    assert re.search(r"ordersLine +problem +.*version 1, id [0-9]+, cannot be served: .*OrdersLine", found.output)


async def test_check_refuses_the_schema_of_what_is_no_envelope(checker: Checker, tmp_path: Path) -> None:
    schema = tmp_path / "row.avsc"
    schema.write_text(record("a"))
    assert (await checker.check(value="avro", schema=schema)).code == 0
    found = await checker.check(value="avro", schema=schema, envelope="debezium")
    assert (found.code, found.errors) == (1, "")
    assert re.search(rf"problem +the schema of values, {schema}: ", found.output)
