"""What happened, counted by fixed names and reasons (docs/wire-contract.md). Holds no value of anything measured."""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = (
    "windows_accepted",
    "windows_dropped",
    "records_rejected",
    "handoff_troubles",
    "releases",
    "releases_refused",
    "slots_empty",
    "permissions_restored",
)


class Counters:
    """Counts by name and reason, from 0 at the start of the process."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in NAMES}

    def add(self, name: str, reason: str, count: int = 1) -> None:
        """Count `reason` under one of NAMES."""
        self._counts[name][reason] += count

    def snapshot(self) -> Mapping[str, Mapping[str, int]]:
        """All counts, {name: {reason: count}}."""
        return MappingProxyType({name: dict(counts) for name, counts in self._counts.items()})
