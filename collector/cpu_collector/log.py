"""Log lines on stderr: no CPU value, span or lateness ever, since any of them would show load.

A few lines instead of `logging`, which costs 0.7 MB of the collector's 11.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

LEVELS = ("debug", "info", "warning", "error")


class Log:
    """Writes one line for each message of at least `level`."""

    def __init__(self, level: str, stream: TextIO | None = None) -> None:
        self._lowest = LEVELS.index(level)
        self._stream = stream or sys.stderr
        self._counts: dict[str, int] = {}

    def write(self, level: str, message: str) -> None:
        """One line."""
        if LEVELS.index(level) >= self._lowest:
            self._stream.write(f"cpu-collector {level}: {message}\n")
            self._stream.flush()

    def count(self, event: str, reason: str) -> None:
        """One more of a kind of event; the log hears of the 1st, 2nd, 4th, 8th…, so that no peer can flood it."""
        key = f"{event}: {reason}"
        number = self._counts[key] = self._counts.get(key, 0) + 1
        if number & (number - 1) == 0:
            self.write("info", f"{key} ({number} since the start)")
