"""The publisher as threads see it: opens a session, feeds it, and says what is wrong when there is none.

Fails closed: any error ends the session and frees the lock (so that the owner's commands can mend the ledger); the
next tick tries to open one again and meets the same checks.
"""

from __future__ import annotations

import logging
import sqlite3
from threading import RLock
from typing import TYPE_CHECKING

from cpu_publisher import budget, outlook
from cpu_publisher.counters import Counters
from cpu_publisher.datasite import Datasite
from cpu_publisher.errors import LedgerError, LockedError, NoiseError, PublisherError, RecordRejectedError
from cpu_publisher.mirror import HEARTBEAT_SECONDS
from cpu_publisher.private import PrivateFolder
from cpu_publisher.reconcile import check_clock, open_ledger
from cpu_publisher.record import decode
from cpu_publisher.release import Terms
from cpu_publisher.session import Session
from cpu_publisher.view import Finding

if TYPE_CHECKING:
    from cpu_publisher.clock import Clock
    from cpu_publisher.private import Lock
    from cpu_publisher.reconcile import Birth
    from cpu_publisher.settings import Settings
    from cpu_publisher.view import View

log = logging.getLogger(__name__)
RETRY_MS = 30_000  # how soon a session that could not be opened, or a publication that failed, is tried again


def terms_of(settings: Settings) -> Terms:
    """The privacy setting and cap in force, proven by OpenDP's map.

    Raises:
        NoiseError: the map says more than ε.
        SettingsError: the cap does not fit one full slot.
    """
    return Terms(settings.preset, budget.cap_micro(settings.preset, settings.cap_micro))


class Engine:
    """All state of a running publisher, behind one lock.

    Args:
        settings: what was set.
        clock: time.
        birth: what a new ledger is made from, and the source of nonces.
    """

    def __init__(self, settings: Settings, clock: Clock, birth: Birth) -> None:
        self._settings = settings
        self._clock = clock
        self._birth = birth
        self._terms = terms_of(settings)
        self._lock = RLock()
        self._held: Lock | None = None
        self._private: PrivateFolder | None = None
        self._datasite: Datasite | None = None
        self._session: Session | None = None
        self._closed: Finding | None = None
        self._notes: tuple[Finding, ...] = ()
        self._trouble: tuple[str, int] | None = None
        self._counters = Counters()
        self._started_ms = clock.utc_ms()
        self._started_boot_ms = clock.boot_ms()
        self._heard_boot_ms: int | None = None

    def accept(self, line: bytes) -> None:
        """A line from the collector. Without a session it is counted and forgotten."""
        with self._lock:
            self._trouble = None
            if self._session is None:
                self._forget(line)
                return
            try:
                if self._session.accept(line):
                    self._heard_boot_ms = self._clock.boot_ms()  # outlives the session
            except Exception as error:  # noqa: BLE001 - fail closed, whatever it is
                self._close(error)

    def _forget(self, line: bytes) -> None:
        """Count a line that comes while nothing can be pooled: the collector is not silent for that."""
        try:
            decode(line, self._settings.preset)
        except RecordRejectedError as error:
            self._counters.add("records_rejected", error.reason)
        else:
            self._heard_boot_ms = self._clock.boot_ms()
            self._counters.add("windows_dropped", "closed")

    def trouble(self, code: str) -> None:
        """The hand-off failed; counted, and told once it lasts."""
        with self._lock:
            self._counters.add("handoff_troubles", code)
            since = self._trouble[1] if self._trouble else self._clock.boot_ms()
            self._trouble = (code, since)

    def tick(self) -> float:
        """Do what is due. Returns the seconds until something may be due again."""
        with self._lock:
            began_ms = self._clock.utc_ms()
            try:
                if self._session is None:
                    self._open()
                assert self._session is not None  # noqa: S101 - _open() raises or sets it
                self._session.tick()
                if self._settings.mirror:
                    self._heartbeat()
            except Exception as error:  # noqa: BLE001 - fail closed, whatever it is
                self._close(error)
            return self._wait_ms(began_ms) / 1_000

    def view(self) -> View:
        """A snapshot for web, page and metrics."""
        with self._lock:
            try:
                return outlook.view(self._settings, self._terms, self._clock, self._watch(), self._session)
            except Exception as error:  # noqa: BLE001 - fail closed, whatever it is
                self._close(error)
                return outlook.view(self._settings, self._terms, self._clock, self._watch(), None)

    def _watch(self) -> outlook.Watch:
        return outlook.Watch(
            started_ms=self._started_ms,
            started_boot_ms=self._started_boot_ms,
            heard_boot_ms=self._heard_boot_ms,
            trouble=self._trouble,
            standing=(*((self._closed,) if self._closed else ()), *self._notes),
            paused=bool(self._private and self._private.is_paused()),
            counters=self._counters,
        )

    def close(self) -> None:
        """End the session and give the lock back."""
        with self._lock:
            if self._session:
                self._session.close()
                self._session = None
            if self._datasite:
                self._datasite.close()
                self._datasite = None
            if self._held:
                self._held.release()
                self._held = None
            if self._private:
                self._private.folder.close()
                self._private = None

    def _open(self) -> None:
        settings = self._settings
        self._private = PrivateFolder(settings.private_dir)
        self._held = self._private.lock(self._birth.mode)
        self._private.folder.sweep()  # only now: until then the temp files may be another publisher's
        self._datasite = Datasite(
            settings.datasite_dir,
            email=settings.email,
            aggregators=settings.aggregators,
            layout=settings.layout,
            mirror=settings.mirror,
        )
        public = self._datasite.read_public()
        ledger, self._notes = open_ledger(settings.private_dir, public, self._terms, self._clock, self._birth)
        try:
            check_clock(ledger, self._clock)
        except LedgerError:
            ledger.close()
            raise
        for note in self._notes:
            log.warning("%s: %s", note.code, note.message)
        self._session = Session(
            terms=self._terms,
            delay_ms=round(1_000 * settings.publish_delay_seconds),
            history_days=settings.history_days,
            clock=self._clock,
            token=self._birth.token,
            private=self._private,
            datasite=self._datasite,
            ledger=ledger,
            counters=self._counters,
        )
        self._closed = None
        readers = "embedded default, nobody else sees it" if settings.embedded else ", ".join(settings.aggregators)
        log.info(
            "session open: %s (%s), preset %s, ledger %s",
            settings.email,
            readers,
            settings.preset.name,
            ledger.identity.ledger_id,
        )

    def _heartbeat(self) -> None:
        """Keep the mirror counted by the old readers, unless a finding says that nothing may be written."""
        if self._session is None or self._datasite is None or any(f.fatal for f in self._session.findings):
            return
        if body := self._session.ledger.newest_body():
            self._datasite.heartbeat(body[2], self._clock.utc_ms())

    def _close(self, error: Exception) -> None:
        """Fail closed: no session, a reason, another try later."""
        finding = Finding(_code(error), _message(error))
        if finding != self._closed:
            log.error("closed (%s): %s", finding.code, finding.message)
        self._closed = finding
        self.close()

    def _wait_ms(self, began_ms: int) -> int:
        """How long nothing can be due. What became due while the last look was taken waits for no later one."""
        sample_ms = 1_000 * self._settings.preset.sample_seconds
        limit = min(sample_ms, RETRY_MS) if self._closed else sample_ms
        if self._session is not None:
            if any(f.fatal for f in self._session.findings):
                limit = min(limit, RETRY_MS)
            limit = min(limit, max(0, self._session.next_due_ms(began_ms) - self._clock.utc_ms()))
        if self._settings.mirror:
            limit = min(limit, 1_000 * HEARTBEAT_SECONDS)
        return limit


def _code(error: Exception) -> str:
    """The fixed reason code of an error."""
    if isinstance(error, LedgerError):
        return error.code
    if isinstance(error, LockedError):
        return "locked"
    if isinstance(error, NoiseError):
        return "noise"
    if isinstance(error, sqlite3.DatabaseError):
        return "ledger_unusable"
    return "folder" if isinstance(error, (PublisherError, OSError)) else "internal"


def _message(error: Exception) -> str:
    """What it says, if it is one that is known to carry no CPU value; else only what kind it is."""
    if isinstance(error, (PublisherError, sqlite3.DatabaseError, OSError)):
        return str(error)
    return f"an error that was not expected ({type(error).__name__}): nothing is released; please report it"
