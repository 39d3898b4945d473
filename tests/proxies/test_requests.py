"""Every protocol through every proxy, at the root of a host and under a prefix."""

import re
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from websockets.exceptions import InvalidStatus

from kvs_graphql.auth import hash_of, new_token
from kvs_graphql.demo.broker import EmbeddedBroker
from tests.proxies.configurations import BARE
from tests.proxies.conftest import Proxied, behind
from tests.proxies.processes import NGINX_PROXY
from tests.serving import Served, serving_topic
from tests.transports import (
    MULTIPART,
    SINGLE_CONNECTION,
    SSE,
    UPDATES,
    WEBSOCKET,
    Transport,
    open_socket,
    take,
    until_active,
)

pytestmark = [pytest.mark.proxy, pytest.mark.asyncio(loop_scope="module")]

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
TRANSPORTS = [
    pytest.param(WEBSOCKET, id="WebSocket"),
    pytest.param(SSE, id="SSE"),
    pytest.param(MULTIPART, id="multipart"),
    pytest.param(SINGLE_CONNECTION, id="single connection"),
]


async def write_and_read(served: Served) -> None:
    written = await served.query('mutation { set(key: "written", value: "2") { cursor } }')
    cursor = written["data"]["set"]["cursor"]
    read = await served.data(
        'query ($atLeast: Cursor) { value(key: "written", atLeast: $atLeast) { value } }', atLeast=cursor
    )
    assert read == {"value": {"value": "2"}}


async def assert_delivered_at_once(proxied: Proxied, transport: Transport) -> None:
    """Each update arrives while the stream goes on."""
    async with transport(proxied.served, UPDATES, keys=["b"], progress=True) as results:
        assert [update["kind"] for update in await take(results, 1)] == ["LIVE"]
        for value in (b"1", b"2"):
            await proxied.topic.write((b"b", value))
            (update,) = await take(results, 1)
            assert (update["kind"], update["entry"]["value"]) == ("SET", value.decode())
    await until_active(proxied.served.http, 0)


async def test_query_and_mutation_pass_a_proxy(proxied: Proxied) -> None:
    await write_and_read(proxied.served)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_updates_pass_a_proxy_at_once_on_every_transport(proxied: Proxied, transport: Transport) -> None:
    await assert_delivered_at_once(proxied, transport)


async def test_pages_and_assets_pass_a_proxy_and_no_redirect_leaves_the_prefix(proxied: Proxied) -> None:
    http, prefix = proxied.served.http, proxied.place.prefix
    for address in (proxied.url, f"{proxied.url}/", f"{proxied.url}/graphql"):
        page = await http.get(address, headers=BROWSER, follow_redirects=True)
        assert page.status_code == 200
        assert page.url.path in {f"{prefix}/", f"{prefix}/graphql"}
        for link in re.findall(r'(?:src|href)="([^"#]*/[^"]*)"', page.text):
            asset = page.url.join(link)
            assert asset.path.startswith(f"{prefix}/")
            assert (await http.get(asset)).status_code == 200
    for path in ("healthz", "readyz", "metrics", "schema.graphql"):
        assert (await http.get(path)).status_code == 200
    for path in ("graphql/", "assets", "healthz/", "nothing"):
        answer = await http.get(path, headers=BROWSER)
        assert (answer.status_code, "location" in answer.headers) == (404, False)


async def test_all_but_websockets_pass_nginx_with_its_defaults_alone(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        serving_topic(embedded_broker, tmp_path, enable_writes=True) as topic,
        behind(NGINX_PROXY, BARE, topic, tmp_path) as proxied,
    ):
        await write_and_read(proxied.served)
        for transport in (SSE, MULTIPART, SINGLE_CONNECTION):
            await assert_delivered_at_once(proxied, transport)
        assert (await proxied.served.http.get("graphql", headers=BROWSER)).status_code == 200


@pytest.mark.parametrize("tokens", [False, True], ids=["open", "with tokens"])
async def test_client_and_operator_learn_that_a_proxy_lost_a_websocket(
    embedded_broker: EmbeddedBroker, tmp_path: Path, tokens: bool
) -> None:
    auth: dict[str, Any] = {"tokens": (f"ann:{hash_of(new_token())}",)} if tokens else {}
    async with (
        serving_topic(embedded_broker, tmp_path, **auth) as topic,
        behind(NGINX_PROXY, BARE, topic, tmp_path) as proxied,
    ):
        with capture_logs() as logged:
            for _ in range(2):
                with pytest.raises(InvalidStatus) as refused:
                    async with open_socket(proxied.served):
                        pass
                assert refused.value.response.status_code == 426
                assert b"the proxy must pass Upgrade and Connection" in refused.value.response.body
    (line,) = [line for line in logged if line["event"] == "WebSocket without Upgrade"]
    assert line["remedy"] == "the proxy must pass Upgrade and Connection"
