"""Runs in a container: everything that one process may try against another (pid in argv), and how each try ended.

Prints {try: "ok" or the error's name}. Without ctypes (the collector's image has none) ptrace is not tried.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PTRACE_ATTACH, PTRACE_DETACH = 16, 17
PID = int(sys.argv[1])
PROC = f"/proc/{PID}"


def read(path: str) -> None:
    """Read the first bytes of a file."""
    with open(path, "rb") as file:  # noqa: PTH123 - small and plain: it runs in a container of another image
        file.read(16)


def mem() -> None:
    """Read the other's memory where its map says that there is some."""
    with open(f"{PROC}/maps", encoding="ascii") as maps:  # noqa: PTH123 - as above
        start = int(maps.readline().split("-")[0], 16)
    fd = os.open(f"{PROC}/mem", os.O_RDONLY)
    os.pread(fd, 16, start)


def ptrace() -> None:
    """Attach to it, and let it go again."""
    import ctypes  # noqa: PLC0415 - not in every image

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(PTRACE_ATTACH, PID, None, None):
        raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(PID, 0x40000000)  # __WALL: it is no child of ours
    libc.ptrace(PTRACE_DETACH, PID, None, None)


TRIES: dict[str, Callable[[], object]] = {
    "environ": lambda: read(f"{PROC}/environ"),
    "root": lambda: os.listdir(f"{PROC}/root/private"),  # noqa: PTH208 - as above
    "cwd": lambda: os.listdir(f"{PROC}/cwd"),  # noqa: PTH208 - as above
    "fd": lambda: os.listdir(f"{PROC}/fd"),  # noqa: PTH208 - as above
    "mem": mem,
    "kill": lambda: os.kill(PID, signal.SIGURG),  # ignored by default: permission is what is asked
    "ptrace": ptrace,
    "setns": lambda: os.setns(os.open(f"{PROC}/ns/net", os.O_RDONLY), 0),  # type: ignore[attr-defined] # Python 3.12, as in the images
}
found = {}
for name, attempt in TRIES.items():
    try:
        attempt()
        found[name] = "ok"
    except OSError as error:
        found[name] = errno.errorcode.get(error.errno or 0, str(error))
    except ImportError:
        found[name] = "not tried"
sys.stdout.write(json.dumps(found) + "\n")
