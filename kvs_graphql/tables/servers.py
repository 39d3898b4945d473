"""The servers that all tables share, from the settings: how to reach Kafka, and the schema registry."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from kvs_graphql.compat.aiokafka_connections import until_closed
from kvs_graphql.credentials import ClientTls
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.tokens import BrokerTokens
from kvs_graphql.oauth import ClientCredentials
from kvs_graphql.registry import SchemaRegistry
from kvs_graphql.schemas import open_registry_of
from kvs_graphql.settings import Settings, secret_of


@dataclass(frozen=True, slots=True)
class Servers:
    """What tables read from, and write to."""

    kafka: KafkaConnection
    registry: SchemaRegistry | None


@asynccontextmanager
async def open_servers(settings: Settings) -> AsyncIterator[Servers]:
    """Yield the servers of these settings, for as long as the context is open; its end waits for closing connections.

    Raises:
        BadSetting: A certificate or a key cannot be read any more.
    """
    async with open_registry_of(settings) as registry:
        try:
            yield Servers(connection_of(settings), registry)
        finally:
            await until_closed()


def connection_of(settings: Settings) -> KafkaConnection:
    """How to reach Kafka.

    Raises:
        BadSetting: A certificate or a key cannot be read any more.
    """
    has_tls = settings.kafka_security_protocol in ("SSL", "SASL_SSL")
    files = settings.kafka_ca_file, settings.kafka_certificate_file, settings.kafka_key_file
    return KafkaConnection(
        bootstrap_servers=settings.bootstrap_servers,
        client_id=settings.kafka_client_id,
        rack=settings.kafka_rack,
        security_protocol=settings.kafka_security_protocol,
        sasl_mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_username,
        password=secret_of(settings, "kafka_password"),
        tls=ClientTls(*files, secret_of(settings, "kafka_key_password")) if has_tls else None,
        tokens=_tokens_of(settings),
    )


def _tokens_of(settings: Settings) -> BrokerTokens | None:
    url, client = settings.kafka_oauth_token_url, settings.kafka_oauth_client_id
    secret = secret_of(settings, "kafka_oauth_client_secret")
    if settings.kafka_sasl_mechanism != "OAUTHBEARER" or url is None or client is None or secret is None:
        return None
    credentials = ClientCredentials(url, client, secret, settings.kafka_oauth_scope)
    return BrokerTokens(credentials, ClientTls(settings.kafka_oauth_ca_file, prefix="KVS_KAFKA_OAUTH_"))
