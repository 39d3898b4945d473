"""Requirements of the browser tests. Nothing is downloaded."""

import os
import shutil
from importlib.util import find_spec

import pytest

from kvs_graphql.web.pages import STATIC

CHROMIUMS = ("chromium-headless-shell", "chromium")
PACKAGES = {"playwright": "playwright", "axe_playwright_python": "axe-playwright-python"}
PAGES = ("dashboard.html", "graphiql.html", "signed-in.html")


def chromium() -> str | None:
    """Return the system's Chromium: the one on the PATH, else Debian's, and rather the one without a screen."""
    found = (shutil.which(name) or shutil.which(f"/usr/bin/{name}") for name in CHROMIUMS)
    return next(filter(None, found), None)


def missing() -> str:
    """Return why pages cannot be tested here, or an empty string."""
    for module, package in PACKAGES.items():
        if find_spec(module) is None:
            return f"the Python package {package} is not installed"
    if chromium() is None:
        return f"none of {', '.join(CHROMIUMS)} is on the PATH or in /usr/bin (Debian packages of these names)"
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
