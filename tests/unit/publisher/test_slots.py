"""Slots, sample intervals and due times by hand-computed numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cpu_publisher import slots
from cpu_publisher.presets import PRESETS

NOON = 1_795_521_600  # 2026-11-24 12:00:00 UTC


def test_a_slot_is_named_by_its_start() -> None:
    assert slots.slot_of(1_000 * NOON, 3_600) == NOON
    assert slots.slot_of(1_000 * (NOON + 3_600) - 1, 3_600) == NOON
    assert slots.slot_of(1_000 * (NOON + 3_600), 3_600) == NOON + 3_600
    assert slots.slot_of(1_000 * (NOON + 5), 86_400) == NOON - 12 * 3_600


def test_sample_intervals_count_from_the_epoch() -> None:
    first = slots.sample_interval_of(1_000 * NOON, 300)
    assert first == NOON // 300
    assert slots.sample_interval_of(1_000 * (NOON + 300) - 1, 300) == first
    assert slots.sample_interval_of(1_000 * (NOON + 300), 300) == first + 1


def test_a_slot_is_due_at_its_end_then_delay_then_phase() -> None:
    assert slots.slot_due_ms(NOON, 3_600, 10_000, 7_300) == 1_000 * (NOON + 3_600) + 17_300


@given(st.integers(0, slots.PPM), st.sampled_from([p.sample_seconds for p in PRESETS.values()]))
def test_the_phase_is_at_most_a_tenth_of_a_sample_interval(ppm: int, sample: int) -> None:
    assert 0 <= slots.phase_ms(sample, ppm) <= 100 * sample
    assert slots.phase_ms(sample, slots.PPM) == 100 * sample


@given(st.integers(0, slots.PPM - 1))
def test_the_interval_of_a_day_is_one_of_its_own(ppm: int) -> None:
    assert 0 <= slots.day_interval(300, ppm) < 288


def test_the_whole_day_can_be_drawn() -> None:
    assert {slots.day_interval(300, ppm) for ppm in range(0, slots.PPM, 1_000)} == set(range(288))


def test_the_timestamp_is_utc_without_a_zone() -> None:
    assert slots.timestamp(1_000 * NOON + 999) == "2026-11-24 12:00:00"
