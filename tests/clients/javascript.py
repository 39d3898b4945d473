"""The JavaScript clients of the matrix. One runner, run.js, runs what `setups/<client>/operations.js` exports."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from tests.clients.client import Capability, Client
from tests.clients.node import HERE, MAJOR_MIN, missing

_LOCK: dict[str, Any] = orjson.loads((HERE / "package-lock.json").read_bytes())["packages"]
_NODE = f"{MAJOR_MIN} or newer"
_READ_AND_WRITE = (Capability.QUERY, Capability.MUTATION)
_CACHING = (*_READ_AND_WRITE, Capability.WEBSOCKET, Capability.RESUME, Capability.DELETE)


def _installed(path: Path) -> str:
    version: str = orjson.loads((HERE / path / "package.json").read_bytes())["version"]
    return version


def _package(package: str, setups: Path) -> tuple[str, Callable[[], str]]:
    """The version of a package that the setups use, in the lock file, and the one that is installed."""
    own = setups / "node_modules" / package
    path = own if str(own) in _LOCK else Path("node_modules") / package
    return _LOCK[str(path)]["version"], partial(_installed, path)


def _client(
    name: str, package: str, *can: Capability, directory: str = "", setup: str = "setup.js", note: str = ""
) -> Client:
    """A client of the package, or of Node.js alone; a directory below `setups` may have a version of its own."""
    setups = Path("setups") / (directory or package)
    version, installed = _package(package, setups) if package else (_NODE, lambda: _NODE)
    return Client(
        name=name,
        version=version,
        installed=installed,
        command=("node", "--preserve-symlinks", "run.js", f"./{setups}/operations.js"),
        directory=HERE,
        missing=missing,
        required_by="KVS_REQUIRE_NODE",
        mark="node",
        can=frozenset(can),
        setup=HERE / setups / setup if setup else None,
        note=note,
    )


_URQL = (*_CACHING, Capability.SSE)

JAVASCRIPT = (
    _client("Apollo Client 4", "@apollo/client", *_CACHING, Capability.MULTIPART, directory="apollo"),
    _client("Apollo Client 3", "@apollo/client", *_CACHING, Capability.MULTIPART, directory="apollo-3"),
    _client("urql 6 with graphcache", "@urql/core", *_URQL, directory="urql"),
    _client("urql 5 with graphcache", "@urql/core", *_URQL, directory="urql-5", setup=""),
    _client("urql 4 with graphcache", "@urql/core", *_URQL, directory="urql-4", setup=""),
    _client("Relay", "relay-runtime", *_CACHING, Capability.SSE, directory="relay"),
    _client("graphql-ws", "graphql-ws", *_READ_AND_WRITE, Capability.WEBSOCKET, Capability.RESUME),
    _client("graphql-sse", "graphql-sse", *_READ_AND_WRITE, Capability.SSE, Capability.RESUME),
    _client(
        "graphql-sse with `singleConnection`",
        "graphql-sse",
        *(*_READ_AND_WRITE, Capability.SSE, Capability.RESUME),
        directory="graphql-sse-single",
        note="All operations of a client on one event stream: see [below](#one-event-stream-for-many-operations).",
    ),
    _client("graphql-request", "graphql-request", *_READ_AND_WRITE),
    _client(
        "graphql-codegen's client preset",
        "@graphql-codegen/client-preset",
        *_READ_AND_WRITE,
        directory="codegen",
        setup="codegen.ts",
        note="`scalars` says what the scalars of this service are in TypeScript. JavaScript's `JSON.parse` rounds "
        "numbers in `json` that a double cannot hold.",
    ),
    _client("fetch of Node.js", "", *_READ_AND_WRITE, Capability.SSE, Capability.RESUME, directory="fetch"),
    _client(
        "Hive Gateway",
        "@graphql-hive/gateway-runtime",
        *(*_READ_AND_WRITE, Capability.WEBSOCKET, Capability.SSE),
        directory="hive-gateway",
        note="As a gateway in front of the service. After the gateway's own connection to the service was lost, "
        "changes may be missing; clients that must not miss any connect to the service itself.",
    ),
)
