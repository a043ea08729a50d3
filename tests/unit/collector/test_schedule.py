"""The schedule against simulated clocks: steps, suspend, jitter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cpu_collector.app import LONGEST_WAIT_MS
from cpu_collector.clock import Moment
from cpu_collector.schedule import Schedule, clear_zone
from cpu_collector.settings import Settings, read

if TYPE_CHECKING:
    from random import Random

HOUR_MS = 3_600_000
DAY_START_MS = 1_790_035_200_000  # a multiple of every sample length


def make(sample: int, n: int = 50, interval_ms: int = 100) -> Settings:
    return read(
        {
            "CPUTRACKER_PUBLISHER_UID": "1",
            "CPUTRACKER_SAMPLE_SECONDS": str(sample),
            "CPUTRACKER_READINGS": str(n),
            "CPUTRACKER_INTERVAL_MS": str(interval_ms),
        }
    )


# The last two leave a clear zone of 1 ms and of none: what is allowed must run.
ALL = [make(300), make(60), make(20), make(1, 5, 20), make(1, 40, 20), make(1, 41, 20)]
SAMPLES = st.sampled_from(ALL)


class World:
    """Clocks, and the collector's loop on them as `app._loop` runs it."""

    def __init__(self, settings: Settings, utc_ms: int, boot_ms: int = 5_000) -> None:
        self.settings = settings
        self.boot_ms = boot_ms
        self.difference_ms = utc_ms - boot_ms
        self.schedule = Schedule(self.now(), settings)

    def now(self) -> Moment:
        return Moment(self.boot_ms, self.boot_ms + self.difference_ms)

    def sleep(self, milliseconds: int) -> None:
        self.boot_ms += milliseconds

    def step(self, milliseconds: int) -> None:
        self.difference_ms += milliseconds

    def left(self) -> int:
        return self.schedule.next(self.now()) - self.boot_ms

    def await_start(self, wake_jitter_ms: int = 0) -> int:
        """Scheduled start on CLOCK_BOOTTIME of the window that begins now."""
        while (left := self.left()) > 0:
            self.sleep(min(left, LONGEST_WAIT_MS) + wake_jitter_ms)
        return self.schedule.start(self.now())

    def utc(self, boot_ms: int) -> int:
        return boot_ms + self.difference_ms


@pytest.mark.parametrize(
    ("sample", "expected"), [(300, (1_000, 292_000)), (60, (1_000, 52_000)), (20, (1_000, 12_000))]
)
def test_clear_zone_by_default_lengths(sample: int, expected: tuple[int, int]) -> None:
    assert clear_zone(make(sample)) == expected


@pytest.mark.parametrize(
    ("position_ms", "first_ms"),
    [(0, 1_000), (999, 1_000), (1_000, 1_000), (150_000, 150_000), (292_000, 292_000), (292_001, 301_000)],
)
def test_the_first_window_is_at_once_or_at_the_next_begin_of_the_zone(position_ms: int, first_ms: int) -> None:
    world = World(make(300), DAY_START_MS + position_ms)
    assert world.utc(world.await_start()) == DAY_START_MS + first_ms
    assert world.utc(world.await_start()) == DAY_START_MS + first_ms + 300_000


def test_waiting_for_the_first_window_survives_waking_late() -> None:
    for settings in ALL:
        world = World(settings, DAY_START_MS - 1)
        assert world.utc(world.await_start(wake_jitter_ms=40)) - DAY_START_MS == clear_zone(settings)[0]


def test_utc_set_back_keeps_the_offset_and_the_interval_has_one_window() -> None:
    world = World(make(300), DAY_START_MS + 100_000)
    world.await_start()
    world.step(-150_000)
    assert world.utc(world.await_start()) == DAY_START_MS + 300_000 + 100_000


def test_utc_set_forward_waits_a_whole_interval_on_boottime() -> None:
    world = World(make(300), DAY_START_MS + 100_000)
    first = world.await_start()
    world.step(20_000)
    second = world.await_start()
    assert second - first == 300_000
    assert world.utc(second) == DAY_START_MS + 300_000 + 120_000


def test_out_of_the_clear_zone_the_next_begin_becomes_the_offset() -> None:
    world = World(make(300), DAY_START_MS + 290_000)
    world.await_start()
    world.step(5_000)
    assert world.utc(world.await_start()) == DAY_START_MS + 600_000 + 1_000
    assert world.utc(world.await_start()) == DAY_START_MS + 900_000 + 1_000


def test_after_a_suspend_the_next_window_is_at_once_where_the_zone_is_clear() -> None:
    world = World(make(300), DAY_START_MS + 100_000)
    world.await_start()
    world.sleep(HOUR_MS + 50_000)
    assert world.left() == 0
    slept = world.await_start()
    assert world.utc(slept) == DAY_START_MS + HOUR_MS + 150_000
    assert world.await_start() - slept == 300_000


def test_a_start_missed_by_no_more_than_the_lateness_still_stands() -> None:
    for late_ms, stands in ((3_000, True), (3_001, False)):
        world = World(make(300), DAY_START_MS + 100_000)
        first = world.await_start()
        world.sleep(300_000 + late_ms)
        assert (world.await_start() == first + 300_000) is stands


@given(SAMPLES, st.integers(0, 2 * HOUR_MS), st.randoms(use_true_random=False))
@hypothesis_settings(max_examples=60, deadline=None)
def test_no_window_is_missing_however_late_a_busy_machine_is(settings: Settings, phase_ms: int, random: Random) -> None:
    world = World(settings, DAY_START_MS + phase_ms)
    scheduled = world.await_start()
    offset = world.utc(scheduled) % settings.sample_ms
    for _ in range(40):
        spare = settings.lateness_ms - (world.boot_ms - scheduled)
        world.sleep(settings.n * settings.interval_ms + random.randint(0, spare))  # the window
        assert world.boot_ms <= scheduled + settings.longest_span_ms
        last, scheduled = scheduled, world.await_start(random.randint(0, settings.lateness_ms))
        assert scheduled - last == settings.sample_ms
        assert world.utc(scheduled) % settings.sample_ms == offset
        assert world.utc(world.boot_ms) // settings.sample_ms == world.utc(scheduled) // settings.sample_ms


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["step", "suspend", "slew"]),
        st.one_of(st.integers(-3_000, 3_000), st.integers(-400_000, 400_000), st.integers(-48 * HOUR_MS, 48 * HOUR_MS)),
    ),
    max_size=30,
)


@given(SAMPLES, st.integers(0, 2 * HOUR_MS), EVENTS, st.randoms(use_true_random=False))
@hypothesis_settings(max_examples=100, deadline=None)
def test_whatever_the_clocks_do_starts_keep_their_distance_and_come(
    settings: Settings, phase_ms: int, events: list[tuple[str, int]], random: Random
) -> None:
    world = World(settings, DAY_START_MS + phase_ms, boot_ms=200 * HOUR_MS)
    begin, end = clear_zone(settings)
    last, intervals, stepped = None, set[int](), False
    for kind, size_ms in events:
        scheduled = world.await_start(random.randint(0, 5))
        position = world.utc(scheduled) % settings.sample_ms
        assert begin <= position <= end
        assert last is None or scheduled - last >= settings.sample_ms
        interval = world.utc(scheduled) // settings.sample_ms
        assert stepped or interval not in intervals
        intervals.add(interval)
        last = scheduled
        world.sleep(settings.n * settings.interval_ms + random.randint(0, settings.sample_ms // 2))
        if kind == "suspend":
            world.sleep(abs(size_ms))
        elif kind == "step":
            world.step(size_ms)
            stepped = True
        else:  # slewing moves both clocks alike; what is left are roundings of a millisecond
            world.step(random.randint(-1, 1) if stepped else 0)
        # It never waits for a UTC that is far away: the sample after the last start, at most the rest of an interval
        # that has its window already (UTC set back by about one), and the offset in the next.
        assert world.left() < 3 * settings.sample_ms
