"""When the next window starts. No I/O: instants in, an instant out.

By the clocks alone, never by load: which windows are missing is public, so a busy machine may lose none. Distances
are counted between *scheduled* starts, so that lateness under load cannot add up.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cpu_collector.clock import Moment
    from cpu_collector.settings import Settings


def clear_zone(settings: Settings) -> tuple[int, int]:
    """First and last millisecond of a sample interval in which a window may start.

    It leaves min(1 s, 0.05·sample) after the interval's start and a longest span before its end. Where so little is
    left that the two cross (`covers` of a few ms), it is the one moment at the beginning.
    """
    begin = min(1_000, 50 * settings.sample_seconds)
    return begin, max(begin, settings.sample_ms - settings.longest_span_ms)


class Schedule:
    """Scheduled starts, one after the other, from the first: at once, or at the clear zone's next begin.

    Args:
        now: the instant of the start of the program.
        settings: for the lengths.
    """

    def __init__(self, now: Moment, settings: Settings) -> None:
        self._settings = settings
        self._begin, self._end = clear_zone(settings)
        self._offset_ms = self._begin  # where in each sample interval a window is wanted
        self._used = -1  # number, from 1970, of the last sample interval that a window was started in
        self._not_before = now.boot_ms  # CLOCK_BOOTTIME, ms
        boot_ms, interval, _ = self._place(now)
        self._not_before = boot_ms
        self._offset_ms = now.utc_ms + boot_ms - now.boot_ms - interval * settings.sample_ms

    def next(self, now: Moment) -> int:
        """The next scheduled start in ms of CLOCK_BOOTTIME; in the past: due now.

        To be asked anew at each wake-up, since UTC may have stepped: it is the later of the wanted offset in a sample
        interval after the last one's and of one sample interval after the last scheduled start on CLOCK_BOOTTIME.
        A start that passed by more than the lateness (the machine slept) could no longer end in time; it is given up
        for the earliest allowed one from now on.
        """
        boot_ms, _, _ = self._place(now)
        if now.boot_ms - boot_ms > self._settings.lateness_ms:
            self._not_before = now.boot_ms
            boot_ms, _, _ = self._place(now)
        return boot_ms

    def start(self, now: Moment) -> int:
        """Use the start that `next` gave for the same instant: the following one comes after it."""
        boot_ms, self._used, self._offset_ms = self._place(now)
        self._not_before = boot_ms + self._settings.sample_ms
        return boot_ms

    def _place(self, now: Moment) -> tuple[int, int, int]:
        """Start, sample interval and offset by the clocks of `now`."""
        sample_ms = self._settings.sample_ms
        earliest_ms = now.utc_ms + self._not_before - now.boot_ms  # as UTC
        interval = earliest_ms // sample_ms
        if interval == self._used:  # UTC was set back a little: that interval has its window
            interval += 1
        offset_ms = self._offset_ms
        utc_ms = max(interval * sample_ms + offset_ms, earliest_ms)
        if utc_ms > interval * sample_ms + self._end:
            interval, offset_ms = interval + 1, self._begin
            utc_ms = interval * sample_ms + offset_ms
        return now.boot_ms + utc_ms - now.utc_ms, interval, offset_ms
