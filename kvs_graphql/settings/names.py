"""The names of settings' variables."""

PREFIX = "KVS_"


def variable(name: str) -> str:
    """Return the environment variable of a field."""
    return PREFIX + name.upper()
