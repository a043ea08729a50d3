"""One round: look at all datasites, compute each slot that is due once, keep it, publish it. The I/O is in its parts.

When: a slot's result is computed `settle_seconds` after its end, by UTC. The clock may jump: what is kept is the order
(a slot before the newest result is never computed) and the law that a slot has one result, which the history's primary
key holds too.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from cpu_aggregator import census, publish, result, wording
from cpu_aggregator.errors import AggregatorError, HistoryError, PublishError, TreeError
from cpu_aggregator.store import COUNTED, WAITING, Pending, Store
from cpu_aggregator.view import Finding, Point, Wider

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpu_aggregator.clock import Clock
    from cpu_aggregator.history import History
    from cpu_aggregator.scan import Scanner
    from cpu_aggregator.settings import Settings

TORN_PAUSE_SECONDS = 0.2  # a client that writes in place needs some milliseconds for a file
_NONE = -(10**12)  # before any slot


class Aggregator:
    """What the rounds know; `snapshot` makes a view of it, from other threads too.

    Args:
        settings: what is in force.
        scanner: reads the datasites.
        history: keeps the results.
        clock: UTC and a clock that never jumps.
        pause: waits that many seconds, or less when the program is told to stop.

    Attributes:
        newest: the newest slot that was computed; result: the newest one with an estimate.
        findings: what is wrong now, by code; errors: how often since the start.
        census, wider: as of the last round.
        rounds, round_seconds, round_ended: how many, how long the last took, when it ended (steady clock).
    """

    def __init__(
        self,
        settings: Settings,
        scanner: Scanner,
        history: History,
        clock: Clock,
        pause: Callable[[float], object],
    ) -> None:
        self.settings = settings
        self.scanner = scanner
        self.history = history
        self.clock = clock
        self.started = clock.utc()
        self.lock = threading.Lock()
        self.newest: Point | None = history.last()
        self.result: Point | None = history.last(estimated=True)
        self.findings: dict[str, Finding] = {}
        self.errors: Counter[str] = Counter()
        self.census = census.Census(0, 0, {}, ())
        self.wider: tuple[Wider, ...] = ()
        self.rounds = 0
        self.round_seconds: float | None = None
        self.round_ended: float | None = None
        self._slot = settings.policy.slot_seconds
        self._pause = pause
        self._closed = _NONE
        self._published = publish.published_slot(settings.public_dir)
        self._peers: tuple[str, ...] = ()

    def due_slot(self, now: float) -> int:
        """Start of the newest slot whose result is due at `now`."""
        end = int((now - self.settings.settle_seconds) // self._slot) * self._slot
        return end - self._slot

    def next_due(self, now: float) -> float:
        """When the next result is due after `now`, unix seconds."""
        return self.due_slot(now) + 2 * self._slot + self.settings.settle_seconds

    def closed(self, now: float) -> int:
        """Start of the newest slot that takes no more values.

        Normally the one computed last. After a jump forward or a long sleep: the one before the newest due, so that
        old slots are not averaged over whoever stopped publishing. After a jump back: what the history has.
        """
        due = self.due_slot(now)
        kept = self.newest.slot if self.newest else _NONE
        return max(kept, due - self._slot, self._closed if self._closed <= due else _NONE)

    def round(self, render: Callable[[Aggregator], str] | None = None) -> None:
        """Look, compute, keep, publish. What goes wrong becomes a finding; the next round tries again.

        Args:
            render: the page as a file; None: none is published.
        """
        began = self.clock.steady()
        now = self.clock.utc()
        try:
            self._scan(now)
        except TreeError as error:
            self._fail("datasites_unreadable", error)
        else:
            self.findings.pop("datasites_unreadable", None)
            self._close(now)
        store, sure = self.scanner.store, self.result.estimate if self.result else None
        taken = census.take(store, self._slot, now)
        wider = census.wider(store, self.result.n if self.result else 0, sure.noise_pp if sure else None, self._slot)
        with self.lock:
            self.census, self.wider = taken, wider
        self._check_clock(now)
        self._publish(render)
        self.rounds += 1
        self.round_ended = self.clock.steady()
        self.round_seconds = self.round_ended - began

    def _scan(self, now: float) -> None:
        closed = self.closed(now)
        newest = int(now // self._slot) * self._slot - self._slot
        torn = self.scanner.scan(now=now, newest=newest, closed=closed)
        if torn:
            self._pause(TORN_PAUSE_SECONDS)
            self.scanner.look_again(torn, now=now, closed=closed)

    def _close(self, now: float) -> None:
        """Compute every slot that is due, oldest first. One that cannot be kept stays as it is for the next round."""
        due = self._closed = self.due_slot(now)
        for slot in sorted(slot for slot in self.scanner.pending if slot <= due):
            point = self._point(slot, self.scanner.pending[slot], now)
            try:
                self.history.add(point, self.scanner.store.dump())
            except HistoryError as error:
                self._fail("history_failed", error)
                return
            with self.lock:
                self.newest = point
                self.result = point if point.estimate else self.result
            del self.scanner.pending[slot]
        try:
            self.history.prune(now, self.settings.retention_days)
        except HistoryError as error:
            self._fail("history_failed", error)
        else:
            self.findings.pop("history_failed", None)

    def _point(self, slot: int, values: Pending, now: float) -> Point:
        """The result of one slot; marks its datasites as counted."""
        store, settings = self.scanner.store, self.settings
        for row in values.row:
            if store.code[row] == WAITING and store.valued[row] == slot:
                store.code[row] = COUNTED
        reasons = census.take(store, self._slot, now).reasons
        n = len(values.row)
        sure = None
        if n >= settings.min_participants:
            sure = result.estimate(slot, values, settings.policy, self.result, settings.smoothing_seconds)
        if sure and settings.publish_peers:
            counted = set(values.row)
            names = (name.decode("utf-8", "replace") for name, row in store.index.items() if row in counted)
            self._peers = tuple(sorted(names))
        return Point(slot, self._slot, n, sure, reasons)

    def _publish(self, render: Callable[[Aggregator], str] | None) -> None:
        """Bring the public folder up to the newest result: once a slot, again only if it failed."""
        settings = self.settings
        if self.result is None or self._published == self.result.slot:
            return
        try:
            content = publish.document(
                self.history.results(publish.ITEMS),
                policy=settings.policy.names,
                words=wording.policy_words(settings.policy, settings.min_participants, settings.settle_seconds),
                minimum=settings.min_participants,
                peers=self._peers if settings.publish_peers else None,
            )
            if render:
                publish.write(settings.public_dir, publish.HTML_NAME, render(self).encode())
            publish.write(settings.public_dir, publish.JSON_NAME, content)  # last: it says which slot is out
        except (PublishError, HistoryError) as error:
            self._fail("publish_failed", error)
            return
        self._published = self.result.slot
        self.findings.pop("publish_failed", None)

    def _check_clock(self, now: float) -> None:
        if self.newest and self.newest.slot > self.due_slot(now):
            self.findings["clock_back"] = Finding(
                "clock_back",
                f"the clock says {publish.stamp(now)} UTC, but the slot of {publish.stamp(self.newest.slot)} has a"
                " result already; set the clock right; nothing is computed until it has passed that slot",
            )
        else:
            self.findings.pop("clock_back", None)

    def _fail(self, code: str, error: AggregatorError) -> None:
        self.errors[code] += 1
        self.findings[code] = Finding(code, str(error))


def load_store(history: History) -> Store:
    """What was remembered of the datasites at the last result; a new store when there is nothing."""
    data, last = history.store(), history.last()
    return Store() if data is None or last is None else Store.load(data, last.slot)
