"""Secrets among the settings, which show only where they are used."""

from pydantic import SecretStr


def revealed(secret: SecretStr | None) -> str | None:
    """Return the text of a secret."""
    return None if secret is None else secret.get_secret_value()
