"""Requirements of the browser tests. Nothing is downloaded."""

import os
import shutil
from importlib.util import find_spec

import pytest

from kvs_graphql.web.pages import STATIC

CHROMIUM = "/usr/bin/chromium"
PACKAGES = {"playwright": "playwright", "axe_playwright_python": "axe-playwright-python"}
PAGES = ("dashboard.html", "graphiql.html", "signed-in.html")


def chromium() -> str | None:
    """Return the system's Chromium: the one on the PATH, else Debian's."""
    return shutil.which("chromium") or shutil.which(CHROMIUM)


def missing() -> str:
    """Return why pages cannot be tested here, or an empty string."""
    for module, package in PACKAGES.items():
        if find_spec(module) is None:
            return f"the Python package {package} is not installed"
    if chromium() is None:
        return f"no chromium on the PATH or at {CHROMIUM} (Debian package: chromium)"
    for page in PAGES:
        if not (STATIC / page).is_file():
            return f"{page} is not built: make web"
    return ""


def require_browser() -> None:
    """Skip the test if a requirement is missing, or fail it under KVS_REQUIRE_BROWSER=1."""
    reason = missing()
    if reason and os.environ.get("KVS_REQUIRE_BROWSER") == "1":
        pytest.fail(f"KVS_REQUIRE_BROWSER=1, but: {reason}", pytrace=False)
    if reason:
        pytest.skip(reason)
