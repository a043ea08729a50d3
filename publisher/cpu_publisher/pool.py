"""The pool: accepted windows not yet released, and the rule that accepts one.

The file holds raw means, so it lies in the private folder, 0600, replaced whole. It is believed only by the publisher
that holds the lock, of the same ledger, under the same settings.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cpu_publisher.presets import DAY_SECONDS
from cpu_publisher.slots import sample_interval_of, slot_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cpu_publisher.folder import Folder
    from cpu_publisher.presets import Preset

POOL_NAME = "pool.json"
POOL_LIMIT = 1_000_000  # bytes; the longest pool (a day of 20 s windows) is a third of it


@dataclass(frozen=True, slots=True)
class Stamp:
    """Where an accepted window stands in time. Holds no CPU value, so the ledger may keep it.

    Attributes:
        started_at_ms: unix time of its start.
        boot_ms: CLOCK_BOOTTIME of its start.
        span_ms: how long it took.
        boot_id: the boot that boot_ms counts from.
    """

    started_at_ms: int
    boot_ms: int
    span_ms: int
    boot_id: str

    @property
    def boot_end_ms(self) -> int:
        """CLOCK_BOOTTIME of its end."""
        return self.boot_ms + self.span_ms


@dataclass(frozen=True, slots=True)
class Pooled:
    """An accepted window: its stamp and its mean in hundredths of a percent (never shown by repr)."""

    stamp: Stamp
    mean: int = field(repr=False)


def refusal(stamp: Stamp, last: Stamp | None, preset: Preset, day_interval: int) -> str | None:
    """Why a well-formed window may not be pooled, or None.

    Accepted when none that started in its sample interval was, and it starts at least covers_ms after the last
    accepted one ended. That distance is measured on CLOCK_BOOTTIME within one boot and from the boot itself across
    boots (the last window ended before it), so that no clock step buys anything.
    """
    sample = preset.sample_seconds
    interval = sample_interval_of(stamp.started_at_ms, sample)
    if preset.one_window_a_day and interval % (DAY_SECONDS // sample) != day_interval:
        return "not_todays_interval"
    if last is None:
        return None
    if interval <= sample_interval_of(last.started_at_ms, sample):
        return "interval_taken"
    gap = stamp.boot_ms - last.boot_end_ms if stamp.boot_id == last.boot_id else stamp.boot_ms
    return "too_soon" if gap < preset.covers_ms else None


def is_after(stamp: Stamp, last: Stamp | None) -> bool:
    """Whether a pooled window started after the last one that the ledger knows, by every clock that can tell."""
    if last is None:
        return True
    if stamp.boot_id == last.boot_id and stamp.boot_ms <= last.boot_ms:
        return False
    return stamp.started_at_ms > last.started_at_ms


class Pool:
    """Accepted windows in order of their start, mirrored in a file of the private folder.

    Every method that changes the pool has written it before it returns; a write that fails leaves both as they were.
    """

    def __init__(self, folder: Folder, ledger_id: str, preset: Preset) -> None:
        self._folder = folder
        self._ledger_id = ledger_id
        self._preset = preset
        self.windows: tuple[Pooled, ...] = ()

    def load(self) -> dict[str, int]:
        """Take what is in the file; windows that may not be used are dropped, and counted here by reason.

        What the ledger has released already is taken out by the session, here and whenever a write failed. The file is
        written back at once: a disk that is full must be known, and stay known, before a window comes and is lost.
        """
        raw = self._folder.read(POOL_NAME, POOL_LIMIT)
        try:
            reason, stored = (None, []) if raw is None else self._parse(raw)
        except (ValueError, KeyError, TypeError, RecursionError):
            self._store(())
            return {"pool_unreadable": 1}
        if reason:
            self._store(())
            return {reason: len(stored)} if stored else {}
        lower, upper = self._preset.lower, self._preset.upper
        kept = [p for p in stored if lower <= p.mean <= upper]
        self.windows = tuple(sorted(kept, key=lambda p: p.stamp.started_at_ms))
        self._store(self.windows)
        return {"out_of_bounds": len(stored) - len(kept)} if len(kept) < len(stored) else {}

    def _parse(self, raw: bytes) -> tuple[str | None, list[Pooled]]:
        """The stored windows, and the reason why none of them may be used, if there is one."""
        document: dict[str, Any] = json.loads(raw)
        pooled = []
        for started, boot, span, boot_id, mean in document["windows"]:
            if not all(type(value) is int for value in (started, boot, span, mean)) or type(boot_id) is not str:
                raise TypeError
            pooled.append(Pooled(Stamp(started, boot, span, boot_id), mean))
        if document["ledger_id"] != self._ledger_id:
            return "other_ledger", pooled
        return None if document["settings"] == self._preset.fingerprint else "other_settings", pooled

    def add(self, pooled: Pooled) -> None:
        """Pool one accepted window, durably."""
        self._store((*self.windows, pooled))

    def remove(self, gone: Iterable[Pooled]) -> int:
        """Take windows out (released or dropped). Returns how many were there."""
        out = set(gone)
        kept = tuple(p for p in self.windows if p not in out)
        count = len(self.windows) - len(kept)
        if count:
            self._store(kept)
        return count

    def of_slot(self, slot: int) -> tuple[Pooled, ...]:
        """The pooled windows that started in `slot`."""
        length = self._preset.slot_seconds
        return tuple(p for p in self.windows if slot_of(p.stamp.started_at_ms, length) == slot)

    def slots(self) -> list[int]:
        """Slots that have a pooled window, oldest first."""
        return sorted({slot_of(p.stamp.started_at_ms, self._preset.slot_seconds) for p in self.windows})

    def _store(self, windows: tuple[Pooled, ...]) -> None:
        rows = [[p.stamp.started_at_ms, p.stamp.boot_ms, p.stamp.span_ms, p.stamp.boot_id, p.mean] for p in windows]
        document = {"ledger_id": self._ledger_id, "settings": self._preset.fingerprint, "windows": rows}
        self._folder.write(POOL_NAME, json.dumps(document).encode() + b"\n", mode=0o600)
        self.windows = windows
