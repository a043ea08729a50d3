"""Runs in a container: what of a network there is. argv: address and port of a server beside it."""

from __future__ import annotations

import errno
import json
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def ask(attempt: Callable[[], object]) -> str:
    """How it ended."""
    try:
        attempt()
    except socket.gaierror:
        return "no name"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "ok"


ADDRESS = (sys.argv[1], int(sys.argv[2]))
found = {
    "interfaces": sorted(name for _, name in socket.if_nameindex()),
    "tcp": ask(lambda: socket.create_connection(ADDRESS, 5)),
    "udp": ask(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ADDRESS)),
    "dns": ask(lambda: socket.getaddrinfo("publisher", 80)),
    "raw": ask(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)),
    "packet": ask(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
}
sys.stdout.write(json.dumps(found) + "\n")
