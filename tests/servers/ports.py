"""Ports for servers of tests, which may end and start again on the same one: none of those that the system gives to
connections (`net.ipv4.ip_local_port_range`), or a stranger's may have it in between. Each process counts on from a
place of its own."""

import itertools
import secrets
import socket
from pathlib import Path
from typing import Final

LOWEST: Final = 10_000
RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
CONNECTIONS: Final = int(RANGE.read_text().split()[0]) if RANGE.exists() else 32_768
COUNT: Final = max(CONNECTIONS, 2 * LOWEST) - LOWEST
_NEXT: Final = itertools.count(secrets.randbelow(COUNT))


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that no connection will be given."""
    while True:
        port = LOWEST + next(_NEXT) % COUNT
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what has ended does not count
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
