from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cpu_collector import clock

if TYPE_CHECKING:
    import pytest


def test_now_is_now() -> None:
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    now = clock.now()
    after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert before // 10**6 <= now.boot_ms <= after // 10**6
    assert abs(now.utc_ms - time.time() * 1_000) < 1_000


def test_a_preemption_between_two_reads_passes_for_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    # Clocks of a machine that takes 5 s away before the first, then the second read of UTC and lets the third be.
    ticks = iter([0, 5_000, 0, 5_000, 0])
    nanoseconds = 7_000_000_000_000

    def read(offset: int) -> int:
        nonlocal nanoseconds
        nanoseconds += 100
        return nanoseconds + offset

    def stalled_utc() -> int:
        nonlocal nanoseconds
        nanoseconds += next(ticks) * 1_000_000 if stalls else 0
        return read(10**18)

    monkeypatch.setattr(time, "clock_gettime_ns", lambda _: read(0))
    monkeypatch.setattr(time, "monotonic_ns", lambda: read(-60_000_000_000))
    monkeypatch.setattr(time, "time_ns", stalled_utc)
    stalls = False
    calm = clock.now()
    stalls = True
    next(ticks)
    stalled = clock.now()
    assert stalled.utc_ms - stalled.boot_ms == calm.utc_ms - calm.boot_ms == 10**12
    assert stalled.asleep_ms == calm.asleep_ms == 60_000 - 1  # rounded down
