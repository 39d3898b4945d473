"""Ports for servers that a test stops and starts again at the same address."""

import random
import socket

HOST = "127.0.0.1"
# Below the ephemeral ports (from 32768 on Linux, 49152 elsewhere): otherwise the system could give a server's port to
# another process while the server is down, or connect a client that tries it to itself.
PORTS = range(20_000, 30_000)


def free_port() -> int:
    """Return a loopback port that is free."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """Return different loopback ports that are free."""
    ports: list[int] = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        if len(ports) == count:
            return ports
        with socket.socket() as attempt:
            try:
                attempt.bind((HOST, port))
            except OSError:
                continue
            ports.append(port)
    raise OSError(f"no free port among {PORTS}")
