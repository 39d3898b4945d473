"""The composition root: a service runs for as long as its context is open."""

from pathlib import Path

import httpx
import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.runtime import running
from kvs_graphql.settings import load_settings
from tests.plain import NO_TLS


async def test_error_inside_the_context_stops_the_service_and_is_raised_as_itself(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    settings = load_settings(
        bootstrap_servers=embedded_broker.bootstrap_servers,
        topic=embedded_topic,
        database=tmp_path / "kvs.db",
        port=0,
        shutdown_seconds_max=1,
    )
    url = ""
    with pytest.raises(ZeroDivisionError):
        async with running(settings) as run:
            url = run.url
            async with httpx.AsyncClient(verify=NO_TLS) as client:
                assert (await client.get(f"{url}/healthz")).status_code == 200
            raise ZeroDivisionError
    async with httpx.AsyncClient(verify=NO_TLS) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{url}/healthz")
    async with running(settings):
        pass
