"""The configuration file: whatever is wrong in it is one line, and each of its values may come from a variable."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.errors import BadSetting
from kvs_graphql.settings import Settings, TableSettings, load_settings
from kvs_graphql.settings.grants import GrantSettings
from kvs_graphql.settings.registry import RegistrySettings

BASE = 'schema_registry.url = "http://registry:8081"\n[tables.orders]\ntopic = "shop.orders"\n'
# What else the table has, the name of a value, its text, and what it becomes.
VALUES: list[tuple[str, str, str, Any]] = [
    ("", "topic", "other", "other"),
    ("", "writes", "true", True),
    ("", "required", "false", False),
    ("", "tombstones", "empty", "empty"),
    ("", "unreadable", "skip", "skip"),
    ("", "key", "long", "long"),
    ('key = "avro"', "key_schema", "order.avsc", Path("order.avsc")),
    ('key = "avro"', "key_subject", "a-subject", "a-subject"),
    ('key = "avro"', "key_version", "2", 2),
    ('key = "protobuf"', "key_message", "shop.Order", "shop.Order"),
    ("", "value", "json", "json"),
    ('value = "avro"', "schema", "order.avsc", Path("order.avsc")),
    ('value = "avro"', "subject", "a-subject", "a-subject"),
    ('value = "avro"', "version", "2", 2),
    ('value = "protobuf"', "message", "shop.Order", "shop.Order"),
    ('value = "json"', "envelope", "debezium", "debezium"),
]


@pytest.mark.parametrize("place", ["variables", ".env"])
@pytest.mark.parametrize(("others", "name", "text", "value"), VALUES)
def test_each_value_of_a_table_may_come_from_the_environment(
    others: str, name: str, text: str, value: Any, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("order.avsc").touch()
    Path("kvs.toml").write_text(BASE + others)
    field = next(field for field, info in TableSettings.model_fields.items() if name in (field, info.alias))
    assert getattr(load_settings().catalog["orders"], field) != value
    variable = f"KVS_TABLES__ORDERS__{name.upper()}"
    if place == ".env":
        Path(".env").write_text(f"{variable}={text}\n")
    else:
        monkeypatch.setenv(variable, text)
    assert getattr(load_settings().catalog["orders"], field) == value


def test_settings_of_the_service_hold_for_tables_without_their_own() -> None:
    Path("kvs.toml").write_text(
        'tombstones = "empty"\nunreadable = "skip"\n[tables.a]\ntopic = "a"\n'
        '[tables.b]\ntopic = "b"\ntombstones = "delete"\nunreadable = "stop"\n'
    )
    found = {name: (table.tombstones, table.unreadable) for name, table in load_settings().catalog.items()}
    assert found == {"a": ("empty", "skip"), "b": ("delete", "stop")}


def test_variables_of_one_table_are_merged_however_they_spell_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("kvs.toml").write_text('[tables.orderItems]\ntopic = "t"\n')
    monkeypatch.setenv(
        "KVS_TABLES", '{"orderItems": {"topic": "other", "writes": false}, "ORDERITEMS": {"value": "json"}}'
    )
    monkeypatch.setenv("KVS_TABLES__ORDERITEMS__WRITES", "true")
    table = load_settings().catalog["orderItems"]
    assert (table.topic, table.writes, table.value.format) == ("other", True, "json")


def test_each_value_of_a_table_is_tried() -> None:
    assert [info.alias or name for name, info in TableSettings.model_fields.items()] == [name for _, name, *_ in VALUES]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[tables."a\\nb"]\ntopic = "t"', "tables.a\\nb: a table's name must be camelCase"),
        (
            '[tables.orders]\ntopic = "t"\n"x\\u2028y" = 1',
            "tables.orders.x\\u2028y: there is no such setting; a table has topic, writes, ",
        ),
        ('[tables.orders]\ntopic = "a\\r\\nb"', "tables.orders.topic=a\\r\\nb: must be a topic name"),
        ('port = "1\\u001b[2J"', "KVS_PORT=1\\x1b[2J: must be a whole number"),
        ('[tables.orders]\ntopic = "t"\nwrites = "maybe"', "tables.orders.writes=maybe: must be true or false"),
        ('[tables.orders]\ntopic = "t"\nrequired = 7', "tables.orders.required=7: must be true or false"),
        (
            '[tables.orders]\ntopic = "t"\ntombstones = "keep"',
            "tables.orders.tombstones=keep: must be 'delete' or 'empty'",
        ),
        ('[tables.orders]\ntopic = "t"\nunreadable = ""', "tables.orders.unreadable=: must be 'stop' or 'skip'"),
        ("[tables.orders]\ntopic = 5", "tables.orders.topic=5: must be text"),
        ('[schema_registry]\nurls = "x"', "KVS_SCHEMA_REGISTRY__URLS: there is no such setting"),
        ("topic = " + "[" * 5_000 + "]" * 5_000, "kvs.toml is nested too deeply"),
    ],
)
def test_whatever_is_wrong_is_one_printable_line_that_says_what_is_allowed(text: str, reason: str) -> None:
    Path("kvs.toml").write_text(text)
    with pytest.raises(BadSetting) as refused:
        load_settings()
    assert str(refused.value).startswith(reason)
    assert str(refused.value).isprintable()


# What each section of the file needs, and all keys that it may have.
SECTIONS: dict[str, tuple[dict[str, str], list[str]]] = {
    "": ({}, list(Settings.model_fields)),
    "[tables.orders]": (
        {"topic": '"t"'},
        [info.alias or name for name, info in TableSettings.model_fields.items()],
    ),
    "[[grants]]": ({"to": '["*"]', "verbs": '["read"]'}, list(GrantSettings.model_fields)),
    "[schema_registry]": ({}, list(RegistrySettings.model_fields)),
}


@pytest.mark.parametrize(
    ("section", "name"), [(section, name) for section in SECTIONS for name in SECTIONS[section][1]]
)
def test_value_of_another_type_is_one_line_that_names_its_key_in_plain_words(
    section: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if section == "[[grants]]":
        monkeypatch.setenv("KVS_TOKENS", f"ann:{'0' * 64}")
    refused = 0
    for value in ("1.5", "[[7]]", "{ a = 7 }"):
        lines = SECTIONS[section][0] | {name: value}
        Path("kvs.toml").write_text("\n".join([section, *(f"{key} = {text}" for key, text in lines.items())]))
        try:
            load_settings()
        except BadSetting as error:
            refused += 1
            message = str(error)
        else:
            continue
        assert message.isprintable()
        assert name in message.lower()
        assert not re.search(r"\b(Input|valid|instance|class|tuple|dictionary|boolean|integer)\b", message)
    assert refused >= 2


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Path.mkdir, "kvs.toml: Is a directory"),
        (lambda path: path.symlink_to("missing.toml"), "kvs.toml: No such file or directory"),
        (lambda path: path.write_bytes(b"# \xfc"), "kvs.toml is not TOML: 'utf-8' codec can't decode"),
    ],
    ids=["a directory", "a link to nothing", "not UTF-8"],
)
def test_configuration_file_that_cannot_be_read_is_not_passed_over(make: Callable[[Path], object], reason: str) -> None:
    make(Path("kvs.toml"))
    with pytest.raises(BadSetting) as refused:
        load_settings()
    assert str(refused.value).startswith(reason)


def test_all_mistakes_of_all_tables_are_told_at_once() -> None:
    Path("kvs.toml").write_text('[tables.a]\ntopic = "a b"\n[tables.b]\nwrites = "no way"\n')
    with pytest.raises(BadSetting) as refused:
        load_settings()
    assert [told.partition(":")[0] for told in str(refused.value).split("; ")] == [
        "tables.a.topic=a b",
        "tables.b.topic",
        "tables.b.writes=no way",
    ]
