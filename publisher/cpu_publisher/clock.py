"""Time as an argument: UTC names intervals and slots, CLOCK_BOOTTIME measures distances and never steps."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

BOOT_ID_PATH = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """What the publisher needs of time."""

    def utc_ms(self) -> int:
        """Unix time in milliseconds. May step."""

    def boot_ms(self) -> int:
        """Milliseconds of CLOCK_BOOTTIME: never steps, goes on during suspend, starts at 0 with the boot."""

    def boot_id(self) -> str:
        """Random name of this boot of the kernel; the same in every container of the host."""


class SystemClock:
    """The kernel's clocks."""

    def __init__(self, boot_id_path: Path = BOOT_ID_PATH) -> None:
        self._boot_id = boot_id_path.read_text(encoding="ascii").strip()

    def utc_ms(self) -> int:
        """Unix time in milliseconds."""
        return time.time_ns() // 1_000_000

    def boot_ms(self) -> int:
        """Milliseconds since the boot, suspend included."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def boot_id(self) -> str:
        """Name of this boot, read once: it cannot change under a running process."""
        return self._boot_id
