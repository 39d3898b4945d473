"""The clients of docs/clients.md, whose table and setups `python -m tests.clients.matrix` writes."""

import re
from pathlib import Path

from tests.clients.client import Capability, Client
from tests.clients.javascript import JAVASCRIPT
from tests.clients.other_runtimes import OTHER_RUNTIMES
from tests.clients.python_clients import PYTHON
from tests.clients.toolchains import TOOLCHAINS

CLIENTS: tuple[Client, ...] = (*JAVASCRIPT, *OTHER_RUNTIMES, *PYTHON, *TOOLCHAINS)
DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "clients.md"
_START, _END = "<!-- clients -->", "<!-- /clients -->"
_NO = "–"  # noqa: RUF001 - a dash
_LANGUAGES = {".js": "js", ".ts": "ts", ".py": "python", ".go": "go", ".rs": "rust", ".yaml": "yaml"}


def documented(text: str) -> str:
    """Return the text of the document with the table and the setups as they are now."""
    return re.sub(f"{_START}.*{_END}", lambda _: _markdown(), text, flags=re.DOTALL)


def _markdown() -> str:
    setups = [_section(client) for client in CLIENTS if client.setup]
    return "\n".join([_START, _table(), "", "## Setups", "", *setups, _END])


def _table() -> str:
    columns = ["client", "version", *Capability]
    rows = [
        [client.name, client.version, *("yes" if capability in client.can else _NO for capability in Capability)]
        for client in CLIENTS
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [columns, ["---"] * len(columns), *rows])


def _section(client: Client) -> str:
    assert client.setup is not None
    note = f"{client.note}\n\n" if client.note else ""
    language = _LANGUAGES[client.setup.suffix]
    return f"### {client.name}\n\n{note}```{language}\n{client.setup.read_text().strip()}\n```\n"


if __name__ == "__main__":
    DOCUMENT.write_text(documented(DOCUMENT.read_text()))
