"""schemathesis, which makes up operations from a schema, in a virtual environment of its own."""

import asyncio
import subprocess
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from filelock import FileLock

from tests.deadline import SECONDS_MAX

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
_CACHE = Path(__file__).parent.parent.parent / ".cache"
_ENVIRONMENT = _CACHE / "schemathesis"
_INSTALLED = _ENVIRONMENT / "installed"
_INSTALL_SECONDS_MAX = 250


def missing() -> str:
    """Return why the scanner cannot run here, or an empty string. Installs it first."""
    _CACHE.mkdir(exist_ok=True)
    pip: tuple[str | Path, ...] = (_ENVIRONMENT / "bin" / "pip", "install", "--quiet", "--no-deps")
    venv: tuple[str | Path, ...] = (sys.executable, "-m", "venv", "--clear", _ENVIRONMENT)
    with FileLock(_CACHE / "schemathesis.lock"):
        if _INSTALLED.is_file() and _INSTALLED.read_text() == REQUIREMENTS.read_text():
            return ""
        try:
            for command in (venv, (*pip, "-r", REQUIREMENTS)):
                subprocess.run(command, check=True, capture_output=True, timeout=_INSTALL_SECONDS_MAX)
        except (OSError, subprocess.SubprocessError) as error:
            return f"{error}: schemathesis cannot be installed"
        _INSTALLED.write_text(REQUIREMENTS.read_text())
    return ""


async def scan(url: str, report: Path) -> str:
    """Ask for all fields of the schema at `url` with values made up, the same each time; write what was sent and came.

    Returns what the scanner says. It ends in time.
    """
    options = ["--phases", "fuzzing", "--generation-deterministic", "--max-examples", "8", "--no-shrink"]
    options += ["--suppress-health-check", "all", "--no-color", "--report", "har", "--report-har-path", str(report)]
    process = await asyncio.create_subprocess_exec(
        _ENVIRONMENT / "bin" / "schemathesis", "run", url, *options, stdout=PIPE, stderr=STDOUT, cwd=report.parent
    )
    try:
        async with asyncio.timeout(SECONDS_MAX):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return said.decode()
