from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from cpu_collector.errors import HandoffError
from cpu_collector.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Rig:
    """A server on a real socket, and what connects to it."""

    def __init__(self, folder: Path, uid: int | None = None) -> None:
        self.path = folder / "s"
        self.poller = select.poll()
        self.counts = Counter[str]()
        uid = os.getuid() if uid is None else uid
        self.server = Server(str(self.path), uid, self.poller, lambda reason: self.counts.update([reason]))
        self.peers: list[socket.socket] = []

    def connect(self) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(2)
        peer.connect(str(self.path))
        self.peers.append(peer)
        return peer

    def turn(self) -> None:
        self.server.handle(self.poller.poll(0))

    def pending(self) -> list[tuple[int, int]]:
        return self.poller.poll(0)

    def close(self) -> None:
        self.server.close()
        for peer in self.peers:
            peer.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def test_a_peer_gets_the_newest_record_and_each_next_one(rig: Rig) -> None:
    rig.server.publish(b"old\n")
    rig.server.publish(b"one\n")
    peer = rig.connect()
    rig.turn()
    rig.server.publish(b"two\n")
    assert peer.recv(100) == b"one\ntwo\n"
    again = rig.connect()
    rig.turn()
    assert again.recv(100) == b"two\n"


def test_before_the_first_window_there_is_nothing_to_get(rig: Rig) -> None:
    peer = rig.connect()
    rig.turn()
    peer.settimeout(0)
    with pytest.raises(BlockingIOError):
        peer.recv(1)
    rig.server.publish(b"one\n")
    assert peer.recv(100) == b"one\n"


def test_another_uid_gets_no_byte(tmp_path: Path) -> None:
    rig = Rig(tmp_path, os.getuid() + 1)
    rig.server.publish(b"one\n")
    peer = rig.connect()
    rig.turn()
    rig.server.publish(b"two\n")
    assert peer.recv(100) == b""
    assert rig.counts == {"uid": 1}
    rig.close()


def test_a_fifth_peer_is_closed_at_once_and_a_hang_up_makes_room(rig: Rig) -> None:
    rig.server.publish(b"one\n")
    peers = [rig.connect() for _ in range(5)]
    rig.turn()
    assert [peer.recv(100) for peer in peers] == [b"one\n"] * 4 + [b""]
    assert rig.counts == {"full": 1}
    peers[0].close()
    last = rig.connect()  # the hang-up and the new peer are noticed in one turn
    rig.turn()
    assert last.recv(100) == b"one\n"
    assert rig.counts == {"full": 1}


def test_what_peers_write_wakes_nobody_and_is_never_read(rig: Rig) -> None:
    peer = rig.connect()
    rig.turn()
    peer.sendall(b"x" * 1_000)
    assert rig.pending() == []
    peer.settimeout(0)
    with contextlib.suppress(BlockingIOError):
        for _ in range(1_000):
            peer.send(b"x" * 10_000)
    with pytest.raises(BlockingIOError):  # the kernel's buffer is full, and nobody empties it
        peer.send(b"x")


def test_a_reader_that_never_reads_is_dropped_and_delays_nobody(rig: Rig) -> None:
    lazy, good = rig.connect(), rig.connect()
    rig.turn()
    line = b"x" * 400 + b"\n"
    sent = 0
    while not rig.counts:
        rig.server.publish(line)
        assert good.recv(1_000) == line
        sent += 1
        assert sent < 10_000
    assert rig.counts == {"slow": 1}
    received = b""
    while part := lazy.recv(100_000):
        received += part
    assert received == line * (len(received) // len(line))  # whole lines only, then the end


def test_a_peer_that_died_between_two_turns_is_dropped(rig: Rig) -> None:
    rig.connect().close()
    rig.turn()
    rig.server.publish(b"one\n")
    assert rig.pending() == []
    assert rig.counts == {}


def test_a_half_closed_peer_is_a_hang_up(rig: Rig) -> None:
    peer = rig.connect()
    rig.turn()
    peer.shutdown(socket.SHUT_WR)
    rig.turn()
    assert peer.recv(1) == b""
    assert rig.pending() == []


def test_the_socket_is_for_owner_and_group_and_the_umask_is_put_back(rig: Rig) -> None:
    mode = rig.path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o660
    umask = os.umask(0o077)
    os.umask(umask)
    assert umask != 0o117


def test_a_stale_socket_is_replaced_and_the_end_leaves_none(tmp_path: Path) -> None:
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "s"))
    stale.close()
    rig = Rig(tmp_path)
    rig.connect()
    rig.turn()
    rig.close()
    assert not rig.path.exists()


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("somebody's")
    with pytest.raises(HandoffError, match="CPUTRACKER_SOCKET"):
        Rig(tmp_path)
    assert (tmp_path / "s").read_text() == "somebody's"


def test_a_missing_folder_or_a_long_path_is_said(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path / ("x" * 120)):
        with pytest.raises(HandoffError, match="CPUTRACKER_SOCKET"):
            Rig(folder)
