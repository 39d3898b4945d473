"""Accessibility violations that axe-core finds on a page."""

from importlib.resources import files
from typing import Any

from playwright.async_api import Page

# axe-playwright-python includes axe-core; its own code is untyped and not used.
AXE = files("axe_playwright_python").joinpath("axe.min.js")


async def violations(page: Page) -> list[str]:
    """Return one line per element with a violation: impact, rule, element and messages."""
    await page.evaluate(AXE.read_text())
    found: dict[str, Any] = await page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [
        f"{violation['impact']}: {violation['id']}: {node['target']} {[check['message'] for check in node['any']]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
