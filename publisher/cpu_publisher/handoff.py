"""The publisher's end of the hand-off: bounded lines from the collector's Unix socket, and patience when it is away.

The collector is not trusted: its uid is checked, lines and their rate are bounded, nothing is ever written to it.
A thread of its own runs `Client.run`; while nothing arrives it sleeps in poll without a time-out.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Literal, get_args

from cpu_publisher.record import LINE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Trouble = Literal[
    "absent", "denied", "refused", "wrong_uid", "hung_up", "half_line", "slow_line", "too_long", "flooding"
]
TROUBLES: tuple[Trouble, ...] = get_args(Trouble)
FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 5.0
SETTLED_SECONDS = 1.0  # a connection that lasted this long is tried again fast
LINE_SECONDS = 2.0  # the collector writes a line at once: one that takes longer is not its
WORK_PER_SECOND = 50  # reads and lines; the collector needs 2 per sample interval
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid (unix(7), SO_PEERCRED)


class Client:
    """Reads the collector's lines until it is closed. Made for one `run`.

    Attributes:
        path: the socket.
        server_uid: the uid its server must have.
        on_line: called in the running thread with each whole line, its newline included; must not raise.
        on_trouble: called with one of TROUBLES each time a connection fails or ends; must not raise.
        first_seconds, longest_seconds: wait before the first retry; it doubles up to the longest.
    """

    def __init__(
        self,
        path: Path,
        server_uid: int,
        on_line: Callable[[bytes], None],
        on_trouble: Callable[[str], None],
        *,
        first_seconds: float = FIRST_RETRY_SECONDS,
        longest_seconds: float = LONGEST_RETRY_SECONDS,
    ) -> None:
        self.path = path
        self.server_uid = server_uid
        self.on_line = on_line
        self.on_trouble = on_trouble
        self.first_seconds = first_seconds
        self.longest_seconds = longest_seconds
        self._closed, self._closer = socket.socketpair()  # readable once the other end is closed, and for good

    def close(self) -> None:
        """End `run` at once. From any thread, any number of times, also before `run`."""
        self._closer.close()

    def run(self) -> None:
        """Connect, read, and try again, until `close`."""
        delay = self.first_seconds
        with self._closed:
            while True:
                since = time.monotonic()
                trouble = self._connect_and_read()
                if trouble is None:
                    return
                self.on_trouble(trouble)
                if time.monotonic() - since >= SETTLED_SECONDS:
                    delay = self.first_seconds
                if select.select([self._closed], [], [], delay)[0]:
                    return
                delay = min(2 * delay, self.longest_seconds)

    def _connect_and_read(self) -> Trouble | None:
        """One connection, to its end: what ended it, or None when it was `close`."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(0)  # a full backlog refuses at once instead of holding `close` up
            try:
                peer.connect(str(self.path))
            except (FileNotFoundError, NotADirectoryError):
                return "absent"
            except PermissionError:
                return "denied"
            except OSError:
                return "refused"
            credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            if _CREDENTIALS.unpack(credentials)[1] != self.server_uid:
                return "wrong_uid"
            return self._read(peer)

    def _read(self, peer: socket.socket) -> Trouble | None:
        budget = _Budget()
        pending = b""
        line_since = 0.0
        while True:
            wait = max(0.0, line_since + LINE_SECONDS - time.monotonic()) if pending else None
            ready = select.select([self._closed, peer], [], [], wait)[0]
            if self._closed in ready:
                return None
            if not ready:
                return "slow_line"
            chunk = _receive(peer)
            if not chunk:
                return "half_line" if pending else "hung_up"
            if not pending:
                line_since = time.monotonic()
            *lines, pending = (pending + chunk).split(b"\n")
            if not budget.spend(1 + len(lines)):
                return "flooding"
            for line in lines:
                if len(line) + 1 >= LINE_LIMIT:
                    return "too_long"
                self.on_line(line + b"\n")
                line_since = time.monotonic()
            if len(pending) + 1 >= LINE_LIMIT:
                return "too_long"


class _Budget:
    """Bounds the work that a peer can cause within a second."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._used = 0

    def spend(self, work: int) -> bool:
        """False when this second's work is used up."""
        now = time.monotonic()
        if now - self._since >= 1:
            self._since, self._used = now, 0
        self._used += work
        return self._used <= WORK_PER_SECOND


def _receive(peer: socket.socket) -> bytes:
    """What has arrived; empty at the end of the connection, however it came."""
    try:
        return peer.recv(8 * LINE_LIMIT)
    except OSError:
        return b""
