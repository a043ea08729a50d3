"""`cpu-publisher run`: the engine, the hand-off's thread, the HTTP server's threads, and a main loop that waits."""

from __future__ import annotations

import logging
import os
import resource
import secrets
import select
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING

from cpu_publisher import server, web
from cpu_publisher.clock import SystemClock
from cpu_publisher.engine import Engine
from cpu_publisher.errors import SettingsError
from cpu_publisher.handoff import Client
from cpu_publisher.reconcile import Birth

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cpu_publisher.clock import Clock
    from cpu_publisher.settings import Settings

log = logging.getLogger(__name__)
SPARE_MS = 60_000  # how much later than announced the main loop may turn before the health check calls it dead


def birth_of(settings: Settings) -> Birth:
    """What a new ledger is made from, with the system's secure random source."""
    return Birth(settings.mode, secrets.randbelow, partial(secrets.token_hex, 16))


def check_user(settings: Settings, uid: int) -> None:
    """Refuse to run as a user under which the two containers would not be apart.

    Raises:
        SettingsError: says what to do.
    """
    if not settings.isolation:
        return
    if uid == 0:
        raise SettingsError(
            "the publisher refuses to run as root: with the host's processes in view of the collector the user id is"
            " the only wall. Run it as the datasite's owner; if root owns the datasite: chown -R USER: DATASITE"
        )
    if uid == settings.collector_uid:
        raise SettingsError(
            f"publisher and collector share the uid {uid}: nothing would keep them apart; give each its own"
        )


def run(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code.

    Raises:
        PublisherError: it cannot start at all; whatever can be mended while it runs is told by `/readyz` instead.
    """
    check_user(settings, os.geteuid())
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold raw means
    clock = SystemClock()
    engine = Engine(settings, clock, birth_of(settings))
    http = _serve(engine, settings)
    _make_folder(settings.heartbeat)
    wake = Wake()
    signal.signal(signal.SIGTERM, lambda *_: wake.stop())
    signal.signal(signal.SIGINT, lambda *_: wake.stop())
    signal.signal(signal.SIGHUP, lambda *_: wake.now())  # the owner paused or resumed
    client = Client(settings.socket, settings.collector_uid, partial(_take, engine, wake), engine.trouble)
    threads = [threading.Thread(target=http.run, name="http"), threading.Thread(target=client.run, name="hand-off")]
    for thread in threads:
        thread.start()
    try:
        loop(engine.tick, wake, clock, settings.heartbeat)
    finally:
        client.close()
        http.close()
        for thread in threads:
            thread.join(timeout=1)
        engine.close()
        settings.heartbeat.unlink(missing_ok=True)
    return 0


def _serve(engine: Engine, settings: Settings) -> server.Server:
    host = "0.0.0.0" if settings.isolation else "127.0.0.1"  # noqa: S104 - in a container the host publishes loopback only
    try:
        return server.serve(web.create_app(engine.view, settings.allowed_hosts), settings.port, host)
    except OSError as error:
        raise SettingsError(
            f"CPUTRACKER_PORT is {settings.port}, which cannot be listened on ({error.strerror}): choose a free one"
        ) from error


def _make_folder(heartbeat: Path) -> None:
    try:
        heartbeat.parent.mkdir(parents=True, exist_ok=True)
        heartbeat.touch()
    except OSError as error:
        raise SettingsError(
            f"CPUTRACKER_HEARTBEAT is {heartbeat}, which cannot be written ({error.strerror}): choose another place"
        ) from error


def loop(tick: Callable[[], float], wake: Wake, clock: Clock, heartbeat: Path) -> None:
    """Tick, say so, wait for the next due time or a wake-up; until told to stop."""
    while not wake.stopped:
        wait = tick()
        heartbeat.write_text(f"{clock.boot_ms()} {round(1_000 * wait) + SPARE_MS}\n", encoding="ascii")
        wake.wait(wait)


class Wake:
    """Ends a wait, from any thread and from signal handlers: a pipe, since locks may not be taken in a handler."""

    def __init__(self) -> None:
        self.stopped = False
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def now(self) -> None:
        """End the present or next wait. A full pipe will end it anyway."""
        try:
            os.write(self._write, b"\0")
        except BlockingIOError:
            return

    def stop(self) -> None:
        """End the loop."""
        self.stopped = True
        self.now()

    def wait(self, seconds: float) -> None:
        """Wait that long, or until `now`."""
        if select.select([self._read], [], [], seconds)[0]:
            os.read(self._read, 4_096)


def _take(engine: Engine, wake: Wake, line: bytes) -> None:
    engine.accept(line)
    wake.now()
