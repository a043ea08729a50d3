"""The heartbeat file: that the sampling loop lives, for `health.py` to judge. Nothing about CPU, span or lateness."""

from __future__ import annotations

import os

from cpu_collector.errors import HandoffError


def write(path: str, scheduled_boot_ms: int, sample_seconds: int) -> None:
    """Replace the file by one line: the last scheduled start (ms of CLOCK_BOOTTIME) and the sample length (s).

    Raises:
        HandoffError: the folder is missing, full or not ours.
    """
    try:
        fd = os.open(f"{path}.tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            os.write(fd, f"{scheduled_boot_ms} {sample_seconds}\n".encode("ascii"))
        finally:
            os.close(fd)
        os.replace(f"{path}.tmp", path)  # noqa: PTH105 - pathlib costs 0.6 MB of the collector's 11
    except OSError as error:
        raise HandoffError(f"cannot write the heartbeat {path}: {error.strerror} (CPUTRACKER_HEARTBEAT)") from None


def remove(path: str) -> None:
    """Take the file away at a clean end, so that nobody takes a stopped collector for a live one."""
    try:
        os.unlink(path)  # noqa: PTH108 - as above
    except OSError:
        return
