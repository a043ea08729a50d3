from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpu_publisher import budget
from cpu_publisher.errors import SettingsError
from cpu_publisher.presets import DEFAULT_PRESET, PRESETS, Preset, check, customise

HOUR = PRESETS["hour"]

# unit, sample, slot, ε, b of a full slot (pp), 95 % of one host (pp), cap
TABLE = {
    "hour": ("window", 300, 3_600, 1.0, 8.33, 25, 288),
    "window": ("window", 300, 300, 1.0, 100, 300, 288),
    "window-fast": ("window", 60, 60, 0.5, 200, 600, 720),
    "day": ("participant-day", 300, 21_600, 1.0, 100, 300, 4),
    "day-sampled": ("participant-day", 300, 86_400, 1.0, 100, 300, 1),
    "reading": ("reading", 20, 20, 0.5, 4, 12, 108_000),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_table(name: str) -> None:
    unit, sample, slot, epsilon, scale, error, cap = TABLE[name]
    preset = PRESETS[name]
    k = preset.windows_per_slot
    assert (preset.unit, preset.sample_seconds, preset.slot_seconds, preset.epsilon) == (unit, sample, slot, epsilon)
    assert budget.scale_pp(preset, k) == pytest.approx(scale, rel=1e-3)
    assert budget.error95_pp(preset, k) == pytest.approx(error, rel=2e-3)
    assert budget.default_cap_micro(preset) == cap * 1_000_000


def test_all_presets_are_in_the_table_and_hold() -> None:
    assert list(PRESETS) == list(TABLE)
    assert DEFAULT_PRESET == "hour"
    for preset in PRESETS.values():
        check(preset)


@pytest.mark.parametrize(
    ("sample", "n", "interval", "covers"),
    [(300, 50, 100, 291_000), (60, 50, 100, 51_000), (20, 50, 100, 11_000), (1, 5, 20, 725), (10, 5, 20, 8_000)],
)
def test_covered_stretch(sample: int, n: int, interval: int, covers: int) -> None:
    preset = dataclasses.replace(HOUR, sample_seconds=sample, slot_seconds=sample, n=n, interval_ms=interval)
    assert preset.covers_ms == covers


@given(st.sampled_from([n for n in range(1, 3_601) if 86_400 % n == 0]), st.integers(1, 200), st.integers(20, 500))
def test_two_windows_can_never_be_closer_than_the_covered_stretch_and_fit(sample: int, n: int, interval: int) -> None:
    """Whatever holds the sample interval: a longest span, the covered stretch and the margin."""
    preset = dataclasses.replace(HOUR, sample_seconds=sample, slot_seconds=sample, n=n, interval_ms=interval)
    assert preset.covers_ms + preset.longest_span_ms + preset.margin_ms <= 1_000 * sample
    if preset.covers_ms <= 0:
        with pytest.raises(SettingsError, match="raise CPUTRACKER_SAMPLE_SECONDS"):
            check(preset)


@pytest.mark.parametrize(("unit", "expected"), [("reading", 200), ("window", 10_000), ("participant-day", 120_000)])
def test_what_one_unit_can_move(unit: str, expected: int) -> None:
    assert customise(HOUR, unit=unit).d_in(12) == expected


def test_a_reading_moves_the_integer_mean_by_a_rounded_up_share() -> None:
    assert dataclasses.replace(PRESETS["reading"], n=3).d_in(1) == 3_334
    readings = [0, 0, 1]
    moved = [10_000, 0, 1]
    assert sum(moved) // 3 - sum(readings) // 3 <= 3_334


def test_the_name_says_whether_anything_was_changed() -> None:
    assert customise(HOUR).name == "hour"
    assert customise(HOUR, epsilon=1.0).name == "hour"
    assert customise(HOUR, epsilon=0.9).name == "custom"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unit": "life"}, "CPUTRACKER_UNIT"),
        ({"epsilon": 0.0}, "CPUTRACKER_EPSILON"),
        ({"epsilon": float("nan")}, "CPUTRACKER_EPSILON"),
        ({"slot_seconds": 301}, "CPUTRACKER_SLOT_SECONDS"),
        ({"slot_seconds": 2_100}, "CPUTRACKER_SLOT_SECONDS"),
        ({"lower_percent": 50, "upper_percent": 50}, "CPUTRACKER_LOWER"),
        ({"upper_percent": 101}, "CPUTRACKER_LOWER"),
        ({"n": 3_000}, "CPUTRACKER_SAMPLE_SECONDS"),
    ],
)
def test_settings_that_cannot_hold_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        customise(HOUR, **changes)


def test_the_fingerprint_sees_every_value_but_the_name() -> None:
    changes: dict[str, object] = {
        "name": "x",
        "unit": "reading",
        "epsilon": 2.0,
        "sample_seconds": 60,
        "slot_seconds": 900,
        "n": 49,
        "interval_ms": 99,
        "lower_percent": 1,
        "upper_percent": 99,
        "one_window_a_day": True,
    }
    assert set(changes) == {field.name for field in dataclasses.fields(Preset)}
    for field, value in changes.items():
        changed = dataclasses.replace(HOUR, **{field: value})  # type: ignore[arg-type] # one value of its own type
        assert (changed.fingerprint != HOUR.fingerprint) == (field != "name")
