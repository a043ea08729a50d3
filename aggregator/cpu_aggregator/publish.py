"""The result as two files in the aggregator's own `public/` folder, written whole or not at all.

`cpu_tracker.json`: the old readers' `items` (and `peers`, only if asked for: it lists who is online), our fields beside
them. `cpu_tracker.html`: the page as a file. Temp names end in `.tmp`, which SyftBox clients do not sync.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cpu_aggregator.errors import PublishError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cpu_aggregator.view import Point

JSON_NAME, HTML_NAME = "cpu_tracker.json", "cpu_tracker.html"
ITEMS = 360  # as many as the old leader kept
SCHEMA = 1
_DECIMALS = 4  # of a percentage point: far below any band


def document(
    points: Sequence[Point], *, policy: Sequence[str], words: str, minimum: int, peers: Sequence[str] | None
) -> bytes:
    """Content of `cpu_tracker.json`. Pure.

    Args:
        points: newest results with an estimate, oldest first; at least one.
        policy: names of the accepted presets.
        words: the policy as sentences.
        minimum: fewest participants a mean is shown for.
        peers: names of the counted datasites, or None when they are not to be published.
    """
    newest = points[-1]
    e = newest.estimate
    if e is None:
        raise PublishError("a slot without an estimate is not published")
    body = {
        "items": [
            {"cpu": round(p.estimate.headline, _DECIMALS), "timestamp": stamp(p.end)}
            for p in points[-ITEMS:]
            if p.estimate
        ],
        **({} if peers is None else {"peers": list(peers)}),
        "schema": SCHEMA,
        "slot": newest.slot,
        "slot_seconds": newest.span_seconds,
        "n": newest.n,
        "minimum": minimum,
        "mean": round(e.headline, _DECIMALS),
        "mean_plain": round(e.plain, _DECIMALS),
        "median": round(e.median, _DECIMALS),
        "noise_95_pp": round(e.noise_pp, _DECIMALS),
        "noise_and_sampling_95_pp": None if e.total_pp is None else round(e.total_pp, _DECIMALS),
        "smoothed": round(e.smoothed, _DECIMALS),
        "smoothed_noise_95_pp": round(e.smoothed_pp, _DECIMALS),
        "policy": list(policy),
        "policy_words": words,
    }
    return json.dumps(body, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def stamp(unix_seconds: float) -> str:
    """`YYYY-MM-DD HH:MM:SS`, UTC, no zone: what today's readers parse."""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def published_slot(folder: Path) -> int | None:
    """The slot whose result is in the folder already; None when there is none that can be read."""
    try:
        slot = json.loads((folder / JSON_NAME).read_bytes())["slot"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return slot if type(slot) is int else None


def write(folder: Path, name: str, content: bytes) -> None:
    """Replace `folder/name` by `content`, durable before and after it is visible. Nothing when it is the same already.

    Raises:
        PublishError: the folder is missing, a link, read-only or full; what was there is as it was.
    """
    try:
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _error(folder, error) from None
    temp = f".{name}.{secrets.token_hex(8)}.tmp"
    try:
        _remove_leftovers(at, name)
        if _same(at, name, content):
            return
        fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=at)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(fd, 0o644)  # before the rename: an unreadable file stops the owner's sync
            os.fsync(fd)
        os.rename(temp, name, src_dir_fd=at, dst_dir_fd=at)
        os.fsync(at)
    except OSError as error:
        with suppress(OSError):
            os.unlink(temp, dir_fd=at)
        raise _error(folder, error) from None
    finally:
        os.close(at)


def _same(at: int, name: str, content: bytes) -> bool:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    except OSError:
        return False
    with os.fdopen(fd, "rb") as file:
        return file.read(len(content) + 1) == content


def _remove_leftovers(at: int, name: str) -> None:
    """Temp files of an earlier life that was killed while writing."""
    for entry in os.listdir(at):
        if entry.startswith(f".{name}.") and entry.endswith(".tmp"):
            os.unlink(entry, dir_fd=at)


def _error(folder: Path, error: OSError) -> PublishError:
    return PublishError(
        f"the result cannot be written to {folder} ({error.strerror}); make the folder, give it to this user, or free"
        " disk space; the last result there stays as it is"
    )
