"""The kernel's clocks, read so closely together that a preemption between two reads cannot pass for a step.

UTC names sample intervals; CLOCK_BOOTTIME measures distances, never steps and goes on during suspend;
CLOCK_MONOTONIC stands still during suspend, so the difference of the two grows by exactly the time asleep.
"""

from __future__ import annotations

import time

_NS = 1_000_000  # in a millisecond
_TIGHT_NS = 50_000
_TRIES = 5


class Moment:
    """One instant on each clock.

    Attributes:
        boot_ms: CLOCK_BOOTTIME, milliseconds.
        utc_ms: unix time, milliseconds. May step.
        asleep_ms: CLOCK_BOOTTIME minus CLOCK_MONOTONIC: time suspended since the boot.
    """

    __slots__ = ("asleep_ms", "boot_ms", "utc_ms")

    def __init__(self, boot_ms: int, utc_ms: int, asleep_ms: int = 0) -> None:
        self.boot_ms = boot_ms
        self.utc_ms = utc_ms
        self.asleep_ms = asleep_ms


def now() -> Moment:
    """This instant, from the tightest of up to five bracketed reads (on a busy machine one may be preempted).

    UTC is given as CLOCK_BOOTTIME plus their difference: rounded together, the two agree to the millisecond.
    """
    tightest = None
    for _ in range(_TRIES):
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        utc = time.time_ns()
        monotonic = time.monotonic_ns()
        width = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - before
        if tightest is None or width < tightest[0]:
            tightest = (width, before, utc - before, before - monotonic)
        if width <= _TIGHT_NS:
            break
    assert tightest is not None  # noqa: S101 - for mypy: the loop runs at least once
    boot_ms = tightest[1] // _NS
    return Moment(boot_ms, boot_ms + tightest[2] // _NS, tightest[3] // _NS)
