"""A real provider of OpenID Connect (npm's `oidc-provider`), on loopback."""

import asyncio
import os
import shutil
import subprocess
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from tests.clients.node import INSTALL_SECONDS_MAX, INSTALLING
from tests.deadline import SECONDS_MAX
from tests.ports import free_port

PROVIDER = Path(__file__).parent / "provider"
CLIENT_ID, AUDIENCE = "pages", "kvs"


def require_provider() -> None:
    """Install the provider; skip the test if that is impossible, or fail it under KVS_REQUIRE_NODE=1."""
    reason = _missing()
    if reason and os.environ.get("KVS_REQUIRE_NODE") == "1":
        pytest.fail(f"KVS_REQUIRE_NODE=1, but: {reason}", pytrace=False)
    if reason:
        pytest.skip(reason)


def _missing() -> str:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "no Node.js with npm on the path"
    INSTALLING.parent.mkdir(exist_ok=True)
    with FileLock(INSTALLING):
        installed = PROVIDER / "node_modules" / ".package-lock.json"
        if installed.is_file() and installed.stat().st_mtime > (PROVIDER / "package-lock.json").stat().st_mtime:
            return ""
        command = ["npm", "ci", "--no-audit", "--no-fund"]
        try:
            subprocess.run(command, cwd=PROVIDER, check=True, capture_output=True, timeout=INSTALL_SECONDS_MAX)
        except (OSError, subprocess.SubprocessError) as error:
            return f"{error} in tests/browser/provider"
    return ""


@asynccontextmanager
async def issuing(redirect_uri: str, token_seconds: int, naming: str = "") -> AsyncIterator[str]:
    """Run a provider whose access tokens last so long; yield its issuer.

    With `naming`, the access token is opaque unless the client names whom it is for by that parameter.
    """
    port = free_port()
    arguments = (str(port), redirect_uri, str(token_seconds), naming)
    process = await asyncio.create_subprocess_exec(
        *("node", "provider.js", *arguments), cwd=PROVIDER, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(SECONDS_MAX):
            assert await process.stdout.readline() == b"listening\n"
        yield f"http://127.0.0.1:{port}"
    finally:
        await process.communicate(b"")  # Closes stdin, which ends the process.
