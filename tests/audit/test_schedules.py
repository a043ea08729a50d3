"""A day of 288 windows in compressed time, for each preset, with everything that happens to a computer at random.

The test knows the true time. The publisher sees what a computer shows it: a UTC clock that is stepped, CLOCK_BOOTTIME
that never is, reboots, sleep, restarts, a pause, and a collector that starts its windows whenever it likes.
"""

from __future__ import annotations

import os
import random
import secrets
from dataclasses import dataclass, field
from itertools import pairwise
from unittest import mock

import pytest
from tests.audit.path import START, Host

from cpu_publisher import body, budget
from cpu_publisher.errors import LedgerError
from cpu_publisher.ledger import Ledger
from cpu_publisher.presets import DAY_SECONDS, PRESETS, Preset
from cpu_publisher.slots import slot_of

WINDOWS = 288
HOUR_MS = 3_600_000


class Crash(BaseException):
    """The process is gone; what is on disk stays."""


@dataclass
class Day:
    """A host, the true time, and what really happened.

    Attributes:
        real: {(boot id, boot_ms of its start): (true start, true end)} of every window handed on.
        drawn: {seq: true time at which it was first in the ledger}.
    """

    host: Host
    rng: random.Random
    true_ms: int = 1_000 * START
    boots: int = 1
    crashes: int = 0
    paused: bool = False
    real: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    drawn: dict[int, int] = field(default_factory=dict)

    def pass_time(self, ms: int) -> None:
        self.true_ms += ms
        self.host.clock.to(self.host.clock.now_ms + ms)

    def step_clock(self) -> None:
        """UTC alone moves, back or forth."""
        reach = self.rng.choice(
            [HOUR_MS // 6, 3 * HOUR_MS]
        )  # small ones can put two windows into slots that both count
        self.host.clock.now_ms += self.rng.randrange(-reach, reach)

    def reboot(self) -> None:
        self.host.stop()
        self.pass_time(self.rng.randrange(1_000, 60_000))
        self.boots += 1
        self.host.clock.name, self.host.clock.since_boot_ms = f"boot {self.boots}", 0
        self.pass_time(self.rng.randrange(1_000, 20_000))
        self.host.open()

    def restart(self) -> None:
        self.host.stop()
        self.host.open()

    def window(self) -> None:
        """The collector hands one on; the process may die at any system call of what follows."""
        span = self.rng.randrange(5_000, 8_000)
        clock = self.host.clock
        self.real[clock.name, clock.since_boot_ms] = (self.true_ms, self.true_ms + span)
        line = self.host.line(clock.now_ms, self.rng.randrange(10_001), span)
        self.pass_time(span)
        self.maybe_dying(lambda: self.host.session.accept(line))

    def maybe_dying(self, act: object) -> None:
        """Do it; once in a while the process dies at one of its next 40 renames, syncs or SQL statements."""
        assert callable(act)
        if self.rng.random() > 0.1:
            act()
        else:
            fuse = self.rng.randrange(40)

            def burn(real: object) -> object:
                def call(*args: object, **kwargs: object) -> object:
                    nonlocal fuse
                    assert callable(real)
                    fuse -= 1
                    if fuse == 0:
                        raise Crash
                    return real(*args, **kwargs)

                return call

            try:
                with (
                    mock.patch.object(os, "rename", burn(os.rename)),
                    mock.patch.object(os, "fsync", burn(os.fsync)),
                    mock.patch.object(Ledger, "insert", burn(Ledger.insert)),
                    mock.patch.object(Ledger, "insert_body", burn(Ledger.insert_body)),
                    mock.patch.object(Ledger, "find", burn(Ledger.find)),
                ):
                    act()
            except Crash:
                self.crashes += 1
                self.restart()
        self.note()

    def note(self) -> None:
        for row in self.host.session.ledger.rows():
            self.drawn.setdefault(row.seq, self.true_ms)

    def tick(self) -> None:
        try:
            self.maybe_dying(self.host.session.tick)
        except LedgerError as error:  # the engine closes the session and tries again
            assert error.code == "clock_behind_ledger"  # noqa: PT017 - most ticks raise nothing

    def end(self) -> None:
        """A last tick undisturbed, by a clock that has caught up: a crash may have left a publication over."""
        last = self.host.session.ledger.last()
        if last:
            self.pass_time(max(0, 1_000 * last.slot - self.host.clock.now_ms))
        self.host.session.tick()
        self.note()

    def pause(self) -> None:
        self.paused = not self.paused
        self.host.set_paused(paused=self.paused)


def live(host: Host, rng: random.Random, *, reboots: bool, steps: bool) -> Day:
    """288 windows; between two of them anything may happen."""
    day = Day(host, rng)
    sample_ms = 1_000 * host.preset.sample_seconds
    for _ in range(WINDOWS):
        day.window()
        day.tick()
        what = rng.random()
        if what < 0.03:
            day.restart()
        elif what < 0.06 and reboots:
            day.reboot()
        elif what < 0.15 and steps:
            day.step_clock()
        elif what < 0.17:
            day.pass_time(rng.randrange(3 * HOUR_MS // 12))  # asleep: CLOCK_BOOTTIME goes on
        elif what < 0.18 or (day.paused and what > 0.5):
            day.pause()
        day.pass_time(
            rng.choice([rng.randrange(1, sample_ms), sample_ms - 6_500, sample_ms - rng.randrange(5_000, 9_000)])
        )
        day.tick()
    day.end()
    return day


def check(day: Day, preset: Preset, cap_micro: int) -> None:
    ledger = day.host.session.ledger
    rows = ledger.rows()
    stamps = [(row, stamp) for row in rows for stamp in ledger.stamps(row.seq)]
    assert len({stamp for _, stamp in stamps}) == len(stamps), "a window in two releases"
    true = sorted(day.real[stamp.boot_id, stamp.boot_ms] for _, stamp in stamps)
    gaps = [later[0] - earlier[1] for earlier, later in pairwise(true)]
    assert all(gap >= preset.covers_ms for gap in gaps), f"covered stretch broken: {min(gaps)} ms"
    for row, stamp in stamps:
        assert slot_of(stamp.started_at_ms, preset.slot_seconds) == row.slot
    intervals = [stamp.started_at_ms // 1_000 // preset.sample_seconds for _, stamp in stamps]
    assert len(set(intervals)) == len(intervals), "two windows of one sample interval"
    assert len({(row.slot, row.kind) for row in rows}) == len(rows)
    for row in rows:
        assert row.spend_micro == budget.spend_micro(preset, row.k)
        of_day = [
            r for r in rows if row.slot + row.slot_seconds - DAY_SECONDS <= r.slot <= row.slot and r.seq <= row.seq
        ]
        assert sum(r.spend_micro for r in of_day) <= cap_micro, "the cap of 24 h of slots"
    newest = ledger.newest_body()
    if newest:
        assert day.host.public.read_bytes() == newest[2]
        last = next(row for row in rows if row.seq == newest[0])
        assert last.noisy_sum is not None
        assert day.host.read()["cpu"] == body.value(last.noisy_sum, last.k)


@pytest.mark.parametrize(
    ("preset", "share"),
    [*((preset, 1.0) for preset in PRESETS.values()), (PRESETS["hour"], 0.25), (PRESETS["window"], 0.25)],
    ids=[*PRESETS, "hour, a quarter of its cap", "window, a quarter of its cap"],
)
def test_a_day_of_anything(preset: Preset, share: float) -> None:
    seed = secrets.randbelow(2**32)
    cap_micro = max(int(share * budget.default_cap_micro(preset)), budget.spend_micro(preset, 1))
    with Host(preset, cap_micro) as host:
        try:
            day = live(host, random.Random(seed), reboots=True, steps=True)
            check(day, preset, cap_micro)
        except (Exception, Crash) as error:
            error.add_note(f"seed {seed}")
            raise


def _spent_with_steps(preset: Preset, cap_micro: int, seed: int) -> int:
    """Micro-ε of a day with a clock that steps; within one boot the cap must have held in true time."""
    with Host(preset, cap_micro) as host:
        day = live(host, random.Random(seed), reboots=False, steps=True)
        check(day, preset, cap_micro)
        spent = [(day.drawn[row.seq], row.spend_micro) for row in host.session.ledger.rows()]
    for moment, _ in spent:
        within = sum(micro for when, micro in spent if moment - 24 * HOUR_MS + 120_000 < when <= moment)
        assert within <= cap_micro
    return sum(micro for _, micro in spent)


@pytest.mark.parametrize("preset", [PRESETS["hour"], PRESETS["window"]], ids=["hour", "window"])
def test_stepping_the_clock_frees_no_budget(preset: Preset) -> None:
    """Whatever UTC says: shown by a day that came near its cap.

    Of 243 days of `hour`, 8 did not: a clock that is soon stepped back by hours keeps the publisher waiting.
    """
    cap_micro = budget.default_cap_micro(preset) // 4
    for _ in range(10):
        seed = secrets.randbelow(2**32)
        try:
            spent = _spent_with_steps(preset, cap_micro, seed)
        except (Exception, Crash) as error:
            error.add_note(f"seed {seed}")
            raise
        if spent > cap_micro // 2:
            return
    pytest.fail("the cap was never near in ten days")
