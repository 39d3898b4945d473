"""Fixtures for tests behind real proxies."""

import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.browser.needs import require_browser
from tests.deadline import NEVER_SECONDS, SECONDS_MAX
from tests.proxies.configurations import AT_ROOT, PASSED_ON, STRIPPED, Place
from tests.proxies.processes import CADDY_PROXY, HAPROXY, NGINX_PROXY, Proxy, write_certificate
from tests.serving import Served, ServedTopic, serving_topic

if TYPE_CHECKING:
    from tests.browser.visits import Visitor

PLACES = {"at the root": AT_ROOT, "stripped": STRIPPED, "passed on": PASSED_ON}
PROXIES = {"nginx": NGINX_PROXY, "HAProxy": HAPROXY, "Caddy": CADDY_PROXY}


@dataclass(frozen=True)
class Proxied:
    """A service behind a proxy."""

    topic: ServedTopic
    proxy: Proxy
    place: Place
    served: Served
    """The service as clients of the proxy see it."""

    @property
    def url(self) -> str:
        return self.served.run.url


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=PLACES.values(), ids=PLACES)
async def topic_at(
    request: pytest.FixtureRequest, embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[ServedTopic, Place]]:
    """A service with one entry, and where a proxy serves it."""
    place: Place = request.param
    # Without pings, only the end of a client's connection ends its subscriptions.
    settings: dict[str, Any] = {"enable_writes": True, "root_path": place.root_path, "ping_seconds": NEVER_SECONDS}
    async with serving_topic(embedded_broker, tmp_path_factory.mktemp("proxied"), (b"a", b"1"), **settings) as topic:
        yield topic, place


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=PROXIES.values(), ids=PROXIES)
async def proxied(
    request: pytest.FixtureRequest, topic_at: tuple[ServedTopic, Place], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Proxied]:
    """The service behind each proxy at each place.

    Skips where the proxy is missing, or fails under KVS_REQUIRE_PROXIES=1. A proxy that does not start always fails.
    """
    topic, place = topic_at
    async with behind(request.param, place, topic, tmp_path_factory.mktemp("proxy")) as proxied:
        yield proxied


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def visitor() -> AsyncIterator["Visitor"]:
    """A browser for the tests of a module."""
    require_browser()
    from tests.browser.visits import visiting

    async with visiting() as visitor:
        yield visitor


@asynccontextmanager
async def behind(proxy: Proxy, place: Place, topic: ServedTopic, directory: Path) -> AsyncIterator[Proxied]:
    """Run a proxy before a service; skips as `proxied` does."""
    require(proxy)
    authority = write_certificate(directory)
    with pytest.MonkeyPatch.context() as environment:
        # All clients of this process trust it.
        environment.setenv("SSL_CERT_FILE", str(authority))
        async with (
            proxy.to(topic.served.run.url, place, directory) as url,
            httpx.AsyncClient(
                base_url=url, timeout=SECONDS_MAX, verify=ssl.create_default_context(cafile=str(authority))
            ) as http,
        ):
            run = copy(topic.served.run)
            run.url = url
            yield Proxied(topic, proxy, place, Served(run, http))


def require(proxy: Proxy) -> None:
    if proxy.binary is not None:
        return
    reason = f"no {proxy.name} on the path (Debian package: {proxy.name})"
    if os.environ.get("KVS_REQUIRE_PROXIES") == "1":
        pytest.fail(f"KVS_REQUIRE_PROXIES=1, but: {reason}", pytrace=False)
    pytest.skip(reason)
