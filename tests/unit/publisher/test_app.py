"""`run`: who may run it, the loop that waits, and a real process from start to end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.publisher.sim import FakeClock, Host, quick_folder

from cpu_publisher import app, probe
from cpu_publisher.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PUBLISHER = Path(__file__).parents[3] / "publisher"


@pytest.fixture
def host() -> Iterator[Host]:
    with quick_folder() as root:
        host = Host(root)
        yield host
        host.stop()


def test_nobody_runs_it_as_root_or_as_the_collector(host: Host) -> None:
    settings = host.settings
    with pytest.raises(SettingsError, match=r"refuses to run as root.*chown"):
        app.check_user(settings, 0)
    with pytest.raises(SettingsError, match="share the uid 60711"):
        app.check_user(settings, 60_711)
    app.check_user(settings, 1_000)
    host.environ["ISOLATION"] = "off"
    app.check_user(host.settings, 0)
    app.check_user(host.settings, 60_711)


def test_a_wait_ends_at_once_when_woken_before_or_during_it() -> None:
    wake = app.Wake()
    wake.now()
    began = time.monotonic()
    wake.wait(60)
    threading.Timer(0.01, wake.now).start()
    wake.wait(60)
    for _ in range(100_000):
        wake.now()  # a pipe holds 65,536 bytes
    wake.wait(60)
    assert time.monotonic() - began < 10
    assert not wake.stopped
    wake.stop()
    assert wake.stopped


def test_the_loop_says_each_turn_how_long_it_may_be_silent(tmp_path: Path) -> None:
    wake, clock, heartbeat = app.Wake(), FakeClock(0), tmp_path / "heartbeat"
    beats: list[str] = []

    def tick() -> float:
        if heartbeat.exists():
            beats.append(heartbeat.read_text())
            wake.stop()
        clock.go(500)
        wake.now()
        return 299.5

    app.loop(tick, wake, clock, heartbeat)
    assert beats == ["1000500 359500\n"]
    assert probe.judge(beats[0], 1_000_500) == ""
    assert probe.judge(beats[0], 1_000_500 + 359_501) != ""


def until(true: Callable[[], Any], what: str, seconds: float = 20) -> Any:  # noqa: ANN401 - whatever it found
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.005)
    raise AssertionError(f"{what} did not come within {seconds} s")


def ask(port: int, path: str) -> tuple[int, bytes] | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except OSError:
        return None


def free_port() -> int:
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        return int(probe_socket.getsockname()[1])


def start(host: Host) -> subprocess.Popen[str]:
    environ = {**host.environment, "PYTHONPATH": str(PUBLISHER)}
    return subprocess.Popen(
        [sys.executable, "-m", "cpu_publisher", "run"], env=environ, stderr=subprocess.PIPE, text=True
    )


def test_a_real_process_answers_wakes_up_and_ends_in_under_a_second(host: Host) -> None:
    host.environ |= {"ISOLATION": "off", "PORT": str(free_port()), "SOCKET": str(host.root / "collector.sock")}
    port, heartbeat = host.settings.port, host.settings.heartbeat
    with start(host) as process:
        try:
            until(lambda: ask(port, "/livez") == (200, b'{"status": "pass"}\n'), "/livez")
            until(lambda: heartbeat.exists() and heartbeat.read_text(), "a heartbeat")
            report = json.loads((ask(port, "/readyz") or (0, b""))[1])
            assert report["description"] == "starting"
            assert "isolation_off" in report["checks"]
            beat = heartbeat.read_text()
            process.send_signal(signal.SIGHUP)
            until(lambda: heartbeat.read_text() not in (beat, ""), "another turn after SIGHUP")
            assert os.waitpid(process.pid, os.WNOHANG) == (0, 0)
            second = start(host)
            assert second.wait(timeout=20) == 2
            assert f"CPUTRACKER_PORT is {port}" in second.communicate()[1]
            began = time.monotonic()
            process.terminate()
            assert process.wait(timeout=5) == 0
            assert time.monotonic() - began < 1
        finally:
            process.kill()
        assert not heartbeat.exists()
        assert process.stderr is not None
        log = process.stderr.read()
    assert "session open" in log
    assert "preset hour" in log
    assert "Traceback" not in log


def test_a_heartbeat_that_cannot_be_written_is_told(host: Host) -> None:
    (host.root / "run").touch()
    with pytest.raises(SettingsError, match=r"CPUTRACKER_HEARTBEAT is .*/run/heartbeat, which cannot be written"):
        app._make_folder(host.settings.heartbeat)
