"""`status`: what the running publisher says of itself, beside what the ledger holds."""

from __future__ import annotations

import http.server
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.unit.publisher.sim import START, Host, no_noise, quick_folder

from cpu_publisher import server, status, web

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def host() -> Iterator[Host]:
    with no_noise(), quick_folder() as root:
        host = Host(root)
        yield host
        host.stop()


@contextmanager
def serving(host: Host) -> Iterator[None]:
    running = server.serve(web.create_app(host.view, ()), 0, "127.0.0.1")
    thread = threading.Thread(target=running.run)
    thread.start()
    host.environ["PORT"] = str(running.port)
    try:
        yield
    finally:
        running.close()
        thread.join(timeout=5)


def test_before_anything_was_released(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.environ["PORT"] = "9"  # nobody listens there
    assert host.cli("status") == 1
    text = capsys.readouterr().out
    assert "stopped (not ready)" in text
    assert "nothing published yet" in text
    assert not list(host.private.iterdir()), "status changes nothing"


def test_of_a_running_publisher(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.run(3_700)
    with serving(host):
        assert host.cli("status", "--json") == 0
        answer = json.loads(capsys.readouterr().out)
        assert host.cli("status") == 0
        text = capsys.readouterr().out
    assert (answer["state"], answer["ready"], answer["findings"]) == ("active", True, [])
    assert answer["last"]["windows"] == 11
    assert answer["next_due"] == START + 7_210
    assert (answer["epsilon_24h_spent"], answer["epsilon_24h_cap"]) == (12, 288)
    assert answer["ledger_id"] == host.read()["ledger_id"]
    assert "11 of 12 windows, due 2026-11-24 13:00:10 UTC, number 2" in text
    assert "ε spent    12 of 288" in text


@pytest.mark.parametrize("embedded", [True, False])
def test_it_names_readers_only_where_there_are_some(embedded: bool) -> None:
    answer = {"state": "active", "ready": True, "preset": "hour", "last": None, "next_due": None, "findings": []}
    place = {"public_path": "/x", "aggregators": ["a@example.org"], "embedded": embedded}
    text = status.text({**answer, **place, "epsilon_24h_spent": 0, "epsilon_24h_cap": 288})
    assert ("read by a@example.org" in text) != embedded
    assert ("a volume that nothing syncs" in text) == embedded


def test_of_one_that_is_not_ready(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.run(3_700)
    host.go(10_000_000)
    with serving(host):
        assert host.cli("status") == 1
    out = capsys.readouterr().out
    assert "active (not ready)" in out
    assert "no valid record from the collector" in out


def test_a_damaged_ledger_is_told(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.run(100)
    host.stop()
    (host.private / "ledger.sqlite3").write_bytes(b"\x17" * 9_000)
    host.environ["PORT"] = "9"
    assert host.cli("status", "--json") == 1
    assert [f["code"] for f in json.loads(capsys.readouterr().out)["findings"]] == ["ledger_corrupt"]
    assert (host.private / "ledger.sqlite3").read_bytes() == b"\x17" * 9_000


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.0 404 X\r\n\r\n<html>",
        b"HTTP/1.0 200 OK\r\n\r\n[]",
        b"HTTP/1.0 200 OK\r\n\r\n{}",
        b"SSH-2.0-x\r\n",
        b"",
    ],
)
def test_another_program_on_the_port_is_not_the_publisher(reply: bytes) -> None:
    class Other(http.server.BaseHTTPRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(reply)

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as other:
        thread = threading.Thread(target=other.handle_request)
        thread.start()
        assert status._ask(other.server_port) == ("stopped", False, [])
        thread.join(timeout=5)


def test_no_proxy_is_asked_for_loopback(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    host.run(100)
    with serving(host):
        assert status._ask(int(host.environ["PORT"]))[0] == "active"
