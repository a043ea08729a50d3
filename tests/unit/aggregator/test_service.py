"""The program itself: a real process with page and rounds, and its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.aggregator.sites import HOUR, put, raw, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parents[3] / "aggregator"
NOBODY = 65_534
# As root, everything that is imported late must be in memory before the uid changes: Python may lie in root's home.
PROGRAM = """
import os, sys, _strptime, encodings.idna, encodings.ascii, encodings.latin_1, logging.handlers
sys.path.insert(0, sys.argv[1])
from cpu_aggregator import cli
if os.geteuid() == 0:
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
sys.exit(cli.main(["run"]))
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def environ(tmp_path: Path, port: int) -> dict[str, str]:
    folders = {name: tmp_path / name for name in ("datasites", "public", "state")}
    for path in folders.values():
        path.mkdir()
        os.chown(path, NOBODY if os.geteuid() == 0 else -1, -1)
    for path in (tmp_path, *tmp_path.parents):  # pytest makes its own for root alone
        if os.geteuid() == 0 and path.stat().st_mode & 0o7777 == 0o700:
            path.chmod(0o755)
    return {
        "PATH": os.environ["PATH"],
        "CPUTRACKER_DATASITES_DIR": str(folders["datasites"]),
        "CPUTRACKER_PUBLIC_DIR": str(folders["public"]),
        "CPUTRACKER_STATE_DIR": str(folders["state"]),
        "CPUTRACKER_HEARTBEAT": str(folders["state"] / "heartbeat"),
        "CPUTRACKER_SETTLE_SECONDS": "1",
        "CPUTRACKER_PORT": str(port),
    }


def start(environ: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-B", "-c", PROGRAM, str(PACKAGE), str(NOBODY)]
    return subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def running(environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = start(environ)
    yield process
    process.kill()
    process.communicate()


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def await_first_round(process: subprocess.Popen[str], environ: dict[str, str]) -> None:
    deadline = time.monotonic() + 20
    while not Path(environ["CPUTRACKER_HEARTBEAT"]).exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError(process.communicate()[1])
        time.sleep(0.02)


def test_it_runs_shows_and_ends_cleanly(
    tmp_path: Path, environ: dict[str, str], port: int, running: subprocess.Popen[str]
) -> None:
    slot = int((time.time() - 60) // HOUR) * HOUR - HOUR
    for participant in range(11):
        content = raw(slot=slot, ledger_id=f"{participant:032x}", timestamp=stamp(slot + HOUR + 17))
        put(tmp_path / "datasites", f"u{participant}@example.com", content)
    await_first_round(running, environ)
    assert get(port, "/livez")[0] == 200
    assert get(port, "/readyz")[0] == 200
    assert get(port, "/")[0] == 200
    began = time.monotonic()
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=10) == 0
    assert time.monotonic() - began < 2  # one second on an idle machine
    assert running.stderr is not None
    assert "stopping" in running.stderr.read()


def test_readyz_says_what_is_wrong(tmp_path: Path, environ: dict[str, str], port: int) -> None:
    (tmp_path / "datasites").rmdir()
    process = start(environ)
    try:
        await_first_round(process, environ)
        code, content = get(port, "/readyz")
        assert code == 503
        assert "datasites_unreadable" in json.loads(content)["checks"]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"CPUTRACKER_HEARTBEAT": "/nonexistent/heartbeat"}, "CPUTRACKER_HEARTBEAT"),
        ({"CPUTRACKER_PORT": "taken"}, "CPUTRACKER_PORT"),
    ],
)
def test_what_hinders_the_start_is_said(environ: dict[str, str], change: dict[str, str], says: str) -> None:
    with socket.socket() as holder:
        holder.bind(("0.0.0.0", 0))  # noqa: S104 - the address that the program wants
        holder.listen()
        taken = str(holder.getsockname()[1])
        changed = {name: taken if value == "taken" else value for name, value in change.items()}
        process = start({**environ, **changed})
        said = process.communicate(timeout=20)[1]
    assert process.returncode == 1
    assert says in said
    assert "Traceback" not in said
