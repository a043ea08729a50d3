"""Time as an argument: UTC names slots and may jump, the steady clock measures how long things take."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the aggregator needs of time."""

    def utc(self) -> float:
        """Unix time in seconds. May jump."""

    def steady(self) -> float:
        """Seconds of CLOCK_BOOTTIME: never jumps, goes on during suspend."""


class SystemClock:
    """The kernel's clocks."""

    def utc(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def steady(self) -> float:
        """Seconds since the boot, suspend included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)
