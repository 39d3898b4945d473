"""URLs of other servers among the settings."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from kvs_graphql.loopback import is_loopback


def _check_url(value: str) -> str:
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("must be a URL such as https://registry:8081, with other characters in %XX")
    try:
        parts = urlsplit(value)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise ValueError("must be a URL such as https://registry:8081")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("must have no user, query or fragment: a user and a password are settings of their own")
    return value


def _check_confidential(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("must begin with https://, or be of this machine: a secret is sent there")
    return value


Url = Annotated[str, AfterValidator(_check_url)]
SecretUrl = Annotated[Url, AfterValidator(_check_confidential)]
"""One that a secret is sent to: over TLS, or within this machine."""
