"""The hand-off socket: writes the newest record to each peer and reads nothing.

While a window is measured nobody calls this module: new peers wait in the kernel's queue, which holds more than any
crowd that the tests send, and whatever they do cannot move a reading.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import struct

from cpu_collector.errors import HandoffError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_PEERS = 4
_QUEUE = 128
_UMASK = 0o117  # the socket gets mode 0660: owner and hand-off group
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7)); the pid is 0 across PID namespaces
_GONE = select.POLLHUP | select.POLLRDHUP | select.POLLERR | select.POLLNVAL


class Server:
    """A listening Unix socket and its peers, driven by the poll object it is given.

    Args:
        path: of the socket; a stale one is removed first.
        publisher_uid: the only uid that is served; any other gets 0 bytes.
        poller: poll object that the owner waits on; its events come back by `handle`.
        count: told each peer that is refused or dropped, by reason: `uid`, `full` or `slow`.

    Raises:
        HandoffError: the socket cannot be made.
    """

    def __init__(self, path: str, publisher_uid: int, poller: select.poll, count: Callable[[str], None]) -> None:
        self._path = path
        self._publisher_uid = publisher_uid
        self._poller = poller
        self._count = count
        self._peers: dict[int, socket.socket] = {}
        self._newest = b""
        self._listener = _listen(path)
        poller.register(self._listener, select.POLLIN)

    def handle(self, events: Iterable[tuple[int, int]]) -> None:
        """Act on what poll said of our sockets: hang-ups first, so that a publisher that reconnects finds room."""
        for fd, event in events:
            if fd in self._peers and event & _GONE:
                self._drop(fd)
        if any(fd == self._listener.fileno() for fd, _ in events):
            self._accept()

    def publish(self, line: bytes) -> None:
        """Hand `line` to each peer, and to whoever connects until the next one."""
        self._newest = line
        for fd in list(self._peers):
            self._send(fd)

    def close(self) -> None:
        """Close everything and take the socket away."""
        for fd in list(self._peers):
            self._drop(fd)
        self._poller.unregister(self._listener)
        self._listener.close()
        try:
            os.unlink(self._path)  # noqa: PTH108 - pathlib costs 0.6 MB of the collector's 11
        except OSError:
            return  # somebody took it away: as wanted

    def _accept(self) -> None:
        for _ in range(_QUEUE):  # a bound: whoever connects without end must not keep us here
            try:
                peer, _ = self._listener.accept()
            except OSError:  # nobody left, or gone before we came
                return
            if _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1] != (
                self._publisher_uid
            ):
                self._count("uid")
                peer.close()
            elif len(self._peers) >= MOST_PEERS:
                self._count("full")
                peer.close()
            else:
                peer.settimeout(0)
                self._peers[peer.fileno()] = peer
                self._poller.register(peer, select.POLLRDHUP)  # never POLLIN: nothing is ever read
                if self._newest:
                    self._send(peer.fileno())

    def _send(self, fd: int) -> None:
        """Hand the newest line to a peer, whole or never: one that does not keep up is dropped."""
        try:
            whole = self._peers[fd].send(self._newest) == len(self._newest)
        except BlockingIOError:
            whole = False
        except OSError:  # it hung up
            self._drop(fd)
            return
        if not whole:
            self._count("slow")
            self._drop(fd)

    def _drop(self, fd: int) -> None:
        peer = self._peers.pop(fd)
        self._poller.unregister(peer)
        peer.close()


def _listen(path: str) -> socket.socket:
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)  # noqa: PTH108 - as above
    except FileNotFoundError:
        pass
    except OSError as error:
        raise HandoffError(f"cannot remove the stale socket {path}: {error.strerror}") from None
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(_UMASK)
    try:
        listener.bind(path)
        listener.listen(_QUEUE)
        listener.settimeout(0)
    except OSError as error:
        listener.close()
        raise HandoffError(
            f"cannot listen on {path}: {error.strerror or error}; the folder must exist and be writable for uid"
            f" {os.geteuid()} (CPUTRACKER_SOCKET)"
        ) from None
    finally:
        os.umask(umask)
    return listener
