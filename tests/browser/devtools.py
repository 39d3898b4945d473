"""Chromium controlled through the DevTools protocol, for measurements.

Playwright observes the network of every page, which costs the main thread more per WebSocket message than the page
itself.
"""

import asyncio
import itertools
import json
import re
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect

from tests.browser.needs import chromium
from tests.browser.visits import LAUNCH_ARGUMENTS

LISTENING = re.compile(r"DevTools listening on (ws://\S+)")
START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 10.0


class Tab:
    """A tab that shows one page."""

    def __init__(self, socket: ClientConnection, session: str) -> None:
        self._socket = socket
        self._session = session
        self._numbers = itertools.count(1)

    @classmethod
    async def open(cls, socket: ClientConnection, url: str, script: str) -> Self:
        """Open `url` in a new tab and run `script` before the scripts of the page."""
        browser = cls(socket, "")
        target = (await browser.send("Target.createTarget", url="about:blank"))["targetId"]
        session = (await browser.send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        tab = cls(socket, session)
        tab._numbers = browser._numbers
        await tab.send("Emulation.setDeviceMetricsOverride", width=1280, height=800, deviceScaleFactor=1, mobile=False)
        await tab.send("Page.enable")
        await tab.send("Page.addScriptToEvaluateOnNewDocument", source=script)
        await tab.send("Page.navigate", url=url)
        await tab.send("Performance.enable")
        return tab

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result. Raises RuntimeError if it fails."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        await self._socket.send(json.dumps(message))
        async for text in self._socket:
            answer = json.loads(text)
            if answer.get("id") != number:
                continue
            if "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']['message']}")
            result: dict[str, Any] = answer["result"]
            return result
        raise RuntimeError(f"{method}: the browser has closed the connection")

    async def evaluate(self, expression: str) -> Any:
        """Evaluate JavaScript and return its value or resolved promise. Raises RuntimeError if it throws."""
        found = await self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression[:80]}: {found['exceptionDetails']}")
        return found["result"].get("value")

    async def metrics(self) -> dict[str, float]:
        """Return Chromium's performance counters of the page."""
        found = (await self.send("Performance.getMetrics"))["metrics"]
        return {metric["name"]: metric["value"] for metric in found}

    async def close(self) -> None:
        await self.send("Page.close")


@asynccontextmanager
async def browsing() -> AsyncIterator[ClientConnection]:
    """Start a browser and yield the connection to it."""
    path = chromium()
    assert path is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            path,
            *LAUNCH_ARGUMENTS,
            "--headless=new",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
            stderr=PIPE,
        )
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                address = await _address(process)
            async with connect(address, max_size=None, ping_interval=None) as socket:
                yield socket
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await process.communicate()


async def _address(process: Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        if found := LISTENING.search(line.decode(errors="replace")):
            return found[1]
    raise RuntimeError("Chromium ended before it accepted connections")
