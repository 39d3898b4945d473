"""The JavaScript clients of the matrix. One runner, run.js, runs what `setups/<client>/operations.js` exports."""

from functools import partial
from pathlib import Path
from typing import Any

import orjson

from tests.clients.client import Capability, Client
from tests.clients.node import HERE, missing

_LOCK: dict[str, Any] = orjson.loads((HERE / "package-lock.json").read_bytes())["packages"]
_READ_AND_WRITE = (Capability.QUERY, Capability.MUTATION)
_CACHING = (*_READ_AND_WRITE, Capability.WEBSOCKET, Capability.RESUME, Capability.DELETE)


def _installed(path: Path) -> str:
    version: str = orjson.loads((HERE / path / "package.json").read_bytes())["version"]
    return version


def _client(
    name: str, package: str, *can: Capability, directory: str = "", setup: str = "setup.js", note: str = ""
) -> Client:
    """A client of the package, which a directory below `setups` may have in a version of its own."""
    setups = Path("setups") / (directory or package)
    own = setups / "node_modules" / package
    path = own if str(own) in _LOCK else Path("node_modules") / package
    return Client(
        name=name,
        version=_LOCK[str(path)]["version"],
        installed=partial(_installed, path),
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
    _client("urql 6 with graphcache", "@urql/core", *_URQL, directory="urql"),
    _client("urql 5 with graphcache", "@urql/core", *_URQL, directory="urql-5", setup=""),
    _client("urql 4 with graphcache", "@urql/core", *_URQL, directory="urql-4", setup=""),
    _client("Relay", "relay-runtime", *_CACHING, Capability.SSE, directory="relay"),
)
