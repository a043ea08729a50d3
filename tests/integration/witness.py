"""Watches a pair from outside while it is killed: the windows that were in its pool, every count of every life.

It looks often, but it looks: a window that comes when its slot is due is pooled for some milliseconds only.
"""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import requests

if TYPE_CHECKING:
    from types import TracebackType

    from tests.integration.pair import Pair

POOL_SECONDS = 0.005
PAGE_SECONDS = 0.2
COUNT = re.compile(r'^cputracker_windows_dropped_total\{reason="(\w+)"\} (\d+)$', re.MULTILINE)
NEVER_POOLED = {"too_soon", "interval_taken"}  # refused at the door: they explain no window that was in the pool
LIFE = re.compile(r"^cputracker_start_time_seconds (\S+)$", re.MULTILINE)


class Witness:
    """Two threads that look until the block ends: a page that hangs while its publisher is killed hides no pool.

    Attributes:
        since_ms: when it began, unix ms; it knows nothing of earlier windows.
        pooled: start (unix ms) of each window that was seen in the pool.
        dropped: life of the publisher (its start) -> reason -> count, as last told.
    """

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=watch) for watch in (self._watch_pool, self._watch_page)]
        self.since_ms = time.time_ns() // 1_000_000
        self.pooled: set[int] = set()
        self.dropped: dict[str, dict[str, int]] = {}

    @property
    def drops(self) -> int:
        """All that was counted as dropped out of the pool, over all lives."""
        lives = self.dropped.values()
        return sum(count for counts in lives for reason, count in counts.items() if reason not in NEVER_POOLED)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _watch_pool(self) -> None:
        while not self._ended.wait(POOL_SECONDS):
            with suppress(FileNotFoundError):  # before the first window
                self.pooled |= in_pool(self._pair)

    def _watch_page(self) -> None:
        while not self._ended.wait(PAGE_SECONDS):
            with suppress(requests.RequestException):  # killed just now
                self._read(requests.get(f"{self._pair.url}/metrics", timeout=1).text)

    def _read(self, page: str) -> None:
        if life := LIFE.search(page):
            self.dropped[life[1]] = {reason: int(count) for reason, count in COUNT.findall(page)}


def in_pool(pair: Pair) -> set[int]:
    """Starts of the windows in the pool's file, which is replaced whole."""
    return {window[0] for window in json.loads((pair.private / "pool.json").read_bytes())["windows"]}
