"""Clients of compiled languages, built where the machine has their tools."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock

from tests.clients.client import Capability, Client

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".cache"
BUILD_SECONDS_MAX = 250


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
        """Return why the program cannot run here, or an empty string. Builds it first if its sources changed."""
        if shutil.which(self.tool) is None:
            return f"no {self.tool} on the path"
        CACHE.mkdir(exist_ok=True)
        # Several processes of one run start at once.
        with FileLock(CACHE / f"{self.binary.name}.lock"):
            return "" if self._is_built() else self._build()

    def _is_built(self) -> bool:
        sources = [ROOT / "schema.graphql", *(path for path in self.directory.iterdir() if path.is_file())]
        return self.binary.is_file() and self.binary.stat().st_mtime > max(path.stat().st_mtime for path in sources)

    def _build(self) -> str:
        for command in self.commands:
            try:
                subprocess.run(
                    command, cwd=self.directory, check=True, capture_output=True, text=True, timeout=BUILD_SECONDS_MAX
                )
            except subprocess.CalledProcessError as error:
                return f"{error} in {self.directory}: {error.stderr}"
            except (OSError, subprocess.TimeoutExpired) as error:
                return f"{error} in {self.directory}"
        return ""


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


def _go_module(name: str) -> str:
    built = subprocess.run(["go", "version", "-m", GO.binary], capture_output=True, text=True, check=True).stdout
    found: str
    (found,) = re.findall(rf"{name}\tv(\S+)", built)
    return found


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
)
