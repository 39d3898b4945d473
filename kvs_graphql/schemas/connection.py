"""How to reach the schema registry that all tables share, and what is asked of it, from the settings."""

import structlog

from kvs_graphql.errors import BadSetting
from kvs_graphql.oauth import ClientCredentials
from kvs_graphql.registry import RegistryConnection, RegistryLimits
from kvs_graphql.settings import Settings, revealed

log = structlog.get_logger(__name__)


def registry_of(settings: Settings) -> RegistryConnection | None:
    """How to reach the schema registry; None where there is none.

    Raises:
        BadSetting: A certificate or a key cannot be read any more.
    """
    own = settings.schema_registry
    if own.url is None:
        return None
    tls = own.tls()

    def renew() -> None:
        try:
            own.renew(tls)
        except BadSetting as error:
            log.warning("the certificates for the schema registry are not read again", reason=str(error))

    return RegistryConnection(
        url=own.url,
        username=own.username,
        password=revealed(own.password),
        token=revealed(own.token),
        credentials=None
        if own.token_url is None
        else ClientCredentials(own.token_url, own.client_id or "", own.oauth_secret, own.scope),
        cluster=own.cluster,
        identity_pool=own.identity_pool,
        tls=tls,
        renew_tls=renew,
    )


def registry_limits(settings: Settings) -> RegistryLimits:
    """What is asked of the schema registry, and kept of its answers."""
    own = settings.schema_registry
    return RegistryLimits(
        seconds_max=own.seconds_max,
        schema_bytes_max=own.schema_bytes_max,
        references_max=own.references_max,
        versions_max=own.versions_max,
        cache_bytes_max=own.cache_bytes_max,
        failure_seconds=own.failure_seconds,
        requests_max=own.requests_max,
    )
