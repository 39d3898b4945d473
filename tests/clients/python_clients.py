"""The Python clients of the matrix."""

import re
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.clients.ariadne import environment
from tests.clients.client import Capability, Client

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent / "python"
_READ_AND_WRITE = (Capability.QUERY, Capability.MUTATION)
_RESUMING = (*_READ_AND_WRITE, Capability.WEBSOCKET, Capability.RESUME)


def _locked(text: str, pattern: str) -> str:
    found: str
    (found,) = re.findall(pattern, text, re.MULTILINE)
    return found


def _missing_package(name: str) -> str:
    try:
        version(name)
    except PackageNotFoundError:
        return f"the Python package {name} is not installed"
    return ""


def _gql(transport: str, setup: Path | None = None) -> Client:
    return Client(
        name=f"gql with {transport}",
        version=_locked((ROOT / "constraints.txt").read_text(), r"^gql==(.*)$"),
        installed=partial(version, "gql"),
        command=(sys.executable, "-m", "tests.clients.python.gql_program", transport),
        directory=ROOT,
        missing=partial(_missing_package, "gql"),
        required_by="KVS_REQUIRE_CLIENTS",
        mark="client",
        can=frozenset(_RESUMING),
        setup=setup,
        note="Python. Both transports:" if setup else "",
    )


_ARIADNE = environment.HERE

PYTHON = (
    _gql("websockets", HERE / "gql_setup.py"),
    _gql("aiohttp"),
    Client(
        name="ariadne-codegen",
        version=_locked((_ARIADNE / "requirements.txt").read_text(), r"^ariadne-codegen==(.*)$"),
        installed=environment.installed,
        command=(str(environment.PYTHON), "-m", "tests.clients.ariadne.program"),
        directory=ROOT,
        missing=environment.missing,
        required_by="KVS_REQUIRE_CLIENTS",
        mark="client",
        can=frozenset(_RESUMING),
        setup=_ARIADNE / "setup.py",
        note="Python, with a client that is generated from queries. WebSockets take `ariadne-codegen[subscriptions]`. "
        "The client calls the fields `set` and `json` `set_` and `json_`, and `id_` of typed data `id`. "
        "`ariadne-codegen --config codegen.toml` reads:\n\n"
        f"```toml\n{(_ARIADNE / 'codegen.toml').read_text().strip()}\n```",
    ),
)
