"""Sample intervals, slots and due times: fixed UTC grids named by their start. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from cpu_publisher.presets import DAY_SECONDS

PPM = 1_000_000
PHASE_SHARE = 10  # the phase of a host is at most a tenth of a sample interval


def slot_of(utc_ms: int, slot_seconds: int) -> int:
    """Start (unix seconds) of the slot that `utc_ms` lies in."""
    return utc_ms // 1_000 // slot_seconds * slot_seconds


def sample_interval_of(utc_ms: int, sample_seconds: int) -> int:
    """Number of the sample interval that `utc_ms` lies in."""
    return utc_ms // (1_000 * sample_seconds)


def phase_ms(sample_seconds: int, phase_ppm: int) -> int:
    """The host's phase, so that a network does not upload in one second: 0 … a tenth of the sample interval."""
    return 1_000 * sample_seconds // PHASE_SHARE * phase_ppm // PPM


def slot_due_ms(slot: int, slot_seconds: int, delay_ms: int, phase: int) -> int:
    """When a slot is due: its end + delay + phase. By the clock alone, never by load."""
    return 1_000 * (slot + slot_seconds) + delay_ms + phase


def day_interval(sample_seconds: int, day_ppm: int) -> int:
    """Which sample interval of a UTC day is the one accepted, where only one is."""
    return (DAY_SECONDS // sample_seconds) * day_ppm // PPM


def timestamp(utc_ms: int) -> str:
    """`YYYY-MM-DD HH:MM:SS`, UTC, no zone: what today's readers parse."""
    return datetime.fromtimestamp(utc_ms // 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
