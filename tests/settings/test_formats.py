"""The settings of the formats of keys and values, and what goes together."""

import sys
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.errors import BadSetting
from kvs_graphql.settings import FormatSettings, Settings, TableSettings, load_settings
from kvs_graphql.settings.formats import FORMAT_FIELDS

REGISTRY = {"url": "http://registry:8081"}


@pytest.fixture(autouse=True)
def schema_file(tmp_path: Path) -> None:
    (tmp_path / "order.avsc").write_text('"string"')


def table(has_registry: bool = True, **settings: Any) -> TableSettings:
    """The settings of the table `orders` with these, as the configuration file has them."""
    registry = REGISTRY if has_registry else {}
    tables: Any = {"orders": {"topic": "shop.orders", **settings}}
    return load_settings(tables=tables, schema_registry=registry).catalog["orders"]


def refusal(has_registry: bool = True, **settings: Any) -> str:
    with pytest.raises(BadSetting) as refused:
        table(has_registry, **settings)
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_keys_and_values_are_strings_unless_it_is_said() -> None:
    assert table(has_registry=False).key == table(has_registry=False).value == FormatSettings("string")


def test_schemas_are_in_the_subjects_that_serializers_use() -> None:
    found = table(key="long", value="avro")
    assert found.key == FormatSettings("long")
    assert found.value == FormatSettings("avro", subject="shop.orders-value")
    assert table(key="protobuf").key == FormatSettings("protobuf", subject="shop.orders-key")


def test_subject_version_and_message_may_be_chosen() -> None:
    found = table(
        key="json_schema", key_subject="k", key_version=1, value="protobuf", subject="v", version="2", message="a.B"
    )
    assert found.key == FormatSettings("json_schema", subject="k", version=1)
    assert found.value == FormatSettings("protobuf", subject="v", version=2, message="a.B")


def test_schema_of_a_file_needs_no_registry() -> None:
    found = table(has_registry=False, key="avro", key_schema="order.avsc", value="avro", schema="order.avsc")
    assert found.key == found.value == FormatSettings("avro", schema=Path("order.avsc"))


def test_variables_of_a_table_override_its_formats(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "kvs.toml").write_text('[tables.orders]\ntopic = "orders"\nvalue = "avro"\nschema = "none.avsc"\n')
    monkeypatch.setenv("KVS_TABLES__ORDERS__SCHEMA", "order.avsc")
    assert load_settings().catalog["orders"].value == FormatSettings("avro", schema=Path("order.avsc"))


def test_only_table_has_its_formats_from_settings_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KVS_KEY_FORMAT", "uuid")
    monkeypatch.setenv("KVS_VALUE_FORMAT", "avro")
    monkeypatch.setenv("KVS_VALUE_VERSION", "3")
    monkeypatch.setenv("KVS_ENVELOPE", "debezium")
    found = load_settings(topic="orders", schema_registry=REGISTRY).catalog[""]
    assert found.key == FormatSettings("uuid")
    assert found.value == FormatSettings("avro", subject="orders-value", version=3)
    assert found.envelope == "debezium"


@pytest.mark.parametrize("name", FORMAT_FIELDS)
def test_settings_of_the_only_table_are_refused_with_tables(name: str) -> None:
    default = Settings.model_fields[name].default
    value = default or ("debezium" if name == "envelope" else "1")
    tables: Any = {"orders": {"topic": "orders"}}
    with pytest.raises(BadSetting, match=f"^KVS_{name.upper()} is for a service of one topic"):
        load_settings(tables=tables, **{name: value})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"value": "avro "}, "tables.orders.value=avro : must be 'string', 'bytes', "),
        ({"version": "0", "value": "avro"}, "tables.orders.version=0: must be greater than or equal to 1"),
        ({"subject": "", "value": "avro"}, "tables.orders.subject=: must not be empty"),
        ({"envelope": "maxwell"}, "tables.orders.envelope=maxwell: must be 'debezium'"),
        ({"value_format": "avro"}, "tables.orders.value_format: there is no such setting; a table has topic, "),
        (
            {"schema": "order.avsc"},
            "tables.orders.schema is for avro, protobuf, json_schema: tables.orders.value=string has no schema",
        ),
        (
            {"value": "json", "subject": "s"},
            "tables.orders.subject is for avro, protobuf, json_schema: tables.orders.value=json has no schema",
        ),
        (
            {"key": "long", "key_version": 1},
            "tables.orders.key_version is for avro, protobuf, json_schema: tables.orders.key=long has no schema",
        ),
        ({"value": "avro", "message": "M"}, "tables.orders.message is for protobuf, not tables.orders.value=avro"),
        (
            {"value": "avro", "schema": "order.avsc", "subject": "s"},
            "tables.orders.schema and tables.orders.subject must not be set together: ",
        ),
        (
            {"value": "avro", "schema": "order.avsc", "version": 1},
            "tables.orders.schema and tables.orders.version must not be set together: ",
        ),
        ({"value": "avro", "schema": "none.avsc"}, "tables.orders.schema=none.avsc: no such file"),
        (
            {"value": "string", "envelope": "debezium"},
            "tables.orders.envelope=debezium needs tables.orders.value json or avro, not string",
        ),
        (
            {"value": "protobuf", "envelope": "debezium"},
            "tables.orders.envelope=debezium needs tables.orders.value json or avro, not protobuf",
        ),
    ],
)
def test_formats_that_do_not_go_together_are_one_line(settings: dict[str, Any], message: str) -> None:
    assert refusal(**settings).startswith(message)


@pytest.mark.parametrize("part", ["key", "value"])
def test_format_with_a_schema_needs_a_file_or_a_registry(part: str) -> None:
    schema = "key_schema" if part == "key" else "schema"
    message = refusal(has_registry=False, **{part: "avro"})
    assert message == f"tables.orders.{part}=avro needs tables.orders.{schema}, or KVS_SCHEMA_REGISTRY__URL"


def test_only_table_is_refused_by_the_names_of_its_variables() -> None:
    with pytest.raises(BadSetting) as refused:
        load_settings(value_format="protobuf", key_message="M")
    assert str(refused.value) == (
        "KVS_KEY_MESSAGE is for avro, protobuf, json_schema: KVS_KEY_FORMAT=string has no schema; "
        "KVS_VALUE_FORMAT=protobuf needs KVS_VALUE_SCHEMA, or KVS_SCHEMA_REGISTRY__URL"
    )


@pytest.mark.parametrize(
    ("form", "library"), [("avro", "fastavro"), ("protobuf", "grpc_tools"), ("json_schema", "jsonschema_rs")]
)
def test_missing_library_is_one_line_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, form: str, library: str
) -> None:
    assert table(value=form).value.format == form
    monkeypatch.setitem(sys.modules, library, None)
    assert refusal(value=form) == (
        f"tables.orders.value={form} needs libraries that are missing: install kvs-graphql[schemas]"
    )
    assert table(value="json").value.format == "json"
