"""The settings of one table of a catalog, and the names that tables may have."""

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

TABLE_NAME_CHARACTERS_MAX = 64

_NAME = re.compile(rf"[a-z][A-Za-z0-9]{{0,{TABLE_NAME_CHARACTERS_MAX - 1}}}")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_RESERVED = frozenset({"any"})
"""Its types would have the names of the interfaces that the types of all tables implement."""

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


def is_table_name(name: str) -> bool:
    """Whether a table may have that name."""
    return _NAME.fullmatch(name) is not None and name not in _RESERVED


def check_names(names: Iterable[str]) -> None:
    """Check the names of tables. Raises: ValueError: One is not allowed, or two differ in case only."""
    seen: dict[str, str] = {}
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"tables.{name}: a table's name must be camelCase: a small letter, then up to "
                f"{TABLE_NAME_CHARACTERS_MAX - 1} letters and digits"
            )
        if name in _RESERVED:
            raise ValueError(f"tables.{name}: the name is taken by the types that all tables have in common")
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise ValueError(f"tables.{name}: the name differs from tables.{other} in case only")
