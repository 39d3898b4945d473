"""Clients of compiled languages, which `python -m tests.clients.toolchains` builds where the machine has their tools.

The tests do not build them: Rust's takes a minute of both processors.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.clients.client import Capability, Client

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".cache"


@dataclass(frozen=True)
class Build:
    """How a client becomes a program.

    Attributes:
        tool: The command that the machine needs.
        directory: Where the sources are.
        commands: What is run there.
        binary: The program.
    """

    tool: str
    directory: Path
    commands: tuple[tuple[str, ...], ...]
    binary: Path

    def missing(self) -> str:
        """Return why the program cannot run here, or an empty string."""
        if shutil.which(self.tool) is None:
            return f"no {self.tool} on the path"
        sources = [ROOT / "schema.graphql", *(path for path in self.directory.rglob("*") if path.is_file())]
        if self.binary.is_file() and self.binary.stat().st_mtime > max(path.stat().st_mtime for path in sources):
            return ""
        return f"{self.binary.name} is not built from the current sources: make compiled-clients"

    def run(self) -> None:
        """Build the program unless it is there."""
        CACHE.mkdir(exist_ok=True)
        for command in self.commands if self.missing() else ():
            subprocess.run(command, cwd=self.directory, check=True)


def _locked(file: Path, pattern: str) -> str:
    found: str
    (found,) = re.findall(pattern, file.read_text(), re.MULTILINE)
    return found


GO = Build(
    tool="go",
    directory=HERE / "go",
    commands=(("go", "tool", "genqlient"), ("go", "build", "-o", str(CACHE / "go-client"), ".")),
    binary=CACHE / "go-client",
)

# Shared by all checkouts of this user: most of a minute goes into the libraries.
RUST_TARGET = Path.home() / ".cache" / "kvs-graphql" / "rust-client"
RUST = Build(
    tool="cargo",
    directory=HERE / "rust",
    commands=(
        ("cargo", "build", "--target-dir", str(RUST_TARGET)),
        ("cp", str(RUST_TARGET / "debug" / "rust-client"), str(CACHE / "rust-client")),
    ),
    binary=CACHE / "rust-client",
)


def _go_module(name: str) -> str:
    built = subprocess.run(["go", "version", "-m", GO.binary], capture_output=True, text=True, check=True).stdout
    found: str
    (found,) = re.findall(rf"{name}\tv(\S+)", built)
    return found


def _crate(name: str) -> str:
    return _locked(RUST.directory / "Cargo.lock", rf'^name = "{name}"\nversion = "(.*)"$')


def _client(name: str, build: Build, version: str, installed: partial[str], setup: Path, note: str) -> Client:
    return Client(
        name=name,
        version=version,
        installed=installed,
        command=(str(build.binary),),
        directory=build.directory,
        missing=build.missing,
        required_by=f"KVS_REQUIRE_{build.tool.upper()}",
        mark="client",
        can=frozenset({Capability.QUERY, Capability.MUTATION, Capability.WEBSOCKET, Capability.RESUME}),
        setup=setup,
        note=note,
    )


TOOLCHAINS = (
    _client(
        "genqlient",
        GO,
        _locked(GO.directory / "go.mod", r"^\tgithub.com/Khan/genqlient v(\S+)$"),
        partial(_go_module, "github.com/Khan/genqlient"),
        GO.directory / "setup.go",
        "Go. `genqlient.yaml` binds the scalars:\n\n"
        f"```yaml\n{(GO.directory / 'genqlient.yaml').read_text().strip()}\n```",
    ),
    _client(
        "graphql-ws-client",
        RUST,
        _locked(RUST.directory / "Cargo.toml", r'^graphql-ws-client = .*"=(.*?)"'),
        partial(_crate, "graphql-ws-client"),
        RUST.directory / "src" / "setup.rs",
        "Rust, with the types of graphql_client, and all operations over WebSockets:",
    ),
)

if __name__ == "__main__":
    for build in (GO, RUST):
        if shutil.which(build.tool) is None:
            print(f"no {build.tool} on the path: {build.binary.name} is not built")
        else:
            build.run()
