"""Which client a connection or a request is of, for the limits that hold per client.

The client is the peer, unless the peer is a trusted proxy: then it is the last address in X-Forwarded-For that is not a
trusted proxy's. Each proxy appends the address that it sees, so whatever a client writes into the header itself comes
before that address and is not read. Where the header has no address, the proxy that wrote it is the client.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

_HOPS_MAX = 16
"""More proxies than any request passes; each costs time."""


class ClientAddresses:
    """Finds clients behind trusted proxies: addresses, networks, or "*" for every peer.

    With "*", only the proxy that connects is trusted: other proxies before it need their networks named.
    """

    def __init__(self, trusted: Sequence[str]) -> None:
        self._trusts_peers = "*" in trusted
        self._networks = [ip_network(network) for network in trusted if network != "*"]

    def trusts(self, peer: str) -> bool:
        """Tell whether the peer is a trusted proxy."""
        return self._trusts_peers or self._is_proxy(_address(peer))

    def client(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """Return who is counted: an IPv4 address, or the network of an IPv6 address, of which a client has them all."""
        found = _address(peer)
        if forwarded_for and (self._trusts_peers or self._is_proxy(found)):
            for hop in reversed(",".join(forwarded_for).rsplit(",", _HOPS_MAX)[-_HOPS_MAX:]):
                address = _address(hop)
                if address is None:
                    break
                found = address
                if not self._is_proxy(address):
                    break
        return peer if found is None else _counted(found)

    def of_request(self, scope: Scope) -> str:
        """Return who is counted for an ASGI connection."""
        peer = scope.get("client")
        forwarded_for = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        return self.client(peer[0] if peer else "", forwarded_for)

    def _is_proxy(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address, with or without a port."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.version == 6 and address.ipv4_mapped) or address


def _counted(address: IPv4Address | IPv6Address) -> str:
    # As a number, an IPv6 address has no zone, which could be any text.
    return str(address if address.version == 4 else IPv6Network((int(address), 64), strict=False))
