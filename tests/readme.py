"""The JavaScript examples of README.md, and its table of settings, which `python -m tests.readme` updates."""

import re
from pathlib import Path

from kvs_graphql.cli.options import settings_table

README = Path(__file__).parent.parent / "README.md"
_START, _END = "<!-- settings -->", "<!-- /settings -->"


def settings_markdown() -> str:
    """Return the table of all settings."""
    rows = [f"| `{line.variable}` | {line.default} | {line.description} |" for line in settings_table()]
    return "\n".join([_START, "| variable | default | meaning |", "|---|---|---|", *rows, _END])


def javascript(part: str, url: str) -> str:
    """Return the only JavaScript block that contains `part`, with the URL of a service."""
    blocks: list[str] = re.findall(r"```js\n(.*?)```", README.read_text(), re.DOTALL)
    (block,) = (block for block in blocks if part in block)
    return at_url(block, url)


def at_url(code: str, url: str) -> str:
    """Replace the default address in code with the URL of a service."""
    return code.replace("127.0.0.1:8000", url.removeprefix("http://"))


if __name__ == "__main__":
    text = README.read_text()
    README.write_text(re.sub(f"{_START}.*{_END}", lambda _: settings_markdown(), text, flags=re.DOTALL))
