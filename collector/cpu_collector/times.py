"""CPU arithmetic on counters named as psutil names them. Pure; all in whole clock ticks, so results are exact.

What counts as busy is what psutil's `cpu_percent` calls busy: everything but idle and iowait (a CPU that waits for a
disk can run something else), steal included (the machine wanted to run and was not let). guest and guest_nice are
already inside user and nice, so leaving them out of the sums is subtracting them once (psutil pull request 940).
"""

from __future__ import annotations

import math

from cpu_collector.errors import CountersError

_BUSY = ("user", "nice", "system", "irq", "softirq", "steal")
_FIELDS = (*_BUSY, "idle", "iowait")
_ALWAYS_THERE = ("user", "nice", "system", "idle")

TYPE_CHECKING = False
if TYPE_CHECKING:
    Ticks = tuple[int, ...]  # one number for each of _FIELDS, in that order


def ticks(times: object, ticks_per_second: int) -> Ticks:
    """Counters of all CPUs together, from the attributes of psutil's `cpu_times()` (seconds).

    By name, never by place: psutil 8 reorders its fields. Those an old kernel lacks count as 0.

    Raises:
        CountersError: a field is missing, negative, infinite or no number.
    """
    values = []
    for name in _FIELDS:
        seconds = getattr(times, name, None if name in _ALWAYS_THERE else 0.0)
        if seconds is None or not math.isfinite(seconds) or seconds < 0:
            raise CountersError(f"counter {name} is missing or no number of seconds")
        values.append(round(seconds * ticks_per_second))
    return tuple(values)


def spent(older: Ticks, newer: Ticks) -> tuple[int, int]:
    """Busy ticks and all ticks between two counters.

    Single counters go backwards now and then (iowait, idle, steal: psutil issue 1210, node_exporter pull request
    1903): each difference counts for at least 0. All ticks 0 means that this is no reading yet.
    """
    deltas = [max(0, new - old) for old, new in zip(older, newer, strict=True)]
    return sum(deltas[: len(_BUSY)]), sum(deltas)


def reading(busy: int, total: int, lower: int, upper: int) -> int:
    """Utilisation in hundredths of a percent, rounded down and clipped to [lower, upper]; `total` is above 0."""
    return min(max(10_000 * busy // total, lower), upper)


def plausible(total: int, cpus: tuple[int, int], wall_ms: int, ticks_per_second: int) -> bool:
    """Whether the ticks of a whole window agree with CPUs times wall time, between half and one and a half times.

    Never asked of a single reading: one preemption makes it look double or empty. `cpus` is the number of CPUs before
    and after, in any order: with hotplug either may be right.
    """
    scaled = 2 * 1_000 * total
    possible = wall_ms * ticks_per_second
    return min(cpus) * possible <= scaled <= 3 * max(cpus) * possible
