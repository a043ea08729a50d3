"""Puts the aggregator together and keeps it going: rounds at their moments, the HTTP server beside, a clean end."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cpu_aggregator import heartbeat, page, server, web
from cpu_aggregator.aggregator import Aggregator, load_store
from cpu_aggregator.body import Reader
from cpu_aggregator.errors import AggregatorError, LockedError, SettingsError
from cpu_aggregator.history import History
from cpu_aggregator.scan import Scanner
from cpu_aggregator.snapshot import snapshot
from cpu_aggregator.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cpu_aggregator.clock import Clock
    from cpu_aggregator.settings import Settings

log = logging.getLogger(__name__)

HISTORY_NAME, LOCK_NAME = "history.sqlite3", "lock"
STOP = {signal.SIGTERM, signal.SIGINT}
PUBLIC_RANGE_SECONDS = 7 * 86_400
_LOOKS_PER_SLOT = 4  # for slots so short that a look each scan_seconds could miss one
_SHORTEST_WAIT = 0.02
_ROUNDS_MISSED, _ROUND_MOST_SECONDS = 3, 60.0  # the heartbeat may become that old


@contextmanager
def opened(settings: Settings, clock: Clock) -> Iterator[Aggregator]:
    """The aggregator over its state folder, alone: a lock is held until the end.

    Raises:
        LockedError: another aggregator runs on this state folder.
        AggregatorError: state folder or history cannot be used.
    """
    with locked(settings), history_of(settings) as history:
        tree = Tree(settings.datasites_dir, descend=settings.layout == "datasites")
        scanner = Scanner(tree, Reader(settings.policy), load_store(history))
        try:
            yield Aggregator(settings, scanner, history, clock, time.sleep)
        finally:
            tree.close()


@contextmanager
def history_of(settings: Settings) -> Iterator[History]:
    """The history alone; others may have it open."""
    history = History(settings.state_dir / HISTORY_NAME)
    try:
        yield history
    finally:
        history.close()


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """The state folder's lock: two aggregators would publish two results of one slot."""
    try:
        fd = os.open(settings.state_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise AggregatorError(
            f"the state folder {settings.state_dir} cannot be used ({error.strerror}); set CPUTRACKER_STATE_DIR to a"
            " folder that this user owns and that does not sync"
        ) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise LockedError(f"another aggregator runs on {settings.state_dir}; stop it first") from None
    finally:
        os.close(fd)


def public_page(aggregator: Aggregator) -> str:
    """The page as a file, for everyone: datasites are named only if peers are published."""
    return page.render_file(snapshot(aggregator, PUBLIC_RANGE_SECONDS, public=True))


def run(settings: Settings, clock: Clock) -> int:
    """Rounds until SIGTERM or SIGINT. Both are blocked and waited for, so that none can land in the middle of a round.

    Raises:
        SettingsError: started as root.
        AggregatorError: state folder, lock or history.
    """
    if os.geteuid() == 0:
        raise SettingsError("the aggregator reads what others wrote and does not run as root: start it as another user")
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    with opened(settings, clock) as aggregator:
        app = web.create_app(
            lambda range_seconds, most_points: snapshot(aggregator, range_seconds, most_points),
            settings.allowed_hosts,
        )
        try:
            http = server.serve(app, settings.port)
        except OSError as error:
            raise AggregatorError(
                f"port {settings.port} cannot be served ({error.strerror}); set CPUTRACKER_PORT to a free one"
            ) from None
        thread = threading.Thread(target=http.run, name="http")
        thread.start()
        log.info("aggregating %s; page on port %d", ", ".join(settings.policy.names), http.port)
        try:
            _rounds(aggregator, settings, clock)
        finally:
            http.close()
            thread.join()
    return 0


def _beat(settings: Settings, clock: Clock) -> None:
    heartbeat.beat(settings.heartbeat, clock.steady(), _ROUNDS_MISSED * settings.scan_seconds + _ROUND_MOST_SECONDS)


def _rounds(aggregator: Aggregator, settings: Settings, clock: Clock) -> None:
    look = min(settings.scan_seconds, settings.policy.slot_seconds / _LOOKS_PER_SLOT)
    said: set[str] = set()
    while True:
        before = aggregator.newest
        aggregator.round(public_page)
        point = aggregator.newest
        if point is not None and point != before:
            shown = f"{point.estimate.headline:.2f} ± {point.estimate.noise_pp:.2f}" if point.estimate else "not shown"
            log.info("slot %d: %d counted, mean %s", point.slot, point.n, shown)
        for code in aggregator.findings.keys() - said:
            log.warning("%s: %s", code, aggregator.findings[code].message)
        for code in said - aggregator.findings.keys():
            log.info("%s: over", code)
        said = set(aggregator.findings)
        _beat(settings, clock)
        now = clock.utc()
        if signal.sigtimedwait(STOP, max(_SHORTEST_WAIT, min(look, aggregator.next_due(now) - now))):
            log.info("stopping")
            return
