"""How to reach a registry, and the limits of what is asked of it."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from kvs_graphql.oauth import ClientCredentials


@dataclass(frozen=True, slots=True)
class RegistryConnection:
    """Where a registry is, and who asks: by password, token or client credentials, at most one of them."""

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    credentials: ClientCredentials | None = None
    cluster: str | None = None
    """The cluster of a registry that serves several."""
    identity_pool: str | None = None
    """The pool whose rights the token has, at a registry that has such."""
    renew_tls: Callable[[], None] = field(default=lambda: None, repr=False)
    """Reads the files of `tls` again, after a connection failed: they may have been replaced. It never raises."""
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """For URLs with TLS; None for trust in what certifi has."""


@dataclass(frozen=True, slots=True)
class RegistryLimits:
    """What is asked of a registry, and kept of its answers, at most."""

    seconds_max: float = 5.0
    """Seconds for an answer, with all attempts and all schemas that a schema refers to."""
    schema_bytes_max: int = 1_048_576
    """Bytes of a schema's text, together with the texts that it refers to."""
    references_max: int = 200
    """Schemas that a schema refers to, directly or by way of others."""
    references_depth_max: int = 50
    """How long a chain of schemas that refer to each other may be."""
    versions_max: int = 1_000
    """Versions of a subject that are looked at: the newest ones."""
    cache_bytes_max: int = 33_554_432
    """Bytes of schemas kept in memory, by their ids."""
    failures_max: int = 10_000
    """Ids whose failure is remembered."""
    failure_seconds: float = 5.0
    """Seconds for which a failure is remembered and not asked about again."""
    requests_max: int = 8
    """Requests at the same time."""
