"""Limits of a room, from the settings of the same names."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar, cast

from kvs_graphql.settings.settings import Settings

Made = TypeVar("Made")


def from_settings(make: Callable[..., Made], settings: Settings, **others: Any) -> Made:
    """Make a dataclass whose fields are the settings of their names; `others` are the fields that differ."""
    names = [field.name for field in fields(cast("Any", make)) if field.name not in others]
    return make(**{name: getattr(settings, name) for name in names}, **others)
