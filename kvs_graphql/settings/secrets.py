"""Secrets among the settings, which show only where they are used."""

from pydantic import BaseModel, SecretStr

from kvs_graphql.credentials import Secret
from kvs_graphql.settings.names import variable


def revealed(secret: SecretStr | None) -> str | None:
    """Return the text of a secret."""
    return None if secret is None else secret.get_secret_value()


def secret_of(settings: BaseModel, name: str) -> Secret | None:
    """Return a secret that is read again from its file, where that is set by the setting `name`_file."""
    value: SecretStr | None = getattr(settings, name)
    file = f"{name}_file"
    return None if value is None else Secret(value.get_secret_value(), variable(file), getattr(settings, file))
