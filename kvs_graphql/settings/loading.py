"""Settings of this process, or the one line that says which of them is wrong."""

from typing import Any

from pydantic import ValidationError

from kvs_graphql.errors import BadSetting
from kvs_graphql.settings.names import variable
from kvs_graphql.settings.settings import SECRETS, Settings

# Plain words for pydantic's types of errors; its own message says the rest well enough.
_ALLOWED = {
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
    "string_too_short": "must not be empty",
    "missing": "must be set",
    "extra_forbidden": "there is no such setting; a table has topic, writes, required, tombstones and unreadable",
}


def load_settings(**flags: Any) -> Settings:
    """Load the settings of this process; `flags` win over all other sources.

    Raises:
        BadSetting: A value is not allowed. The message is one line that names the variable and says what is allowed.
    """
    try:
        return Settings(**flags)
    except ValidationError as error:
        raise BadSetting("; ".join(_describe(dict(detail)) for detail in error.errors())) from None
    except ValueError as error:
        # Of a source: pydantic names the cause of what it cannot parse.
        raise BadSetting(" ".join(str(error.__cause__ or error).split())) from None


def _describe(detail: dict[str, Any]) -> str:
    cause = detail.get("ctx", {}).get("error")
    if not detail["loc"]:
        return str(cause)
    name, *below = map(str, detail["loc"])
    if name == "tables" and cause is not None and not below:
        return str(cause)
    if name == "tables":
        hidden = detail["type"] in {"missing", "extra_forbidden"}
        shown = "" if hidden else f"={detail['input']!s}".replace("\n", "\\n")
        return f"{'.'.join((name, *below))}{shown}: {_allowed(detail)}"
    shown = "" if name in SECRETS else f"={detail['input']!s}".replace("\n", "\\n")
    return f"{variable(name)}{shown}: {_allowed(detail)}"


def _allowed(detail: dict[str, Any]) -> str:
    """What is allowed, or what is wrong."""
    cause = detail.get("ctx", {}).get("error")
    return str(cause or _ALLOWED.get(detail["type"]) or detail["msg"].replace("Input should be", "must be"))
