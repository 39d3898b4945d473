"""README.md: its JavaScript, and the part made from the settings, which `python -m tests.readme` writes anew."""

import re
from pathlib import Path

from kvs_graphql.cli.options import settings_table

README = Path(__file__).parent.parent / "README.md"
_START, _END = "<!-- settings -->", "<!-- /settings -->"


def settings_markdown() -> str:
    """The table of every setting."""
    rows = [f"| `{line.variable}` | {line.default} | {line.description} |" for line in settings_table()]
    return "\n".join([_START, "| variable | default | meaning |", "|---|---|---|", *rows, _END])


def javascript(part: str, url: str) -> str:
    """The one block of JavaScript that has `part` in it, for the service at that URL."""
    blocks: list[str] = re.findall(r"```js\n(.*?)```", README.read_text(), re.DOTALL)
    (block,) = (block for block in blocks if part in block)
    return at_url(block, url)


def at_url(code: str, url: str) -> str:
    """Code for a service on port 8000, for the service at that URL."""
    return code.replace("127.0.0.1:8000", url.removeprefix("http://"))


if __name__ == "__main__":
    text = README.read_text()
    README.write_text(re.sub(f"{_START}.*{_END}", lambda _: settings_markdown(), text, flags=re.DOTALL))
