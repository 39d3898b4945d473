"""Clients of the matrix on Bun and Deno, which the npm packages in `runtimes` bring."""

import subprocess
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
from filelock import FileLock

from tests.clients import node
from tests.clients.client import Client
from tests.clients.javascript import JAVASCRIPT

RUNTIMES = node.HERE / "runtimes"
INSTALLED = RUNTIMES / "node_modules"
_LOCK: dict[str, Any] = orjson.loads((RUNTIMES / "package-lock.json").read_bytes())["packages"]


def missing() -> str:
    """Return why the runtimes or the clients cannot run here, or an empty string. Installs them first."""
    if reason := node.missing():
        return reason
    with FileLock(node.INSTALLING):
        marker = INSTALLED / ".package-lock.json"
        if marker.is_file() and marker.stat().st_mtime > (RUNTIMES / "package-lock.json").stat().st_mtime:
            return ""
        command = ["npm", "ci", "--no-audit", "--no-fund"]
        try:
            subprocess.run(command, cwd=RUNTIMES, check=True, capture_output=True, timeout=node.INSTALL_SECONDS_MAX)
        except (OSError, subprocess.SubprocessError) as error:
            return f"{error} in tests/clients/runtimes"
    return ""


def _installed(package: str) -> str:
    version: str = orjson.loads((INSTALLED / package / "package.json").read_bytes())["version"]
    return version


def _on(runtime: str, client: Client, *arguments: str) -> Client:
    """A client on a runtime, whose version is the row's."""
    package = runtime.lower()
    *_, operations = client.command
    return replace(
        client,
        name=f"{client.name} on {runtime}",
        version=_LOCK[f"node_modules/{package}"]["version"],
        installed=partial(_installed, package),
        # Deno looks for its next version otherwise.
        command=("env", "DENO_NO_UPDATE_CHECK=1", str(INSTALLED / ".bin" / package), *arguments, "run.js", operations),
        missing=missing,
        setup=None,
    )


(_URQL,) = (client for client in JAVASCRIPT if client.name == "urql 6 with graphcache")

OTHER_RUNTIMES = (_on("Bun", _URQL), _on("Deno", _URQL, "run", "--allow-all"))
