"""Each pitfall of CPU counters as a folder of stat files under tests/fixtures/proc, with the exact number due."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil
import pytest

from cpu_collector import counters
from cpu_collector.clock import Moment
from cpu_collector.errors import StoppedError, WindowDroppedError
from cpu_collector.settings import Settings, read
from cpu_collector.window import Source, Window, measure

PROC = Path(__file__).parents[2] / "fixtures" / "proc"
START = 86_400_123


def settings(n: int, **more: str) -> Settings:
    return read({"CPUTRACKER_PUBLISHER_UID": "1", "CPUTRACKER_READINGS": str(n), **more})


class Machine:
    """Plays the stat files of one case, one at each read, while its clocks run with the pauses."""

    def __init__(self, case: str, *, overrun_ms: int = 0, asleep_ms: int = 0) -> None:
        self.files = sorted((PROC / case).iterdir(), key=lambda path: int(path.name))
        self.pauses: list[int] = []
        self.reads = 0
        self.overrun_ms = overrun_ms
        self.asleep_ms = asleep_ms
        self.spent_ms = 0

    def counters(self) -> tuple[int, ...]:
        counters.use(str(self.files[self.reads]))
        self.reads += 1
        return counters.read()

    def cpus(self) -> int:
        counters.use(str(self.files[max(0, self.reads - 1)]))
        return counters.cpus()

    def now(self) -> Moment:
        return Moment(START + self.spent_ms, 1_790_000_000_000 + self.spent_ms, self.asleep_ms * (self.reads > 1))

    def pause(self, milliseconds: int) -> None:
        self.pauses.append(milliseconds)
        self.spent_ms += milliseconds + (self.overrun_ms if len(self.pauses) == 1 else 0)

    def window(self, with_settings: Settings, late_ms: int = 0) -> Window:
        source = Source(self.counters, self.cpus, self.now, self.pause, 100)
        return measure(source, with_settings, START - late_ms)


@pytest.fixture(autouse=True)
def _procfs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "PROCFS_PATH", psutil.PROCFS_PATH)  # put back after each test


MEANS = [
    ("primed", 3, 2_500),  # 94 % busy since the boot, none of which is in the window
    ("short-interval", 2, 500),  # where psutil's cpu_times_percent sums to 20
    ("kinds", 1, 3_000),  # each busy counter once, steal among them
    ("backwards", 3, 4_500),  # iowait, then idle, then steal go back: each counts as 0
    ("hotplug", 2, 7_500),  # cpu1 leaves; the line of all goes on at half the pace
    ("guest", 2, 3_750),  # guest time is already inside user, guest_nice inside nice
    ("iowait-steal", 1, 2_500),  # of 20 ticks 10 wait for a disk (idle), 5 are stolen (busy)
    ("stalled", 2, 6_250),  # a reading of double length, then one of a tenth: the whole is right
    ("half", 2, 2_500),  # just plausible
    ("three-halves", 2, 2_500),  # just plausible
]


@pytest.mark.parametrize(("case", "n", "mean"), MEANS)
def test_mean_of_case(case: str, n: int, mean: int) -> None:
    machine = Machine(case)
    window = machine.window(settings(n))
    assert window.mean == mean
    assert machine.pauses == [100] * n
    assert (window.started_at_ms, window.boot_ms, window.span_ms) == (1_790_000_000_000, START, 100 * n)


DROPPED = [
    ("under-half", 2, "implausible"),
    ("over-three-halves", 2, "implausible"),
    ("garbage-nan", 1, "counters"),
    ("garbage-infinite", 1, "counters"),
    ("garbage-negative", 1, "counters"),
    ("garbage-text", 1, "counters"),
    ("garbage-short", 1, "counters"),
    ("garbage-empty", 1, "counters"),
    ("no-cpu-lines", 1, "counters"),
]


@pytest.mark.parametrize(("case", "n", "reason"), DROPPED)
def test_case_is_dropped(case: str, n: int, reason: str) -> None:
    with pytest.raises(WindowDroppedError) as dropped:
        Machine(case).window(settings(n))
    assert dropped.value.reason == reason
    assert dropped.value.__suppress_context__ or dropped.value.__context__ is None


def test_every_case_is_tested() -> None:
    tested = {case for case, *_ in MEANS + DROPPED} | {"all-back", "standing-still"}
    assert tested == {path.name for path in PROC.iterdir()}


def test_no_stat_file_at_all(tmp_path: Path) -> None:
    machine = Machine("primed")
    machine.files[1] = tmp_path
    with pytest.raises(WindowDroppedError, match="counters"):
        machine.window(settings(1))


def test_counters_that_all_went_back_are_no_reading_yet() -> None:
    machine = Machine("all-back")
    window = machine.window(settings(1))
    assert window.mean == 4_000  # from the older counters on
    assert (machine.pauses, window.span_ms) == ([100, 10], 110)


def test_counters_that_stand_still_are_waited_for_until_it_is_too_late() -> None:
    machine = Machine("standing-still")
    short = settings(1, CPUTRACKER_SAMPLE_SECONDS="1", CPUTRACKER_INTERVAL_MS="100")
    with pytest.raises(WindowDroppedError, match="late"):
        machine.window(short, late_ms=80)
    assert machine.pauses == [100] + [10] * 8  # 80 + 180 ms is past 100 + 150


def test_psutils_state_of_other_threads_is_not_used() -> None:
    machine = Machine("primed")
    psutil.cpu_percent()
    means: list[int] = []
    thread = threading.Thread(target=lambda: means.append(machine.window(settings(3)).mean))
    thread.start()
    thread.join()
    assert means == [2_500]


@pytest.mark.parametrize(("late_ms", "overrun_ms", "kept"), [(3_000, 0, True), (3_001, 0, False), (1_000, 2_000, True)])
def test_a_window_ends_within_a_longest_span_of_its_scheduled_start(late_ms: int, overrun_ms: int, kept: bool) -> None:
    machine = Machine("primed", overrun_ms=overrun_ms)
    machine.files = machine.files[:2]
    if kept and not overrun_ms:
        assert machine.window(settings(1), late_ms).span_ms == 100
        return
    with pytest.raises(WindowDroppedError, match="implausible" if kept else "late"):  # 20 ticks in 2.1 s are too few
        machine.window(settings(1), late_ms)


def test_readings_are_paced_from_the_last_one_and_never_caught_up() -> None:
    machine = Machine("stalled", overrun_ms=90)
    assert machine.window(settings(2)).span_ms == 290
    assert machine.pauses == [100, 100]


@pytest.mark.parametrize("asleep_ms", [101, 3_600_000, -3_600_000])
def test_a_suspend_within_the_window_drops_it(asleep_ms: int) -> None:
    with pytest.raises(WindowDroppedError, match="suspended"):
        Machine("primed", asleep_ms=asleep_ms).window(settings(3))


def test_clip_bounds_hold_for_each_reading() -> None:
    clipped = settings(3, CPUTRACKER_LOWER="10", CPUTRACKER_UPPER="40")
    assert Machine("primed").window(clipped).mean == (2_500 + 4_000 + 1_000) // 3


def test_a_signal_ends_the_window() -> None:
    machine = Machine("primed")

    def pause(_: int) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        measure(Source(machine.counters, machine.cpus, machine.now, pause, 100), settings(3), START)


def test_a_window_shows_nothing_of_itself() -> None:
    assert "6173" not in repr(Window(1, 2, 3, 6_173)) + str(Window(1, 2, 3, 6_173))
