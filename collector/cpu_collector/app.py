"""The collector: one thread, one loop. Wait for the next start and serve the socket; measure; hand on."""

from __future__ import annotations

import os
import resource

from cpu_collector import clock, counters, environment, heartbeat, record
from cpu_collector import settings as settings_module
from cpu_collector.errors import StoppedError, WindowDroppedError
from cpu_collector.log import Log
from cpu_collector.schedule import Schedule
from cpu_collector.server import Server
from cpu_collector.waiting import Waiting
from cpu_collector.window import Source, measure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cpu_collector.settings import Settings

# poll's timer stands still during suspend: look at the clocks at least this often. 30 µs each.
LONGEST_WAIT_MS = 60_000


def run(environ: Mapping[str, str]) -> None:
    """Collect until SIGTERM or SIGINT.

    Raises:
        SettingsError, IsolationError: it must not start like this.
        HandoffError: socket or heartbeat cannot be made.
    """
    settings = settings_module.read(environ)
    if settings.isolation:
        environment.refuse_shared_uid(os.getresuid(), settings.publisher_uid)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the raw mean
    log = Log(settings.log_level)
    log.write(
        "info",
        f"starts: {settings.n} readings of {settings.interval_ms} ms each {settings.sample_seconds} s, for uid"
        f" {settings.publisher_uid} on {settings.socket}",
    )
    if not settings.isolation:
        log.write("warning", "isolation is off: nothing but manners keeps collector and publisher apart")
    if note := environment.virtual_machine(os.uname().release):
        log.write("warning", note)
    counters.use(settings.procfs)
    waiting = Waiting()
    server = Server(
        settings.socket, settings.publisher_uid, waiting.poller, lambda reason: log.count("peer refused", reason)
    )
    try:
        _loop(settings, waiting, server, log)
    except StoppedError:
        log.write("info", "stopped")
    finally:
        server.close()
        heartbeat.remove(settings.heartbeat)


def _loop(settings: Settings, waiting: Waiting, server: Server, log: Log) -> None:
    source = Source(counters.read, counters.cpus, clock.now, waiting.pause, counters.TICKS_PER_SECOND)
    now = clock.now()
    schedule = Schedule(now, settings)
    heartbeat.write(settings.heartbeat, schedule.next(now), settings.sample_seconds)
    while True:
        now = clock.now()
        left = schedule.next(now) - now.boot_ms
        if left > 0:
            server.handle(waiting.events(min(left, LONGEST_WAIT_MS)))
            continue
        scheduled = schedule.start(now)
        heartbeat.write(settings.heartbeat, scheduled, settings.sample_seconds)
        try:
            window = measure(source, settings, scheduled)
        except WindowDroppedError as dropped:
            log.count("window dropped", dropped.reason)
        else:
            server.publish(record.encode(window, settings))
