"""The sign of life that `health.py` looks for: one line, `<CLOCK_BOOTTIME in ms> <how old it may become in ms>`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpu_aggregator.errors import AggregatorError

if TYPE_CHECKING:
    from pathlib import Path


def beat(path: Path, steady_seconds: float, good_for_seconds: float) -> None:
    """Write it, whole.

    Raises:
        AggregatorError: the folder is missing or cannot be written.
    """
    temp = path.with_name(f".{path.name}.tmp")
    try:
        temp.write_text(f"{steady_seconds * 1_000:.0f} {good_for_seconds * 1_000:.0f}\n", encoding="ascii")
        temp.replace(path)
    except OSError as error:
        raise AggregatorError(
            f"the heartbeat {path} cannot be written ({error.strerror}); set CPUTRACKER_HEARTBEAT to a file in a folder"
            " that exists and belongs to this user"
        ) from None
