"""The names that this service answers to.

With DNS rebinding, a page makes a browser take the service for the page's own host: the name in the URL is the page's,
and the address behind it the service's. Only the Host header tells. Loopback names are always right, for nobody else
can have them, and so is the address that the service listens on.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from kvs_graphql.loopback import is_loopback

ANY_HOST = "*"

_HOSTS_CACHED = 256


class Hosts:
    """Allows the names that are given, with `*.` for all below one, or any for `*`."""

    def __init__(self, names: Sequence[str], listening: str) -> None:
        """`listening` is the address or name that the service listens on, which decides what an empty list means."""
        given = names or (() if is_loopback(listening) else (ANY_HOST,))
        self._allows_any = ANY_HOST in given
        self._names = frozenset(name.strip("[]").lower() for name in (*given, listening))
        self._suffixes = tuple(name[1:].lower() for name in given if name.startswith("*."))
        # Clients send few different ones, and every request is checked.
        self.allows = lru_cache(_HOSTS_CACHED)(self._allows)

    def _allows(self, host: bytes) -> bool:
        name = _name_in(host)
        if name is None:
            return False
        if self._allows_any:
            return True
        return is_loopback(name) or name in self._names or (bool(self._suffixes) and name.endswith(self._suffixes))


def is_address(host: bytes) -> bool:
    """Whether a Host header has an address instead of a name."""
    name = _name_in(host)
    return name is not None and _address(name) is not None


def _name_in(host: bytes) -> str | None:
    """The name or address in a Host header; None where it has another form."""
    try:
        text = host.decode("ascii")
        parts = urlsplit(f"//{text}")
        name, _ = parts.hostname, parts.port
    except ValueError:
        return None
    if name is None or parts.netloc != text or parts.username is not None:
        return None
    return name.removesuffix(".")


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None
