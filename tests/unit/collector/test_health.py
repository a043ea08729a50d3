from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cpu_collector import health, heartbeat
from cpu_collector.errors import HandoffError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("line", "boot_ms", "wrong"),
    [
        ("1000000 300\n", 1_000_000, ""),
        ("1000000 300\n", 1_615_000, ""),
        ("1000000 300\n", 1_615_001, "sampling loop silent"),
        ("1000000 300\n", 700_000, ""),
        ("1000000 300\n", 699_999, "sampling loop silent"),
        ("1000000\n", 1_000_000, "heartbeat unreadable"),
        ("", 1_000_000, "heartbeat unreadable"),
        ("1000000 300 1\n", 1_000_000, "heartbeat unreadable"),
        ("nan 300\n", 1_000_000, "heartbeat unreadable"),
    ],
)
def test_judge(line: str, boot_ms: int, wrong: str) -> None:
    assert health.judge(line, boot_ms) == wrong


def probe(path: Path) -> tuple[int, str]:
    """Exit code and output of the file as Docker runs it."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", health.__file__],
        env={"CPUTRACKER_HEARTBEAT": str(path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_the_probe_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "heartbeat"
    assert probe(path) == (1, "no heartbeat\n")
    heartbeat.write(str(path), time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 10**6, 300)
    assert path.stat().st_mode & 0o777 == 0o600
    assert probe(path) == (0, "ok\n")
    path.write_bytes(b"\xff\xfe")
    assert probe(path) == (1, "no heartbeat\n")


def test_the_default_path_is_the_collectors() -> None:
    from cpu_collector.settings import read  # noqa: PLC0415 - the rest of the file runs without it

    assert read({"CPUTRACKER_PUBLISHER_UID": "1"}).heartbeat == health.DEFAULT_PATH


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(HandoffError, match="CPUTRACKER_HEARTBEAT"):
        heartbeat.write(str(tmp_path / "none" / "heartbeat"), 1, 300)


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "heartbeat.tmp").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HandoffError):
        heartbeat.write(str(tmp_path / "heartbeat"), 1, 300)
    assert not (tmp_path / "elsewhere").exists()


def test_remove_is_quiet(tmp_path: Path) -> None:
    heartbeat.write(str(tmp_path / "heartbeat"), 1, 300)
    heartbeat.remove(str(tmp_path / "heartbeat"))
    heartbeat.remove(str(tmp_path / "heartbeat"))
    assert list(tmp_path.iterdir()) == []
