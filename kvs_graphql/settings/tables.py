"""The settings of one table of a catalog, and the names that tables may have."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kvs_graphql.settings.formats import WITH_SCHEMA, Envelope, Format, FormatSettings, SchemaVersion, problems_of
from kvs_graphql.settings.names import variable
from kvs_graphql.table_names import RESERVED_TABLE_NAMES, TABLE_NAME_CHARACTERS_MAX, has_form

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")

Tombstones = Literal["delete", "empty"]
Unreadable = Literal["stop", "skip"]


def check_topic(value: str) -> str:
    """Return the name of a topic. Raises: ValueError: Kafka allows no such name."""
    if not _TOPIC.fullmatch(value) or value in {".", ".."}:
        raise ValueError("must be a topic name: 1 to 249 letters, digits, '.', '_' or '-'")
    return value


Topic = Annotated[str, AfterValidator(check_topic)]


class TableSettings(BaseModel):
    """The settings of one table; None where that of the whole service holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    topic: Topic = Field(description="Kafka topic to serve.")
    writes: bool = Field(default=False, description="Whether the table has mutations.")
    required: bool = Field(default=True, description="Whether the service is ready only while the table is.")
    tombstones: Tombstones | None = Field(default=None, description="As KVS_TOMBSTONES, for this table.")
    unreadable: Unreadable | None = Field(default=None, description="As KVS_UNREADABLE, for this table.")
    key_format: Format = Field("string", alias="key", description="As KVS_KEY_FORMAT.")
    key_schema: Path | None = Field(None, description="As KVS_KEY_SCHEMA.")
    key_subject: str | None = Field(None, min_length=1, description="As KVS_KEY_SUBJECT.")
    key_version: SchemaVersion | None = Field(None, description="As KVS_KEY_VERSION.")
    key_message: str | None = Field(None, min_length=1, description="As KVS_KEY_MESSAGE.")
    value_format: Format = Field("string", alias="value", description="As KVS_VALUE_FORMAT.")
    value_schema: Path | None = Field(None, alias="schema", description="As KVS_VALUE_SCHEMA.")
    value_subject: str | None = Field(None, alias="subject", min_length=1, description="As KVS_VALUE_SUBJECT.")
    value_version: SchemaVersion | None = Field(None, alias="version", description="As KVS_VALUE_VERSION.")
    value_message: str | None = Field(None, alias="message", min_length=1, description="As KVS_VALUE_MESSAGE.")
    envelope: Envelope | None = Field(None, description="As KVS_ENVELOPE.")

    @property
    def key(self) -> FormatSettings:
        """The format of keys."""
        return self._format("key", self.key_format)

    @property
    def value(self) -> FormatSettings:
        """The format of values."""
        return self._format("value", self.value_format)

    def _format(self, part: str, name: Format) -> FormatSettings:
        schema: Path | None = getattr(self, f"{part}_schema")
        subject: str | None = getattr(self, f"{part}_subject")
        if subject is None and schema is None and name in WITH_SCHEMA:
            # As Kafka's serializers name it by default.
            subject = f"{self.topic}-{part}"
        version, message = getattr(self, f"{part}_version"), getattr(self, f"{part}_message")
        return FormatSettings(name, schema, subject, version, message)


def alias_of(name: str) -> str:
    """Return what a field of `TableSettings` is called in the configuration file."""
    return TableSettings.model_fields[name].alias or name


def check_formats(tables: Mapping[str, TableSettings], *, has_registry: bool) -> None:
    """Check what goes together in the formats of tables. Raises: ValueError: Something does not."""
    problems = list[str]()
    for table, own in tables.items():

        def named(name: str, table: str = table) -> str:
            return f"tables.{table}.{alias_of(name)}" if table else variable(name)

        problems += problems_of(own.key, own.value, own.envelope, has_registry, named)
    if problems:
        raise ValueError("; ".join(problems))


def check_names(names: Iterable[str]) -> None:
    """Check the names of tables. Raises: ValueError: One is not allowed, or two differ in case only."""
    seen: dict[str, str] = {}
    for name in names:
        if not has_form(name):
            raise ValueError(
                f"tables.{name}: a table's name must be camelCase: a small letter, then up to "
                f"{TABLE_NAME_CHARACTERS_MAX - 1} letters and digits"
            )
        if name in RESERVED_TABLE_NAMES:
            raise ValueError(f"tables.{name}: the name is taken by the types that all tables have in common")
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise ValueError(f"tables.{name}: the name differs from tables.{other} in case only")
