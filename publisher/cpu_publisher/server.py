"""The HTTP server: waitress with small limits, no wake-up while idle, and an end in well under a second."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from waitress import wasyncore
from waitress.server import create_server

if TYPE_CHECKING:
    from flask import Flask

IDLE_SECONDS = 3_600
BUSY_SECONDS = 5
LIFETIME_SECONDS = 30
CONNECTIONS = 40


class Server:
    """A bound server. `run` blocks its thread until `close`, which any thread or signal handler may call.

    waitress looks after time-outs only when its loop turns. Left alone it would turn each second for nothing, or, told
    to sleep an hour, leave a full connection limit in place for that hour. So the loop is ours: it sleeps while no
    connection is open, turns every few seconds while one is, and ends each one after 30 s whatever it dribbles.
    """

    def __init__(self, app: Flask, port: int, host: str) -> None:
        self._map: dict[int, object] = {}
        self._server = create_server(
            app,
            map=self._map,
            host=host,
            port=port,
            threads=2,
            ident=None,
            connection_limit=CONNECTIONS,
            max_request_header_size=8_192,
            max_request_body_size=16_384,
            asyncore_use_poll=True,
        )
        self.port: int = int(self._server.effective_port)
        # Reentrant: a signal may land while its own thread is in close().
        self._lock = threading.RLock()
        self._closing = False

    def run(self) -> None:
        """Serve until `close`."""
        while not self._closing:
            channels = self._server.active_channels
            wasyncore.poll2(BUSY_SECONDS if channels else IDLE_SECONDS, self._map)
            oldest = time.time() - LIFETIME_SECONDS
            for channel in list(channels.values()):
                if channel.creation_time < oldest:
                    channel.will_close = True
        with self._lock:  # the trigger must outlive the close() that pulled it
            self._server.task_dispatcher.shutdown(timeout=0.2)
            wasyncore.close_all(self._map)

    def close(self) -> None:
        """End `run`, or keep it from starting. Waits for nothing; once is enough, more does no harm."""
        with self._lock:
            if not self._closing:
                self._closing = True
                self._server.pull_trigger()


def serve(app: Flask, port: int, host: str = "0.0.0.0") -> Server:  # noqa: S104 - the host publishes 127.0.0.1 only
    """A server bound to `host`:`port` (0: any free one, see `.port`).

    Raises:
        OSError: the port is taken or not allowed.
    """
    return Server(app, port, host)
