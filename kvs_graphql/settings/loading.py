"""Settings of this process, or the one line that says which of them is wrong."""

import re
from json import JSONDecodeError
from typing import Any

from pydantic import ValidationError

from kvs_graphql.errors import BadSetting
from kvs_graphql.printable import printable
from kvs_graphql.settings.grants import GrantSettings
from kvs_graphql.settings.names import variable
from kvs_graphql.settings.registry import REGISTRY_SECRETS
from kvs_graphql.settings.settings import SECRETS, Settings
from kvs_graphql.settings.tables import TableSettings, alias_of

# Plain words for pydantic's types of errors; its own message says the rest well enough.
_ALLOWED = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a section",
    "extra_forbidden": "there is no such setting",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "missing": "must be set",
    "model_type": "must be a section with settings",
    "path_type": "must be the path of a file",
    "string_too_short": "must not be empty",
    "string_type": "must be text",
    "too_short": "must not be empty",
    "tuple_type": "must be a list",
}


_PARTS = {
    "tables": f"a table has {', '.join(map(alias_of, TableSettings.model_fields))}",
    "grants": f"a grant has {', '.join(GrantSettings.model_fields)}",
}
"""The sections of the file that have several parts, and what each part has."""
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
    if name == "tables" and cause is not None and not below:
        return str(cause)
    if name in _PARTS:
        is_unknown = detail["type"] == "extra_forbidden"
        shown = "" if is_unknown or detail["type"] == "missing" else f"={detail['input']!s}"
        known = f"; {_PARTS[name]}" if is_unknown else ""
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
