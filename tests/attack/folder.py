"""Runs in a container: try to change the hand-off's folder. Prints {try: "ok" or the error's name}."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SOCKET = "/handoff/collector.sock"


def bind() -> None:
    """Listen there ourselves."""
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).bind("/handoff/other.sock")


def rename() -> None:
    """Move the socket away, and back again for the tries that follow."""
    os.rename(SOCKET, "/handoff/moved")  # noqa: PTH104 - plain calls, one a try
    os.rename("/handoff/moved", SOCKET)  # noqa: PTH104 - as above


TRIES: dict[str, Callable[[], object]] = {
    "touch": lambda: os.open("/handoff/new", os.O_CREAT | os.O_WRONLY, 0o600),
    "mkdir": lambda: os.mkdir("/handoff/new-folder"),  # noqa: PTH102 - plain calls, one a try
    "rename": rename,
    "link": lambda: os.link(SOCKET, "/handoff/linked"),
    "chmod": lambda: os.chmod(SOCKET, 0o666),  # noqa: PTH101, S103 - as above
    "bind": bind,
    "rm": lambda: os.unlink(SOCKET),  # noqa: PTH108 - as above
}
found = {}
for name, attempt in TRIES.items():
    try:
        attempt()
        found[name] = "ok"
    except OSError as error:
        found[name] = errno.errorcode.get(error.errno or 0, str(error))
sys.stdout.write(json.dumps(found) + "\n")
