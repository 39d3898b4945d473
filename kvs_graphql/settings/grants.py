"""The settings of one grant."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kvs_graphql.access import ANY_TABLE

_KEYS_WITH_PREFIXES = frozenset({"string", "bytes"})
_TO = re.compile(r"\*|anonymous|(token|sub|group):.+")
_PREFIX = re.compile(r"(?:[^{}]|\{[^{}]+\}(?=[^A-Za-z0-9{}]))*[^A-Za-z0-9{}]")


def _check_to(value: str) -> str:
    if not _TO.fullmatch(value):
        raise ValueError("must be token:NAME, sub:SUBJECT, group:NAME, * or anonymous")
    return value


def _check_prefix(value: str) -> str:
    """Refuse what would grant more than it seems to: `orders/1` is a prefix of `orders/10`."""
    if not _PREFIX.fullmatch(value):
        raise ValueError("must end in a separator such as /, and have one behind each {claim}")
    return value


class GrantSettings(BaseModel):
    """Who may do what with which keys of which tables."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    to: tuple[Annotated[str, AfterValidator(_check_to)], ...] = Field(
        min_length=1, description="token:NAME, sub:SUBJECT, group:NAME, * for all who are known, or anonymous."
    )
    verbs: tuple[Literal["read", "write", "status"], ...] = Field(min_length=1, description="What they may do.")
    tables: tuple[str, ...] = Field(default=("*",), min_length=1, description="Names of tables; * for all.")
    prefixes: tuple[Annotated[str, AfterValidator(_check_prefix)], ...] = Field(
        default=(), description="Prefixes of keys, with {claim} for the value of a claim; all keys if unset."
    )


def check_grants(grants: Iterable[GrantSettings], key_formats: Mapping[str, str]) -> None:
    """Check grants against the tables that there are, of which `key_formats` has the formats of keys.

    Raises:
        ValueError: There is no such table, or its keys have no prefixes.
    """
    for grant in grants:
        for table in grant.tables:
            if table != ANY_TABLE and table not in key_formats:
                raise ValueError(f"grants: there is no table {table!r}; * is for all")
        named = key_formats if ANY_TABLE in grant.tables else grant.tables
        for name in named if grant.prefixes else ():
            if key_formats[name] not in _KEYS_WITH_PREFIXES:
                raise ValueError(f"grants: keys of the table {name!r} are {key_formats[name]}, which have no prefixes")
