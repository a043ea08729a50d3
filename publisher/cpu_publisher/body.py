"""The body of the public file, schema 1 (docs/wire-contract.md §3). Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cpu_publisher import budget, guarantee
from cpu_publisher.slots import timestamp

if TYPE_CHECKING:
    from cpu_publisher.presets import Preset

SCHEMA = 1
MECHANISM = "discrete_laplace"
DECIMALS = 6  # of `cpu`: far below the granularity of any k


def value(noisy_sum: int, k: int) -> float:
    """The published value in percent, not clamped: noisy sum / k."""
    return round(noisy_sum / (budget.HUNDREDTHS * k), DECIMALS)


def release_body(
    preset: Preset,
    *,
    noisy_sum: int,
    k: int,
    slot: int,
    kind: str,
    seq: int,
    ledger_id: str,
    due_ms: int,
    spent_micro: int,
    cap_micro: int,
    nonce: str,
) -> bytes:
    """Bytes of the public file for a release, `status` active.

    Args:
        preset: the setting in force.
        noisy_sum: noisy sum of the k window means, hundredths of a percent.
        k: windows pooled.
        slot: start of the slot, unix seconds.
        kind: `slot` or `first`.
        seq: number of the release in its ledger.
        ledger_id: name of the ledger.
        due_ms: the due time, unix ms.
        spent_micro: spend of the last 24 h of slots, this release included, at full range.
        cap_micro: its cap.
        nonce: fresh 128 random bits in hex.
    """
    document = {
        "cpu": value(noisy_sum, k),
        "timestamp": timestamp(due_ms),
        "schema": SCHEMA,
        "status": "active",
        "resumes_slot": None,
        "slot": slot,
        "slot_seconds": preset.slot_seconds,
        "kind": kind,
        "windows": k,
        "preset": preset.name,
        "seq": seq,
        "ledger_id": ledger_id,
        "noise": {
            "mechanism": MECHANISM,
            "scale_pp": budget.scale_pp(preset, k),
            "granularity_pp": 1 / (budget.HUNDREDTHS * k),
        },
        "guarantee": guarantee.block(preset, k, spent_micro, cap_micro),
        "sampling": {
            "n": preset.n,
            "interval_ms": preset.interval_ms,
            "lower": preset.lower,
            "upper": preset.upper,
        },
        "nonce": nonce,
    }
    return _bytes(document)


def status_body(body: bytes, status: str, resumes_slot: int | None, nonce: str) -> bytes:
    """The same release under another status: seq, slot, timestamp and value stay."""
    document: dict[str, Any] = json.loads(body)
    return _bytes({**document, "status": status, "resumes_slot": resumes_slot, "nonce": nonce})


def status_of(body: bytes) -> tuple[str, int | None]:
    """Status and resumes_slot of a body of ours."""
    document: dict[str, Any] = json.loads(body)
    return document["status"], document["resumes_slot"]


def _bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=2, allow_nan=False).encode() + b"\n"
