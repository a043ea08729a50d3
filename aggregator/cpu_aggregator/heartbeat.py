"""The sign of life that `health.py` looks for: one line, `<CLOCK_BOOTTIME in ms> <how old it may become in ms>`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def beat(path: Path, steady_seconds: float, good_for_seconds: float) -> None:
    """Write it, whole.

    Raises:
        OSError: the folder is missing or cannot be written.
    """
    temp = path.with_name(f".{path.name}.tmp")
    temp.write_text(f"{steady_seconds * 1_000:.0f} {good_for_seconds * 1_000:.0f}\n", encoding="ascii")
    temp.replace(path)
