"""The virtual environment of ariadne-codegen, which needs an older graphql-core than this project."""

import subprocess
import sys
from pathlib import Path

from filelock import FileLock

HERE = Path(__file__).parent
CACHE = HERE.parent.parent.parent / ".cache"
ENVIRONMENT = CACHE / "ariadne-codegen"
PYTHON = ENVIRONMENT / "bin" / "python"
INSTALL_SECONDS_MAX = 250
_REQUIREMENTS = HERE / "requirements.txt"
_INSTALLED = ENVIRONMENT / "installed"


def missing() -> str:
    """Return why ariadne-codegen cannot run here, or an empty string. Installs it first if its requirements changed."""
    CACHE.mkdir(exist_ok=True)
    # Several processes of one run start at once.
    with FileLock(CACHE / "ariadne-codegen.lock"):
        is_installed = _INSTALLED.is_file() and _INSTALLED.stat().st_mtime > _REQUIREMENTS.stat().st_mtime
        return "" if is_installed else _install()


def installed() -> str:
    """Return the version that is installed."""
    script = "from importlib.metadata import version; print(version('ariadne-codegen'))"
    return subprocess.run([PYTHON, "-c", script], check=True, capture_output=True, text=True).stdout.strip()


def _install() -> str:
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(_REQUIREMENTS))
    try:
        for command in ((sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)), (str(PYTHON), *pip)):
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS_MAX)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{error} in tests/clients/ariadne"
    _INSTALLED.touch()
    return ""
