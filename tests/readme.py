"""The part of README.md that is made from the settings: `python -m tests.readme` writes it anew."""

import re
from pathlib import Path

from kvs_graphql.cli.options import settings_table

README = Path(__file__).parent.parent / "README.md"
_START, _END = "<!-- settings -->", "<!-- /settings -->"


def settings_markdown() -> str:
    """The table of every setting."""
    rows = [f"| `{line.variable}` | {line.default} | {line.description} |" for line in settings_table()]
    return "\n".join([_START, "| variable | default | meaning |", "|---|---|---|", *rows, _END])


if __name__ == "__main__":
    text = README.read_text()
    README.write_text(re.sub(f"{_START}.*{_END}", lambda _: settings_markdown(), text, flags=re.DOTALL))
