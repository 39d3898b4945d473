"""Generates a client from the schema that a service has, and obeys commands with it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.clients.ariadne.generate import generate
from tests.clients.python.commands import obey

HERE = Path(__file__).parent


class Generated:
    """The operations of the generated client."""

    def __init__(self, url: str) -> None:
        self._setup = import_module("setup")
        self._client = self._setup.connect(url)

    async def query(self, key: str) -> str | None:
        return _value((await self._client.entry(key)).value)

    async def set(self, key: str, value: str) -> str | None:
        return _value((await self._client.set_value(key, value)).set_.entry)

    async def delete(self, key: str) -> None:
        await self._client.delete_key(key)

    async def updates(self, key: str) -> AsyncIterator[tuple[str, str | None]]:
        async with aclosing(self._setup.updates(self._client, [key])) as found:
            async for update in found:
                yield update.kind, _value(update.entry)


def _value(entry: Any) -> str | None:
    return None if entry is None else entry.value


if __name__ == "__main__":
    (url,) = sys.argv[1:]
    with TemporaryDirectory() as directory:
        config = (HERE / "codegen.toml").read_text().replace("http://127.0.0.1:8000/graphql", url)
        generate(Path(directory), config, (HERE / "queries.graphql").read_text(), (HERE / "setup.py").read_text())
        asyncio.run(obey(Generated(url)))
