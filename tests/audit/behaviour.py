"""Checks of what the publisher and the collector do, by whole runs; each says what it found, none draws conclusions."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

from tests.audit.checks import Found
from tests.audit.path import START, Host

from cpu_collector import settings as collector_settings
from cpu_collector.clock import Moment
from cpu_collector.errors import WindowDroppedError
from cpu_collector.window import Source, measure
from cpu_publisher.errors import LedgerError
from cpu_publisher.ledger import Ledger
from cpu_publisher.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR = PRESETS["hour"]
MEANS = [5_000] * HOUR.windows_per_slot
RESTARTS = 5


@contextmanager
def _commit_fails(ledger: Ledger) -> Iterator[None]:
    ledger._db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        ledger._db.execute("ROLLBACK")
    raise LedgerError("ledger_unusable", "the disk is full")


def nothing_visible_without_a_record() -> Found:
    """A commit that fails, as on a full disk: the public file must stay as it was, and publishing must stop."""
    with Host(HOUR) as host:
        host.slot(0, MEANS)
        before = host.public.read_bytes()
        stopped = False
        try:
            with mock.patch.object(Ledger, "transaction", _commit_fails):
                host.slot(1, MEANS)
        except LedgerError:
            stopped = True
        same = host.public.read_bytes() == before
    return Found(ok=stopped and same, detail=f"failed commit: stopped {stopped}, public file unchanged {same}")


def restart_repeats() -> Found:
    """Restart again and again after a release: the same bytes, the same row, nothing drawn, nothing spent."""
    with Host(HOUR) as host:
        host.slot(0, MEANS)
        host.slot(1, MEANS)
        before, rows = host.public.read_bytes(), host.session.ledger.rows()
        changed = 0
        for _ in range(RESTARTS):
            host.stop()
            host.open()
            host.session.tick()
            changed += host.public.read_bytes() != before or host.session.ledger.rows() != rows
    return Found(ok=not changed, detail=f"{changed} of {RESTARTS} restarts changed what was published or spent")


def windows_once() -> Found:
    """Every accepted window is in exactly one release, by the ledger's stamps, with a restart after each slot."""
    slots = 6
    try:
        with Host(HOUR) as host:
            for number in range(slots):
                host.slot(number, MEANS)
                host.stop()
                host.open()
            stamps = [stamp for row in host.session.ledger.rows() for stamp in host.session.ledger.stamps(row.seq)]
    except LedgerError as error:
        return Found(ok=False, detail=f"the ledger refused: {error.code}")
    twice, missing = len(stamps) - len(set(stamps)), slots * len(MEANS) - len(set(stamps))
    return Found(ok=not twice and not missing, detail=f"{len(stamps)} windows: {twice} used twice, {missing} in none")


class _BusyMachine:
    """Every reading comes late: the process waits for a CPU. Counters run on, all of them busy."""

    def __init__(self, overrun_ms: int) -> None:
        self._overrun_ms = overrun_ms
        self.now_ms = 1_000 * START

    def counters(self) -> tuple[int, ...]:
        return (2 * self.now_ms // 10, 0, 0, 0, 0, 0, 0, 0, 0)

    def now(self) -> Moment:
        return Moment(self.now_ms, self.now_ms)

    def pause(self, milliseconds: int) -> None:
        self.now_ms += milliseconds + self._overrun_ms


def no_window_missing_when_busy() -> Found:
    """A window measured on a machine so busy that it takes 7.9 s instead of 5 s is handed on and accepted."""
    machine = _BusyMachine(overrun_ms=58)
    source = Source(machine.counters, lambda: 2, machine.now, machine.pause, 100)
    settings = collector_settings.read({"CPUTRACKER_PUBLISHER_UID": "1000"})
    try:
        window = measure(source, settings, machine.now_ms)
    except WindowDroppedError as error:
        return Found(ok=False, detail=f"the collector dropped a window of a busy machine: {error}")
    with Host(HOUR) as host:
        host.clock.to(machine.now_ms)
        host.session.accept(host.line(window.started_at_ms, window.mean, window.span_ms))
        counts = {name: dict(reasons) for name, reasons in host.counters.snapshot().items() if reasons}
    return Found(
        ok=counts == {"windows_accepted": {"ok": 1}},
        detail=f"a window of {window.span_ms} ms on a busy machine: {counts}",
    )
