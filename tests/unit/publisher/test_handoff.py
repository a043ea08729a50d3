"""The publisher's end of the socket: patient with a collector that is away, short with one that lies."""

from __future__ import annotations

import os
import queue
import select
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from cpu_publisher import handoff
from cpu_publisher.errors import RecordRejectedError
from cpu_publisher.handoff import TROUBLES, Client
from cpu_publisher.presets import PRESETS
from cpu_publisher.record import check_fresh, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Start = Callable[..., "Running"]

PATIENCE = 10.0  # seconds until an awaited thing counts as not coming
START_MS = 1_790_000_000_123
LINE = (
    b'{"v":1,"started_at_ms":%d,"boot_ms":86400123,"span_ms":5003,"n":50,"interval_ms":100,"lower":0,"upper":10000,'
    b'"mean":1234}\n'
) % START_MS
OTHER_UID = 60_999  # no process of this machine


class Running:
    """A client in a thread of its own, and what it said."""

    def __init__(self, path: Path, server_uid: int, first: float, longest: float) -> None:
        self.lines: queue.Queue[bytes] = queue.Queue()
        self.troubles: queue.Queue[str] = queue.Queue()
        self.client = Client(
            path, server_uid, self.lines.put, self.troubles.put, first_seconds=first, longest_seconds=longest
        )
        self.thread = threading.Thread(target=self.client.run, daemon=True)
        self.thread.start()

    def line(self) -> bytes:
        return self.lines.get(timeout=PATIENCE)

    def trouble(self) -> str:
        code = self.troubles.get(timeout=PATIENCE)
        assert code in TROUBLES
        return code

    def end(self) -> None:
        """Close, which must not take longer than waking a thread up."""
        since = time.monotonic()
        self.client.close()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        assert time.monotonic() - since < 1


class Collector:
    """A server that says what a test tells it to."""

    def __init__(self, path: Path, backlog: int = 8) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.bind(str(path))
        self.socket.listen(backlog)

    def accept(self) -> socket.socket:
        peer, _ = self.socket.accept()
        peer.settimeout(PATIENCE)
        return peer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "collector.sock"


@pytest.fixture
def collector(path: Path) -> Iterator[Collector]:
    server = Collector(path)
    with server.socket:
        yield server


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts clients, and ends what is left of them."""
    started: list[Running] = []

    def start_one(path: Path, server_uid: int, first: float = 0.01, longest: float = 0.02) -> Running:
        started.append(Running(path, server_uid, first, longest))
        return started[-1]

    yield start_one
    for running in started:
        running.end()


@pytest.fixture
def running(path: Path, collector: Collector, start: Start) -> Running:
    return start(path, os.getuid())


def hung_up(peer: socket.socket) -> bool:
    """True once the client closed; what it wrote before that would come first."""
    try:
        return peer.recv(1) == b""
    except ConnectionResetError:  # it left lines unread
        return True


def talk_until_hung_up(peer: socket.socket, data: bytes, pause: float = 0) -> None:
    until = time.monotonic() + PATIENCE
    with suppress(ConnectionError):
        while time.monotonic() < until:
            peer.sendall(data)
            time.sleep(pause)
        pytest.fail("the client listened to all of it")


def test_lines_arrive_whole_and_in_order_however_they_were_written(running: Running, collector: Collector) -> None:
    with collector.accept() as peer:
        peer.sendall(LINE + LINE[:20])
        assert running.line() == LINE
        peer.sendall(LINE[20:])
        assert running.line() == LINE
        peer.sendall(b"\n" + LINE)
        assert [running.line(), running.line()] == [b"\n", LINE]
    assert running.trouble() == "hung_up"


def test_half_line_at_hang_up_is_dropped_and_said(running: Running, collector: Collector) -> None:
    with collector.accept() as peer:
        peer.sendall(LINE + LINE[:50])
    assert running.trouble() == "half_line"
    with collector.accept() as peer:
        peer.sendall(LINE[50:])
        assert [running.line(), running.line()] == [LINE, LINE[50:]]  # not glued to what came before


def test_line_that_does_not_end_is_hung_up_on(
    path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    monkeypatch.setattr(handoff, "LINE_SECONDS", 0.05)
    running = start(path, os.getuid())
    with collector.accept() as peer:
        peer.sendall(LINE[:50])
        assert running.trouble() == "slow_line"
        assert hung_up(peer)
    running.end()
    assert running.lines.empty()


@pytest.mark.parametrize(
    "data", [b"x" * 512, b"x" * 511 + b"\n", b"[" * 4_096, b"\0" * 600], ids=["open", "ended", "4-kib", "nul"]
)
def test_line_of_512_bytes_is_hung_up_on(running: Running, collector: Collector, data: bytes) -> None:
    with collector.accept() as peer:
        peer.sendall(data)
        assert running.trouble() == "too_long"
        assert hung_up(peer)
    assert running.lines.empty()


def test_longest_line_passes(running: Running, collector: Collector) -> None:
    with collector.accept() as peer:
        peer.sendall(b"x" * 510 + b"\n")
        assert running.line() == b"x" * 510 + b"\n"


@pytest.mark.parametrize("data", [b"\n", LINE, b"x" * 300 + b"\n"], ids=["blank", "records", "long"])
def test_flood_is_hung_up_on_after_a_bounded_number_of_lines(
    running: Running, collector: Collector, data: bytes
) -> None:
    with collector.accept() as peer:
        talk_until_hung_up(peer, data * 20)
    assert running.trouble() == "flooding"
    assert running.lines.qsize() <= handoff.WORK_PER_SECOND


def test_dribble_of_single_bytes_is_a_flood_too(running: Running, collector: Collector) -> None:
    with collector.accept() as peer:
        talk_until_hung_up(peer, b"x", pause=0.0005)  # so that each byte is a read of its own
    assert running.trouble() in {"flooding", "too_long"}


def test_calm_talk_uses_a_new_budget_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    budget = handoff._Budget()
    assert budget.spend(handoff.WORK_PER_SECOND)
    assert not budget.spend(1)
    now[0] = 1.0
    assert budget.spend(handoff.WORK_PER_SECOND)


def test_reconnect_brings_the_newest_record_again_and_it_is_not_newer(running: Running, collector: Collector) -> None:
    last: int | None = None
    reasons = []
    for _ in range(2):
        with collector.accept() as peer:
            peer.sendall(LINE)
            window = decode(running.line(), PRESETS["hour"])
        try:
            check_fresh(window, now_utc_ms=START_MS + 5_100, last_started_ms=last, preset=PRESETS["hour"])
            last = window.started_at_ms
        except RecordRejectedError as refusal:
            reasons.append(refusal.reason)
        assert running.trouble() == "hung_up"
    assert reasons == ["not_newer"]


def test_garbage_reaches_the_decoder_and_the_client_goes_on(running: Running, collector: Collector) -> None:
    with collector.accept() as peer:
        peer.sendall(b"\xff\xfe\0garbage\r\n" + LINE)
        with pytest.raises(RecordRejectedError, match="not_utf8"):
            decode(running.line(), PRESETS["hour"])
        assert decode(running.line(), PRESETS["hour"]).started_at_ms == START_MS


def test_client_writes_nothing(path: Path, collector: Collector, start: Start) -> None:
    running = start(path, os.getuid())
    with collector.accept() as peer:
        peer.sendall(LINE)
        running.line()
        running.end()
        assert hung_up(peer)


def test_server_of_another_uid_is_refused(path: Path, collector: Collector, start: Start) -> None:
    running = start(path, os.getuid() + 1)
    with collector.accept() as peer:
        with suppress(ConnectionError):
            peer.sendall(LINE)
        assert running.trouble() == "wrong_uid"
        assert hung_up(peer)
    running.end()
    assert running.lines.empty()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a server of another uid")
def test_uid_is_that_of_the_process_that_listens_whoever_made_the_socket(path: Path, start: Start) -> None:
    script = (
        "import os, socket, sys\n"
        "server = socket.socket(socket.AF_UNIX)\n"
        "server.bind(sys.argv[1])\n"
        "os.setuid(int(sys.argv[2]))\n"
        "server.listen()\n"
        "print(flush=True)\n"
        "while True:\n"
        "    peer = server.accept()[0]\n"
        "    try:\n"
        "        peer.send(b'x\\n')\n"
        "    except BrokenPipeError:\n"
        "        pass\n"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-c", script, str(path), str(OTHER_UID)], stdout=subprocess.PIPE
    ) as server:
        try:
            assert server.stdout is not None
            server.stdout.readline()
            refused = start(path, 0)
            assert refused.trouble() == "wrong_uid"
            refused.end()
            assert refused.lines.empty()
            served = start(path, OTHER_UID)
            assert served.line() == b"x\n"
            served.end()
        finally:
            server.kill()


def test_socket_that_comes_later_is_found(path: Path, start: Start) -> None:
    running = start(path, os.getuid())
    assert running.trouble() == "absent"
    server = Collector(path)
    with server.socket, server.accept() as peer:
        peer.sendall(LINE)
        assert running.line() == LINE
        running.end()


def test_what_is_not_a_listening_socket_is_said(path: Path, tmp_path: Path, start: Start) -> None:
    path.write_bytes(b"")
    long = tmp_path / ("x" * 200)
    for place, code in ((path, "refused"), (path / "below", "absent"), (tmp_path, "refused"), (long, "refused")):
        running = start(place, os.getuid())
        assert running.trouble() == code
        running.end()


def test_socket_that_its_server_left_behind_is_refused(path: Path, start: Start) -> None:
    Collector(path).socket.close()
    running = start(path, os.getuid())
    assert running.trouble() == "refused"
    running.end()


def test_folder_that_is_closed_to_us_is_said(path: Path, tmp_path: Path, collector: Collector, start: Start) -> None:
    tmp_path.chmod(0)
    if root := os.geteuid() == 0:
        os.seteuid(OTHER_UID)
    try:
        running = start(path, os.getuid())
        assert running.trouble() == "denied"
        running.end()
    finally:
        if root:
            os.seteuid(0)
        tmp_path.chmod(0o700)


def test_full_backlog_does_not_hold_close_up(path: Path, start: Start) -> None:
    server = Collector(path, backlog=0)
    with server.socket, socket.socket(socket.AF_UNIX) as other:
        other.connect(str(path))
        running = start(path, os.getuid(), first=60, longest=60)
        assert running.trouble() == "refused"
        running.end()


def test_close_ends_a_client_that_waits_to_try_again(path: Path, start: Start) -> None:
    running = start(path, os.getuid(), first=60, longest=60)
    assert running.trouble() == "absent"
    running.end()
    running.client.close()


def test_close_ends_a_client_that_is_idle(path: Path, collector: Collector, start: Start) -> None:
    running = start(path, os.getuid())
    with collector.accept() as peer:
        peer.sendall(LINE)
        running.line()
        running.end()
    assert running.troubles.empty()


def test_close_before_run_ends_it_at_once(path: Path) -> None:
    client = Client(path, os.getuid(), lambda _line: None, lambda _code: None)
    client.close()
    client.run()


def waits(monkeypatch: pytest.MonkeyPatch, count: int) -> list[float | None]:
    """Time-outs of the next `count` waits of a client that has no connection; the last one ends it."""
    seen: list[float | None] = []

    def fake(read: list[Any], _write: list[Any], _error: list[Any], timeout: float | None) -> tuple[list[Any], ...]:
        if len(read) > 1:
            return read[1:], [], []
        seen.append(timeout)
        return (read if len(seen) == count else []), [], []

    monkeypatch.setattr(select, "select", fake)
    return seen


def test_retries_are_fast_at_first_and_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = waits(monkeypatch, 7)
    client = Client(path, os.getuid(), lambda _line: None, lambda _code: None)
    client.run()
    client.close()
    assert seen == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])


@pytest.mark.parametrize(("settled", "expected"), [(3_600.0, [0.2, 0.4, 0.8]), (0.0, [0.2, 0.2, 0.2])])
def test_only_a_connection_that_lasted_makes_retries_fast_again(
    path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch, settled: float, expected: list[float]
) -> None:
    def hang_up() -> None:
        for _ in range(3):
            collector.accept().close()

    monkeypatch.setattr(handoff, "SETTLED_SECONDS", settled)
    seen = waits(monkeypatch, 3)
    server = threading.Thread(target=hang_up)
    server.start()
    codes: list[str] = []
    client = Client(path, os.getuid(), lambda _line: None, codes.append)
    monkeypatch.setattr(handoff, "_receive", lambda _peer: b"")
    client.run()
    client.close()
    server.join()
    assert codes == ["hung_up"] * 3
    assert seen == pytest.approx(expected)


def test_idle_client_sleeps_without_a_time_out(
    path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    timeouts: queue.Queue[float | None] = queue.Queue()
    real = select.select

    def spy(read: list[Any], write: list[Any], error: list[Any], timeout: float | None) -> tuple[list[Any], ...]:
        timeouts.put(timeout)
        return real(read, write, error, timeout)

    monkeypatch.setattr(select, "select", spy)
    running = start(path, os.getuid())
    with collector.accept() as peer:
        assert timeouts.get(timeout=PATIENCE) is None
        peer.sendall(LINE)
        running.line()
        assert timeouts.get(timeout=PATIENCE) is None
        running.end()
    assert timeouts.empty()
