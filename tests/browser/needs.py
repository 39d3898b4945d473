"""What tests in a browser need, and what of it is missing here. Nothing is ever downloaded."""

import shutil
from importlib.util import find_spec

from kvs_graphql.web.pages import STATIC

CHROMIUM = "/usr/bin/chromium"
PACKAGES = {"playwright": "playwright", "axe_playwright_python": "axe-playwright-python"}
PAGES = ("dashboard.html", "graphiql.html")


def chromium() -> str | None:
    """The system's Chromium: the one on the path, else Debian's."""
    return shutil.which("chromium") or shutil.which(CHROMIUM)


def missing() -> str:
    """Why no page can be tested here; empty when all can."""
    for module, package in PACKAGES.items():
        if find_spec(module) is None:
            return f"the Python package {package} is not installed"
    if chromium() is None:
        return f"no chromium on the path, nor at {CHROMIUM} (Debian's package: chromium)"
    for page in PAGES:
        if not (STATIC / page).is_file():
            return f"{page} is not built: npm --prefix web ci && npm --prefix web run build"
    return ""
