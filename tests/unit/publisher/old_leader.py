"""A re-statement, in our own words, of how the first generation's leader counts participants.

It looks at every folder of `datasites`, opens `api_data/cpu_tracker/cpu_tracker.json` there, and counts a file whose
stamp is less than 60 s before its own naive local time; the mean is over those.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FRESH_SECONDS = 60


def counted(datasites: Path, local_now: datetime) -> dict[str, float]:
    """Folder name -> `cpu` of every peer that the old leader would average at `local_now` (naive)."""
    values: dict[str, float] = {}
    for peer in sorted(datasites.iterdir()):
        file = peer / "api_data" / "cpu_tracker" / "cpu_tracker.json"
        if not file.exists():
            continue
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except json.JSONDecodeError:
            continue
        stamp = datetime.strptime(data["timestamp"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - naive, as the old one
        if (local_now - stamp).total_seconds() < FRESH_SECONDS:
            values[peer.name] = float(data["cpu"])
    return values
