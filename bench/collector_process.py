"""A real collector as a process of its own, for the scripts beside this one."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).resolve().parents[1] / "collector" / "cpu_collector"
PATIENCE_SECONDS = 120  # a record that has not come by then never will


class Collector:
    """A running collector that this script reads as its publisher would.

    Attributes:
        pid: of its process.
        log: path of what it wrote to stderr.
        heartbeat: path of its heartbeat file.
    """

    def __init__(self, pid: int, folder: Path, peer: socket.socket) -> None:
        self.pid = pid
        self.log = folder / "log"
        self.heartbeat = folder / "heartbeat"
        self._lines = peer.makefile("rb")

    def record(self) -> dict[str, Any]:
        """The next record, waited for."""
        line = self._lines.readline()
        if not line:
            raise RuntimeError(f"the collector ended: {self.log.read_text()}")
        return dict(json.loads(line))

    def cpu_seconds(self) -> float:
        """CPU time it has used, from the scheduler's own account (nanoseconds, not ticks)."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9

    def memory_mb(self) -> dict[str, float]:
        """PSS and RSS in MB of 10^6 bytes."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
        sizes = {name: int(rest.split()[0]) for name, rest in (line.split(":") for line in lines)}
        return {"pss": sizes["Pss"] * 1_024 / 1e6, "rss": sizes["Rss"] * 1_024 / 1e6}


@contextlib.contextmanager
def collector(**settings: str) -> Iterator[Collector]:
    """Start one with these settings (`CPUTRACKER_` left out), as this script's user: that costs the same."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environ = {
            "PYTHONPATH": str(PACKAGE.parent),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CPUTRACKER_SOCKET": str(folder / "socket"),
            "CPUTRACKER_HEARTBEAT": str(folder / "heartbeat"),
            "CPUTRACKER_PUBLISHER_UID": str(os.getuid()),
            "CPUTRACKER_ISOLATION": "off",
            **{f"CPUTRACKER_{key}": value for key, value in settings.items()},
        }
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "cpu_collector", "run"],
                env=environ,
                stderr=log,
            )
        try:
            with _connect(folder, process) as peer:
                yield Collector(process.pid, folder, peer)
        finally:
            process.terminate()
            process.wait(timeout=10)


def _connect(folder: Path, process: subprocess.Popen[bytes]) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(PATIENCE_SECONDS)
    while process.poll() is None:
        try:
            peer.connect(str(folder / "socket"))
        except OSError:
            time.sleep(0.05)
        else:
            return peer
    peer.close()
    raise RuntimeError(f"the collector did not start: {(folder / 'log').read_text()}")
