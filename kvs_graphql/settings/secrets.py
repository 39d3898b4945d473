"""Secrets among the settings, which show only where they are used."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from kvs_graphql.credentials import Secret, read_secret
from kvs_graphql.settings.names import variable


def revealed(secret: SecretStr | None) -> str | None:
    """Return the text of a secret."""
    return None if secret is None else secret.get_secret_value()


def secret_of(settings: BaseModel, name: str) -> Secret | None:
    """Return a secret that is read again from its file, where that is set by the setting `name`_file."""
    value: SecretStr | None = getattr(settings, name)
    file = f"{name}_file"
    return None if value is None else Secret(value.get_secret_value(), variable(file), getattr(settings, file))


def with_secrets(values: dict[str, Any], names: Iterable[str], named: Callable[[str], str]) -> dict[str, Any]:
    """Add the secrets with these names that are in files; `named` tells the variable of a setting.

    What is no path is left for the check of that setting.

    Raises:
        BadSetting: A file cannot be read, or holds no secret.
        ValueError: A secret is set together with its file.
    """
    found = dict(values)
    for name in names:
        file = f"{name}_file"
        path = values.get(file)
        if path is None:
            continue
        if values.get(name) is not None:
            raise ValueError(f"{named(name)} and {named(file)} must not be set together")
        if isinstance(path, str | Path):
            found[name] = read_secret(named(file), Path(path))
    return found
