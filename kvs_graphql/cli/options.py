"""The settings as flags and as a table, made from their declarations: they cannot drift apart."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from kvs_graphql.settings import Settings, variable


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One setting, for people."""

    name: str
    variable: str
    default: str
    description: str


def settings_table() -> Iterator[SettingLine]:
    """Every setting, in the order of its declaration."""
    for name, field in Settings.model_fields.items():
        choices = f" One of {', '.join(_choices(field))}." if _choices(field) else ""
        yield SettingLine(name, variable(name), _default(field), f"{field.description}{choices}")


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a flag for every setting; it gets those that were used."""

    def with_flags_used(**flags: Any) -> Any:
        return command(**{name: value for name, value in flags.items() if value is not None})

    with_flags_used.__doc__ = command.__doc__
    with_flags_used.__name__ = command.__name__
    decorated: Callable[..., Any] = with_flags_used
    for line in reversed(list(settings_table())):
        flag = f"--{line.name.replace('_', '-')}"
        is_bool = Settings.model_fields[line.name].annotation is bool
        names = f"{flag}/--no-{line.name.replace('_', '-')}" if is_bool else flag
        help_text = f"{line.description} [{line.variable}; {line.default}]"
        decorated = click.option(names, line.name, default=None, metavar=None if is_bool else "VALUE", help=help_text)(
            decorated
        )
    return decorated


def _choices(field: FieldInfo) -> tuple[str, ...]:
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def _default(field: FieldInfo) -> str:
    if field.default in (None, ()):
        return "unset"
    if isinstance(field.default, bool):
        return str(field.default).lower()
    if isinstance(field.default, tuple):
        return ",".join(field.default)
    return str(field.default)
