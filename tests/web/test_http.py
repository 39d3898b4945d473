"""Connections over which GraphQL comes by HTTP."""

import asyncio
from pathlib import Path

import httpx
import orjson

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.serving import serving


async def test_connection_whose_request_head_does_not_end_is_closed(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with serving(
        embedded_broker.bootstrap_servers, embedded_topic, tmp_path, request_head_seconds_max=0.2
    ) as served:
        url = httpx.URL(served.run.url)
        for begun in (b"", b"GET /graphql HT", b"GET /healthz HTTP/1.1\r\nhost: here\r\n"):
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(begun)
            async with asyncio.timeout(5):
                assert (await reader.read()).startswith(b"HTTP/1.1 408 " if begun else b"")
            assert reader.at_eof()
            writer.close()
            await writer.wait_closed()


async def test_operation_whose_body_does_not_end_is_refused(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with serving(
        embedded_broker.bootstrap_servers, embedded_topic, tmp_path, request_body_seconds_max=1
    ) as served:
        url = httpx.URL(served.run.url)
        for framing in (b"content-length: 100", b"transfer-encoding: chunked"):
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(
                b"POST /graphql HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n" + framing + b"\r\n\r\n"
            )
            async with asyncio.timeout(5):
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 408 ")
            assert orjson.loads(body)["errors"][0]["extensions"] == {
                "code": "LIMIT_EXCEEDED",
                "limit": 1,
                "setting": "KVS_REQUEST_BODY_SECONDS_MAX",
            }
            writer.close()
            await writer.wait_closed()
