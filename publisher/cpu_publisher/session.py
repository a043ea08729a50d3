"""A publisher that holds the lock: lines become pooled windows, due slots become releases, releases become files.

Every step leaves what a crash before the next one can be mended from: a window is in the pool before it counts as
accepted, a release in the ledger before it is published, and the public file is what the ledger's newest body says.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cpu_publisher import body as bodies
from cpu_publisher import history, reconcile
from cpu_publisher.errors import RecordRejectedError
from cpu_publisher.pool import Pool, Pooled, Stamp, is_after, refusal
from cpu_publisher.record import AHEAD_MS, OLD_MS, check_fresh, decode
from cpu_publisher.release import Refused, draft, release
from cpu_publisher.slots import day_interval, phase_ms, slot_due_ms, slot_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cpu_publisher.clock import Clock
    from cpu_publisher.counters import Counters
    from cpu_publisher.datasite import Datasite
    from cpu_publisher.ledger import Ledger
    from cpu_publisher.private import PrivateFolder
    from cpu_publisher.record import Window
    from cpu_publisher.release import Terms
    from cpu_publisher.view import Finding

log = logging.getLogger(__name__)


class Session:
    """One ledger, one pool, one datasite, from lock to unlock. Calls are serialised by the engine.

    Attributes:
        findings, looked: what the last look at the datasite found, and whether there was one.
    """

    def __init__(
        self,
        *,
        terms: Terms,
        delay_ms: int,
        history_days: int,
        clock: Clock,
        token: Callable[[], str],
        private: PrivateFolder,
        datasite: Datasite,
        ledger: Ledger,
        counters: Counters,
    ) -> None:
        self._terms = terms
        self._preset = terms.preset
        self._delay_ms = delay_ms
        self._history_days = history_days
        self._clock = clock
        self._token = token
        self._private = private
        self._datasite = datasite
        self.ledger = ledger
        self._counters = counters
        self.findings: tuple[Finding, ...] = ()
        self.looked = False
        self._refused: int | None = None
        identity = ledger.identity
        self._phase_ms = phase_ms(self._preset.sample_seconds, identity.phase_ppm)
        self._day_interval = day_interval(self._preset.sample_seconds, identity.day_ppm)
        self.pool = Pool(private.folder, identity.ledger_id, self._preset)
        self._next_slot = slot_of(clock.utc_ms(), self._preset.slot_seconds)
        for reason, count in self.pool.load().items():
            counters.add("windows_dropped", reason, count)

    def accept(self, line: bytes) -> bool:
        """Pool the window of one line from the collector, or count why not. The line is never logged.

        Returns whether the line was a valid and recent record, pooled or not.
        """
        last = self._last_stamp()
        try:
            window = self._believe(line, last)
        except RecordRejectedError as error:
            self._counters.add("records_rejected", error.reason)
            return error.reason == "not_newer"  # the newest one again, after a reconnect: its sender lives
        boot_id = self._clock.boot_id()
        stamp = Stamp(window.started_at_ms, window.boot_ms, window.span_ms, boot_id)
        reason = "paused" if self._private.is_paused() else refusal(stamp, last, self._preset, self._day_interval)
        if reason or (reason := self._too_late_for(slot_of(stamp.started_at_ms, self._preset.slot_seconds))):
            self._counters.add("windows_dropped", reason)
            return True
        self.pool.add(Pooled(stamp, window.mean))
        self._counters.add("windows_accepted", "ok")
        return True

    def tick(self) -> None:
        """Do whatever is due now: releases, statuses, permission files, a publication that a crash or error left over.

        Raises:
            PublisherError: nothing may be released until it is mended.
        """
        self._settle()
        reconcile.check_clock(self.ledger, self._clock)
        self._inspect()
        if any(finding.fatal for finding in self.findings):
            return
        restored = self._datasite.write_permissions()
        if self.ledger.last():  # before the first release they are made, not restored
            self._counters.add("permissions_restored", "changed", len(restored))
        self._publish_newest()
        now = self._clock.utc_ms()
        current = slot_of(now, self._preset.slot_seconds)
        if self._private.is_paused():
            self._drop(self.pool.windows, "paused")
            self._publish_status("paused", None)
            self._next_slot = current
            return
        if (newest := self.ledger.newest_body()) and newest[1] == "paused":
            self._publish_status("active", None)
        self._drop([p for p in self.pool.windows if p.stamp.started_at_ms > now + AHEAD_MS], "ahead_of_clock")
        before = current - self._preset.slot_seconds
        for slot in self.pool.slots():
            if slot < before:
                self._drop(self.pool.of_slot(slot), "slot_missed")
                self._pass(slot)
        self._release_first(now)
        for slot in self.pool.slots():
            if self._due_ms(slot) <= now:
                self._release_slot(slot)
        self._count_empty(now, current)

    def next_due_ms(self, after_ms: int) -> int:
        """Unix ms at which the next slot, or the first window, is due: the first such time after `after_ms`."""
        current = slot_of(after_ms, self._preset.slot_seconds)
        if self.pool.windows and self.ledger.last() is None:
            first = self.pool.windows[0].stamp.started_at_ms + self._delay_ms
            if first > after_ms:
                return first
        before = self._due_ms(current - self._preset.slot_seconds)
        return before if before > after_ms else self._due_ms(current)

    def resumes_slot(self) -> int | None:
        """While the cap refuses releases: start of the first slot that can be released again."""
        newest = self.ledger.newest_body()
        if newest is None:  # no file to say so: a ledger that began with a day's budget counted as spent
            return self._refused
        return bodies.status_of(newest[2])[1] if newest[1] == "budget_exhausted" else None

    def close(self) -> None:
        """Close the ledger."""
        self.ledger.close()

    def _believe(self, line: bytes, last: Stamp | None) -> Window:
        """The window of a line that is a record of this collector, fresh by both clocks."""
        window = decode(line, self._preset)
        age = self._clock.boot_ms() - window.boot_ms
        if not -AHEAD_MS <= age <= 1_000 * self._preset.sample_seconds + OLD_MS:
            raise RecordRejectedError("boot_clock")  # covers_seconds rests on it: it must agree with our own clock
        last_started = last.started_at_ms if last else None
        check_fresh(window, now_utc_ms=self._clock.utc_ms(), last_started_ms=last_started, preset=self._preset)
        return window

    def _inspect(self) -> None:
        """Look at the datasite; what was not found the last time is logged."""
        before, self.findings = self.findings, self._datasite.inspect()
        self.looked = True
        for finding in self.findings:
            if finding not in before:
                log.log(logging.ERROR if finding.fatal else logging.WARNING, "%s: %s", finding.code, finding.message)

    def _settle(self) -> None:
        """Take out of the pool what the ledger has released, after keeping its raw mean for the owner.

        Also what a crash, or a write that failed, left in there: every window that did not start after the last one
        of the ledger's last row.
        """
        last_stamp, last = self.ledger.last_stamp(), self.ledger.last()
        gone = [p for p in self.pool.windows if not is_after(p.stamp, last_stamp)]
        if not gone or last is None:
            return
        own = set(self.ledger.stamps(last.seq))
        released = [p for p in gone if p.stamp in own]
        if released and last.noisy_sum is not None:
            self._private.save(history.raw_document(last, released), last.due_ms)
            value = bodies.value(last.noisy_sum, last.k)
            history.append(self._private.folder, last, released, value, self._history_days)
        if len(gone) > len(released):
            self._counters.add("windows_dropped", "not_after_ledger", len(gone) - len(released))
        self.pool.remove(gone)

    def _last_stamp(self) -> Stamp | None:
        return self.pool.windows[-1].stamp if self.pool.windows else self.ledger.last_stamp()

    def _due_ms(self, slot: int) -> int:
        return slot_due_ms(slot, self._preset.slot_seconds, self._delay_ms, self._phase_ms)

    def _too_late_for(self, slot: int) -> str | None:
        """Why windows of `slot` cannot be released any more, or None. A slot's start never goes back."""
        last = self.ledger.last()
        if last is None or slot > last.slot:
            return None
        if slot < last.slot or last.kind == "slot":
            return "slot_released"
        return "first_only" if self._preset.unit == "participant-day" else None

    def _release_first(self, now: int) -> None:
        """A new ledger's first window goes out alone, so that a newcomer sees it work."""
        if not self.pool.windows or self.ledger.last() is not None:
            return
        first = self.pool.windows[0]
        due = first.stamp.started_at_ms + self._delay_ms
        if due <= now:
            self._release([first], slot_of(first.stamp.started_at_ms, self._preset.slot_seconds), "first", due)

    def _release_slot(self, slot: int) -> None:
        pooled = self.pool.of_slot(slot)
        if reason := self._too_late_for(slot):
            self._drop(pooled, reason)
        elif pooled:
            self._release(pooled, slot, "slot", self._due_ms(slot))
        self._pass(slot)

    def _release(self, pooled: Sequence[Pooled], slot: int, kind: str, due_ms: int) -> None:
        reconcile.check_public(self.ledger, self._datasite.read_public())
        row = draft(self._terms, pooled, slot=slot, kind=kind, due_ms=due_ms, clock=self._clock)
        outcome = release(self.ledger, self._terms, row, pooled, self._token())
        if isinstance(outcome, Refused):
            self._counters.add("releases_refused", "cap")
            self._drop(pooled, "budget")
            self._refused = outcome.resumes_slot
            self._publish_status("budget_exhausted", outcome.resumes_slot)
            log.warning("slot %d refused: the cap on epsilon of 24 h of slots is reached", slot)
            return
        self._counters.add("releases", kind)
        self._publish_newest()
        self._settle()
        log.info("released seq %d, slot %d, kind %s, windows %d", outcome.seq, slot, kind, outcome.k)

    def _publish_newest(self) -> None:
        """Make the public file what the ledger says, if it is not."""
        newest, last = self.ledger.newest_body(), self.ledger.last()
        if newest is None or last is None:
            return
        public = self._datasite.read_public()
        if public == newest[2]:
            return
        reconcile.check_public(self.ledger, public)
        self._datasite.publish(newest[2], last.due_ms)

    def _publish_status(self, status: str, resumes_slot: int | None) -> None:
        """The same release under another status: in the ledger first, like every body."""
        newest = self.ledger.newest_body()
        if newest is None:
            return
        seq, _, body = newest
        if bodies.status_of(body) != (status, resumes_slot):
            changed = bodies.status_body(body, status, resumes_slot, self._token())
            with self.ledger.transaction():
                self.ledger.insert_body(seq, status, changed)
        self._publish_newest()

    def _drop(self, pooled: Sequence[Pooled], reason: str) -> None:
        if count := self.pool.remove(pooled):
            self._counters.add("windows_dropped", reason, count)

    def _pass(self, slot: int) -> None:
        """A slot that had windows is not counted as empty, whether they were released or not."""
        if slot == self._next_slot:
            self._next_slot += self._preset.slot_seconds

    def _count_empty(self, now: int, current: int) -> None:
        """Count slots that became due without a window since this process began."""
        length = self._preset.slot_seconds
        if not current - 2 * length <= self._next_slot <= current:  # the clock stepped: those slots were not ours
            self._next_slot = current
        while self._due_ms(self._next_slot) <= now:
            if self.ledger.find(self._next_slot, "slot") is None and self.ledger.find(self._next_slot, "first") is None:
                self._counters.add("slots_empty", "no_window")
            self._next_slot += length
