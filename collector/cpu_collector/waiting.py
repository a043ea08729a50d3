"""Waiting that SIGTERM and SIGINT end at once, also as PID 1 (where the kernel ignores signals without a handler)."""

from __future__ import annotations

import os
import select
import signal
import time

from cpu_collector.errors import StoppedError


class Waiting:
    """Turns the two signals into a readable pipe: no exception strikes in the middle of anything.

    Attributes:
        poller: poll object of the main wait; others may register their sockets with it.
    """

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self.poller = select.poll()
        self.poller.register(self._read_end, select.POLLIN)
        self._alone = select.poll()
        self._alone.register(self._read_end, select.POLLIN)
        signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)

    def events(self, milliseconds: int) -> list[tuple[int, int]]:
        """What happened on the registered sockets, after so long at most.

        Raises:
            StoppedError: a signal asked the process to end.
        """
        events = self.poller.poll(milliseconds)
        if any(fd == self._read_end for fd, _ in events):
            raise StoppedError
        return events

    def pause(self, milliseconds: int) -> None:
        """Wait so long, never less, for nothing but the signals.

        Raises:
            StoppedError: a signal asked the process to end.
        """
        end = time.monotonic_ns() + 1_000_000 * milliseconds
        while (left := end - time.monotonic_ns()) > 0:
            if self._alone.poll(left / 1_000_000):
                raise StoppedError
