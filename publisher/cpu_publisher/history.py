"""The owner's own history: windows and releases side by side, one JSON object a line, in the private folder only.

{"slot", "slot_seconds", "kind", "seq", "windows": [[started_at_ms, mean_hundredths], …], "raw": percent,
"released": percent, "scale_pp": b}
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from cpu_publisher import budget
from cpu_publisher.errors import FolderError
from cpu_publisher.presets import DAY_SECONDS
from cpu_publisher.slots import timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpu_publisher.folder import Folder
    from cpu_publisher.ledger import Row
    from cpu_publisher.pool import Pooled

HISTORY_NAME = "history.jsonl"
HISTORY_LIMIT = 64 << 20  # bytes


def raw_percent(pooled: Sequence[Pooled]) -> float:
    """The raw mean of a release in percent."""
    return round(sum(p.mean for p in pooled) / (budget.HUNDREDTHS * len(pooled)), 4)


def raw_document(row: Row, pooled: Sequence[Pooled]) -> bytes:
    """What `save()` keeps of the newest release for its owner: {cpu, timestamp, slot, windows}."""
    document = {"cpu": raw_percent(pooled), "timestamp": timestamp(row.due_ms), "slot": row.slot, "windows": row.k}
    return json.dumps(document, indent=2).encode() + b"\n"


def append(folder: Folder, row: Row, pooled: Sequence[Pooled], released: float, days: int) -> None:
    """Add a release; forget those of more than `days` before it (0: keep no history at all).

    Raises:
        FolderError: the file is a link or cannot be written.
    """
    if days == 0:
        folder.remove(HISTORY_NAME)
        return
    fields = {
        "slot": row.slot,
        "slot_seconds": row.slot_seconds,
        "kind": row.kind,
        "seq": row.seq,
        "windows": [[p.stamp.started_at_ms, p.mean] for p in pooled],
        "raw": raw_percent(pooled),
        "released": released,
        "scale_pp": row.scale / (budget.HUNDREDTHS * row.k),
    }
    line = json.dumps(fields).encode() + b"\n"
    oldest = row.slot - days * DAY_SECONDS
    if (first := _first_slot(folder)) is not None and first < oldest - DAY_SECONDS:
        _forget(folder, oldest)  # once a day, not once a release
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(HISTORY_NAME, flags, 0o600, dir_fd=folder.fd)
        with open(fd, "ab") as file:  # noqa: PTH123 - a descriptor, not a path
            os.fchmod(fd, 0o600)
            if not _ends_with(fd, line):  # a crash may come between this and the pool, which then brings it again
                file.write((b"\n" if _is_cut(fd) else b"") + line)
    except OSError as error:
        raise FolderError(f"cannot append to {folder.path / HISTORY_NAME}: {error.strerror}") from error


def _is_cut(fd: int) -> bool:
    """Whether a crash or a full disk cut the last line short: the next one must not be lost with it."""
    size = os.fstat(fd).st_size
    return size > 0 and os.pread(fd, 1, size - 1) != b"\n"


def _ends_with(fd: int, line: bytes) -> bool:
    size = os.fstat(fd).st_size
    return size >= len(line) and os.pread(fd, len(line), size - len(line)) == line


def _first_slot(folder: Folder) -> int | None:
    try:
        fd = os.open(HISTORY_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder.fd)
    except OSError:
        return None
    with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        return _slot(file.readline())


def _forget(folder: Folder, oldest: int) -> None:
    lines = (folder.read(HISTORY_NAME, HISTORY_LIMIT) or b"").splitlines(keepends=True)
    kept = [line for line in lines if (slot := _slot(line)) is not None and slot >= oldest]
    if kept:
        folder.write(HISTORY_NAME, b"".join(kept), mode=0o600)
    else:
        folder.remove(HISTORY_NAME)


def _slot(line: bytes) -> int | None:
    """The slot of a line; None for one that a crash cut short."""
    try:
        document: Any = json.loads(line)
        return int(document["slot"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
