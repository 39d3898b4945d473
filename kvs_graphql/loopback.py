"""Names and addresses that always mean this machine. Pure."""

from ipaddress import ip_address


def is_loopback(name: str) -> bool:
    """Whether a host name or address, in brackets or not, always means this machine."""
    name = name.removeprefix("[").removesuffix("]").lower()
    try:
        address = ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    return ((address.version == 6 and address.ipv4_mapped) or address).is_loopback
