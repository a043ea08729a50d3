"""Watches a pair from outside while it is killed: every window that was ever pooled, every count of every life."""

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

POOL_SECONDS = 0.02  # a window is pooled for at least the publish delay of 0.5 s: none is missed
PAGE_EVERY = 10  # looks at the pool
COUNT = re.compile(r'^cputracker_windows_dropped_total\{reason="(\w+)"\} (\d+)$', re.MULTILINE)
LIFE = re.compile(r"^cputracker_start_time_seconds (\S+)$", re.MULTILINE)


class Witness:
    """A thread that looks until the block ends.

    Attributes:
        since_ms: when it began, unix ms; earlier windows it may have missed.
        pooled: start (unix ms) of each window that was in the pool at any time.
        dropped: life of the publisher (its start) -> reason -> count, as last told.
    """

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.since_ms = time.time_ns() // 1_000_000
        self.pooled: set[int] = set()
        self.dropped: dict[str, dict[str, int]] = {}

    @property
    def drops(self) -> int:
        """All that was counted as dropped, over all lives."""
        return sum(sum(counts.values()) for counts in self.dropped.values())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        looks = 0
        while not self._ended.wait(POOL_SECONDS):
            with suppress(FileNotFoundError):  # before the first window
                self.pooled |= in_pool(self._pair)
            looks += 1
            if looks % PAGE_EVERY == 0:
                with suppress(requests.RequestException):  # killed just now
                    self._read(requests.get(f"{self._pair.url}/metrics", timeout=1).text)

    def _read(self, page: str) -> None:
        if life := LIFE.search(page):
            self.dropped[life[1]] = {reason: int(count) for reason, count in COUNT.findall(page)}


def in_pool(pair: Pair) -> set[int]:
    """Starts of the windows in the pool's file, which is replaced whole."""
    return {window[0] for window in json.loads((pair.private / "pool.json").read_bytes())["windows"]}
