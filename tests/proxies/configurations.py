"""The configurations in docs/proxies.md, with the addresses of a test."""

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parent.parent.parent / "docs" / "proxies.md"
SERVICE = "127.0.0.1:8000"


@dataclass(frozen=True)
class Place:
    """Where a proxy serves the service."""

    heading: str
    prefix: str = ""
    """The prefix in the browser's address."""
    root_path: str = ""
    """The value of KVS_ROOT_PATH."""


AT_ROOT = Place("At the root of a host")
STRIPPED = Place("Under a prefix that the proxy strips", "/kvs")
PASSED_ON = Place("Under a prefix that the proxy passes on", "/kvs", "/kvs")
BARE = Place("With nginx's defaults alone")


def configuration(language: str, place: Place, service: str, port_line: str, listening: str) -> str:
    """Return the only block of a language below a heading, for these addresses.

    `port_line` is how the block says where the proxy listens, and `listening` replaces it.
    """
    _, _, section = PAGE.read_text().partition(f"## {place.heading}\n")
    section, _, _ = section.partition("\n## ")
    (block,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert (block.count(port_line), block.count(SERVICE)) == (1, 1)
    text: str = block.replace(port_line, listening).replace(SERVICE, service)
    return text
