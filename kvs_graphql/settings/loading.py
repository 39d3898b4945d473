"""Settings of this process, or the one line that says which of them is wrong."""

import re
from json import JSONDecodeError
from typing import Any

from pydantic import ValidationError

from kvs_graphql.errors import BadSetting
from kvs_graphql.printable import printable
from kvs_graphql.settings.names import variable
from kvs_graphql.settings.registry import REGISTRY_SECRETS
from kvs_graphql.settings.settings import SECRETS, Settings
from kvs_graphql.settings.tables import TableSettings, alias_of

# Plain words for pydantic's types of errors; its own message says the rest well enough.
_ALLOWED = {
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
    "string_too_short": "must not be empty",
    "missing": "must be set",
    "extra_forbidden": "there is no such setting",
}


_TABLE_SETTINGS = ", ".join(map(alias_of, TableSettings.model_fields))
_HIDDEN = {*SECRETS, *REGISTRY_SECRETS, "kafka_oauth_token_url"}


def load_settings(**flags: Any) -> Settings:
    """Load the settings of this process; `flags` win over all other sources.

    Raises:
        BadSetting: A value is not allowed. The message is one line that names the variable and says what is allowed.
    """
    try:
        return Settings(**flags)
    except ValidationError as error:
        raise BadSetting(printable("; ".join(_describe(dict(detail)) for detail in error.errors()))) from None
    except ValueError as error:
        raise BadSetting(printable(_describe_source(error))) from None


def _describe_source(error: ValueError) -> str:
    """What is wrong with a source: pydantic names the cause of what it cannot parse."""
    field = re.search(r'field "(\w+)"', str(error))
    if field is not None and isinstance(error.__cause__, JSONDecodeError):
        return f"{variable(field[1])}: must be JSON; its parts are set one by one, too, by {variable(field[1])}__…"
    return " ".join(str(error.__cause__ or error).split())


def _describe(detail: dict[str, Any]) -> str:
    cause = detail.get("ctx", {}).get("error")
    if not detail["loc"] or (detail["loc"] == ("schema_registry",) and cause is not None):
        return str(cause)
    name, *below = map(str, detail["loc"])
    if name == "grants":
        return f"{'.'.join((name, *below))}: {_allowed(detail)}"
    if name == "tables" and cause is not None and not below:
        return str(cause)
    if name == "tables":
        hidden = detail["type"] in {"missing", "extra_forbidden"}
        shown = "" if hidden else f"={detail['input']!s}"
        known = f"; a table has {_TABLE_SETTINGS}" if detail["type"] == "extra_forbidden" else ""
        return f"{'.'.join((name, *below))}{shown}: {_allowed(detail)}{known}"
    if name == "schema_registry" and not below:
        return f"{variable(name)}: must be a section with settings"
    hidden = detail["type"] == "extra_forbidden" or not _HIDDEN.isdisjoint({name, *below})
    name = "__".join((name, *below))
    shown = "" if hidden else f"={detail['input']!s}"
    return f"{variable(name)}{shown}: {_allowed(detail)}"


def _allowed(detail: dict[str, Any]) -> str:
    """What is allowed, or what is wrong."""
    cause = detail.get("ctx", {}).get("error")
    return str(cause or _ALLOWED.get(detail["type"]) or detail["msg"].replace("Input should be", "must be"))
