"""What axe-core has against a page."""

from importlib.resources import files
from typing import Any

from playwright.async_api import Page

# axe-core as axe-playwright-python brings it, of whose own code, untyped, only this file is of use.
AXE = files("axe_playwright_python").joinpath("axe.min.js")


async def violations(page: Page) -> list[str]:
    """How bad, which rule, where, and why: one line for each element of the page as it is."""
    await page.evaluate(AXE.read_text())
    found: dict[str, Any] = await page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [
        f"{violation['impact']}: {violation['id']}: {node['target']} {[check['message'] for check in node['any']]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
