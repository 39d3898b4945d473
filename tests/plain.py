"""HTTP without TLS."""

import ssl

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For httpx's clients of plain URLs. It trusts nobody; by default, each client reads all authorities, for 40 ms."""
