from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.unit.publisher.views import ACTIVE
from waitress import wasyncore

from cpu_publisher import server, web

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def running() -> Iterator[server.Server]:
    one = server.serve(web.create_app(lambda: ACTIVE, ()), 0, "127.0.0.1")
    thread = threading.Thread(target=one.run, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        began = time.monotonic()
        one.close()
        thread.join(5)
        assert not thread.is_alive()
        assert time.monotonic() - began < 0.5


def raw(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
        return answer


def test_serves_without_naming_itself_and_ends_at_once() -> None:
    with running() as one:
        connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=5)
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.getheader("Server") is None
        assert answer.getheader("Cache-Control") == "no-store"
        connection.close()


def test_a_request_without_host_or_too_large_is_refused() -> None:
    with running() as one:
        assert raw(one.port, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 421")
        assert raw(one.port, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 421")
        large = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000\r\n\r\n"
        assert raw(one.port, large).startswith(b"HTTP/1.1 413")


def test_close_from_a_signal_handler_ends_run_in_the_same_thread() -> None:
    one = server.serve(web.create_app(lambda: ACTIVE, ()), 0, "127.0.0.1")
    before = signal.signal(signal.SIGUSR1, lambda *_: one.close())
    try:
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
        timer.start()
        began = time.monotonic()
        one.run()
        assert time.monotonic() - began < 1
        timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_close_before_run_and_twice() -> None:
    one = server.serve(web.create_app(lambda: ACTIVE, ()), 0, "127.0.0.1")
    one.close()
    one.run()
    one.close()
    with pytest.raises(OSError):  # noqa: PT011 - refused
        socket.create_connection(("127.0.0.1", one.port), timeout=1)


def test_the_trigger_outlives_the_close_that_pulls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    one = server.serve(web.create_app(lambda: ACTIVE, ()), 0, "127.0.0.1")
    thread = threading.Thread(target=one.run, daemon=True)
    thread.start()
    pull = one._server.pull_trigger

    def late() -> None:
        """The loop was awake anyway and has seen that it is over."""
        pull()
        thread.join(0.1)
        pull()

    monkeypatch.setattr(one._server, "pull_trigger", late)
    one.close()
    thread.join(1)
    assert not thread.is_alive()


def test_a_full_house_of_dribblers_is_shown_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection ends after its lifetime, whatever it sends, and the server answers again."""
    monkeypatch.setattr(server, "CONNECTIONS", 6)
    monkeypatch.setattr(server, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(server, "LIFETIME_SECONDS", 0.3)
    with running() as one, ExitStack() as held:
        for _ in range(12):
            dribbler = held.enter_context(socket.create_connection(("127.0.0.1", one.port), timeout=5))
            dribbler.sendall(b"GET / HTTP/1.1\r\nX:")
        connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=5)
        connection.request("GET", "/livez")
        assert connection.getresponse().status == 200
        connection.close()


def test_idle_it_never_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[float] = []
    poll = wasyncore.poll2

    def counted(timeout: float, table: dict[int, object]) -> None:
        turns.append(timeout)
        poll(timeout, table)

    monkeypatch.setattr(wasyncore, "poll2", counted)
    with running():
        time.sleep(0.2)  # what is shown is that nothing happens
        assert turns == [server.IDLE_SECONDS]
