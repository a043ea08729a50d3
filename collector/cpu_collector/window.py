"""One window: prime, take n paced readings, judge the whole, or drop it with a reason."""

from __future__ import annotations

from cpu_collector import times
from cpu_collector.errors import CountersError, WindowDroppedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cpu_collector.clock import Moment
    from cpu_collector.settings import Settings

TICK_MS = 10
# Both clocks are read to well under this; a suspend lasts longer, and a shorter one could not hurt a mean.
ASLEEP_MS = 100


class Window:
    """A window that may be handed on.

    Attributes:
        started_at_ms: unix time of its start.
        boot_ms: CLOCK_BOOTTIME of its start.
        span_ms: how long it took.
        mean: window mean, hundredths of a percent. Never logged; an object of this class shows nothing of itself.
    """

    __slots__ = ("boot_ms", "mean", "span_ms", "started_at_ms")

    def __init__(self, started_at_ms: int, boot_ms: int, span_ms: int, mean: int) -> None:
        self.started_at_ms = started_at_ms
        self.boot_ms = boot_ms
        self.span_ms = span_ms
        self.mean = mean


class Source:
    """Where a window's numbers come from.

    Attributes:
        counters: the counters of all CPUs now, in ticks (see `times`).
        cpus: how many CPUs there are now.
        now: this instant.
        pause: wait so many milliseconds, never less; raises StoppedError when the process is to end.
        ticks_per_second: of the counters.
    """

    __slots__ = ("counters", "cpus", "now", "pause", "ticks_per_second")

    def __init__(
        self,
        counters: Callable[[], times.Ticks],
        cpus: Callable[[], int],
        now: Callable[[], Moment],
        pause: Callable[[int], None],
        ticks_per_second: int,
    ) -> None:
        self.counters = counters
        self.cpus = cpus
        self.now = now
        self.pause = pause
        self.ticks_per_second = ticks_per_second


def measure(source: Source, settings: Settings, scheduled_boot_ms: int) -> Window:
    """A window that ends within a longest span of its scheduled start.

    Raises:
        WindowDroppedError: it did not, or it is not plausible.
        StoppedError: from `source.pause`.
    """
    try:
        return _measure(source, settings, scheduled_boot_ms)
    except CountersError:
        raise WindowDroppedError("counters") from None


def _measure(source: Source, settings: Settings, scheduled_boot_ms: int) -> Window:
    deadline = scheduled_boot_ms + settings.longest_span_ms
    cpus = source.cpus()
    start = end = source.now()
    counters = source.counters()
    summed = all_ticks = taken = 0
    wait = settings.interval_ms
    while taken < settings.n:
        source.pause(wait)  # from the last reading on: what came late is never caught up
        newer = source.counters()
        busy, total = times.spent(counters, newer)
        if total == 0:  # no reading yet: keep the older counters and let the interval run on
            wait = TICK_MS
        else:
            summed += times.reading(busy, total, settings.lower, settings.upper)
            all_ticks += total
            taken += 1
            counters = newer
            wait = settings.interval_ms
        end = source.now()
        if end.boot_ms > deadline:
            raise WindowDroppedError("late")
    if abs(end.asleep_ms - start.asleep_ms) > ASLEEP_MS:
        raise WindowDroppedError("suspended")
    span_ms = end.boot_ms - start.boot_ms
    if not times.plausible(all_ticks, (cpus, source.cpus()), span_ms, source.ticks_per_second):
        raise WindowDroppedError("implausible")
    return Window(start.utc_ms, start.boot_ms, span_ms, summed // settings.n)
