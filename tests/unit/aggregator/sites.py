"""Public files and trees for the aggregator's tests, written from the wire contract."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

SLOT = 1_795_521_600  # 2026-11-24 12:00:00 UTC
HOUR = 3_600
PLACE = "app_data/cpu_tracker/cpu_tracker.json"


def stamp(unix: float) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M:%S}"


def fields(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """A body of preset hour; `windows`, `slot` and `kind` change what follows from them."""
    k, slot, kind = changes.get("windows", 12), changes.get("slot", SLOT), changes.get("kind", "slot")
    due = slot + (HOUR if kind == "slot" else 0) + 17
    document: dict[str, Any] = {
        "cpu": 23.5,
        "timestamp": stamp(due),
        "schema": 1,
        "status": "active",
        "resumes_slot": None,
        "slot": slot,
        "slot_seconds": HOUR,
        "kind": kind,
        "windows": k,
        "preset": "hour",
        "seq": 5,
        "ledger_id": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "noise": {"mechanism": "discrete_laplace", "scale_pp": 100 / k, "granularity_pp": 0.01 / k},
        "guarantee": {
            "unit": "window",
            "covers_seconds": 291,
            "sensitivity_pp": 100 / k,
            "epsilon": 1.0,
            "delta": 0,
            "epsilon_24h_spent": 60.0,
            "epsilon_24h_cap": 288.0,
        },
        "sampling": {"n": 50, "interval_ms": 100, "lower": 0, "upper": 10_000},
        "nonce": "9f86d081884c7d659a2feaa0c55ad015",
    }
    return {**document, **changes}


def raw(**changes: Any) -> bytes:  # noqa: ANN401 - any field
    """The same as the publisher writes it."""
    return json.dumps(fields(**changes), indent=2).encode() + b"\n"


def put(root: Path, name: str, content: bytes, place: str = PLACE) -> Path:
    """Replace the public file of datasite `name`, as the publisher does."""
    path = root / name / place
    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_suffix(".tmp")
    temp.write_bytes(content)
    # Younger files count as still changing: what a test wrote is given an older time of its own, ctime stays.
    os.utime(temp, (SLOT, SLOT))
    temp.replace(path)
    return path


class FakeClock:
    """Time that a test sets."""

    def __init__(self, now: float) -> None:
        self.now = now

    def utc(self) -> float:
        return self.now

    def steady(self) -> float:
        return self.now
