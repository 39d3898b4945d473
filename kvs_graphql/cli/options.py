"""The settings as command-line flags and as a table, both generated from their declarations."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kvs_graphql.settings import Settings, variable

_WITHOUT_FLAG = frozenset({"tables", "grants"})
"""Their parts are set in the configuration file, or by variables."""
_SECTION_MARK = "__"
"""Between a section of the configuration file and a setting in it, in names of variables and flags."""


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One line of the table of settings."""

    name: str
    variable: str
    default: str
    description: str


def settings_table() -> Iterator[SettingLine]:
    """Yield all settings in the order of their declaration; those of parts of `Settings` come last."""
    for name, field in _fields():
        choices = f" One of {', '.join(_choices(field))}." if _choices(field) else ""
        yield SettingLine(name, variable(name), _default(field), f"{field.description}{choices}")


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add a flag for every setting but the tables to a command; it receives only the flags that were used."""

    def with_used_flags(**flags: Any) -> Any:
        return command(**_in_sections({name: value for name, value in flags.items() if value is not None}))

    with_used_flags.__doc__ = command.__doc__
    with_used_flags.__name__ = command.__name__
    decorated: Callable[..., Any] = with_used_flags
    for line in reversed([line for line in settings_table() if line.name not in _WITHOUT_FLAG]):
        flag = f"--{line.name.replace(_SECTION_MARK, '-').replace('_', '-')}"
        is_bool = line.default in ("true", "false")
        names = f"{flag}/--no-{flag.removeprefix('--')}" if is_bool else flag
        help_text = f"{line.description} [{line.variable}; {line.default}]"
        decorated = click.option(names, line.name, default=None, metavar=None if is_bool else "VALUE", help=help_text)(
            decorated
        )
    return decorated


def _fields() -> Iterator[tuple[str, FieldInfo]]:
    """The settings by name, those of the service first; of a section, each of its settings."""
    for name, field in sorted(Settings.model_fields.items(), key=lambda item: item[0] not in Settings.__annotations__):
        if isinstance(field.default, BaseModel):
            section = type(field.default).model_fields
            yield from ((f"{name}{_SECTION_MARK}{part}", one) for part, one in section.items())
        else:
            yield name, field


def _in_sections(flags: dict[str, Any]) -> dict[str, Any]:
    """The settings of flags, as the configuration file has them."""
    found = dict[str, Any]()
    for name, value in flags.items():
        section, mark, setting = name.partition(_SECTION_MARK)
        if mark:
            found.setdefault(section, {})[setting] = value
        else:
            found[name] = value
    return found


def _choices(field: FieldInfo) -> tuple[str, ...]:
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def _default(field: FieldInfo) -> str:
    if field.default in (None, (), "", {}):
        return "unset"
    if isinstance(field.default, bool):
        return str(field.default).lower()
    if isinstance(field.default, tuple):
        return ",".join(field.default)
    return str(field.default)
