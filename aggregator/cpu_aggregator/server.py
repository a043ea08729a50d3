"""The HTTP server: waitress with small limits and an end in well under a second."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from waitress import wasyncore
from waitress.server import create_server

if TYPE_CHECKING:
    from flask import Flask

TURN_SECONDS = 5
LIFETIME_SECONDS = 30  # of a connection, whatever it dribbles: inactivity alone would let it hold its place for ever
CONNECTIONS = 60


class Server:
    """A bound server. `run` blocks its thread until `close`, which another thread may call."""

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
        self._lock = threading.Lock()
        self._closing = False

    def run(self) -> None:
        """Serve until `close`."""
        while not self._closing:
            wasyncore.poll2(TURN_SECONDS, self._map)
            oldest = time.time() - LIFETIME_SECONDS
            for channel in list(self._server.active_channels.values()):
                if channel.creation_time < oldest:
                    channel.will_close = True
        with self._lock:  # the trigger must outlive the close() that pulled it
            self._server.task_dispatcher.shutdown(timeout=0.2)
            wasyncore.close_all(self._map)

    def close(self) -> None:
        """End `run` at once; to be called once."""
        with self._lock:
            self._closing = True
            self._server.pull_trigger()


def serve(app: Flask, port: int, host: str = "0.0.0.0") -> Server:  # noqa: S104 - the host publishes 127.0.0.1 only
    """A server bound to `host`:`port` (0: any free one, see `.port`).

    Raises:
        OSError: the port is taken or not allowed.
    """
    return Server(app, port, host)
