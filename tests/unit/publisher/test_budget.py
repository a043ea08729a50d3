"""What a release costs, and that a preset never runs into its own cap."""

from __future__ import annotations

import math

import pytest

from cpu_publisher import budget
from cpu_publisher.errors import SettingsError
from cpu_publisher.presets import PRESETS, customise

CAPS = {"hour": 288, "window": 288, "window-fast": 720, "day": 4, "day-sampled": 1, "reading": 108_000}


@pytest.mark.parametrize(("name", "cap"), CAPS.items())
def test_default_caps_are_those_of_the_design(name: str, cap: float) -> None:
    micro = budget.default_cap_micro(PRESETS[name])
    assert micro / budget.MICRO == pytest.approx(cap, rel=1e-5)
    assert micro == PRESETS[name].slots_per_day * budget.spend_micro(PRESETS[name], PRESETS[name].windows_per_slot)


def test_spend_is_whole_micro_epsilon_rounded_up() -> None:
    hour = PRESETS["hour"]
    one = budget.release_mechanism(hour, 1).map(hour.delta)
    assert budget.spend_micro(hour, 1) == math.ceil(10**6 * one)
    assert budget.spend_micro(hour, 12) == 12 * budget.spend_micro(hour, 1)
    assert budget.spend_micro(hour, 1) >= 10**6 * one


def test_a_participant_day_spends_once_for_all_its_windows() -> None:
    day = PRESETS["day"]
    assert budget.spend_micro(day, 72) <= 1_000_000
    assert budget.spend_micro(day, 1) <= 1_000_000
    assert budget.release_mechanism(day, 72).scale == pytest.approx(720_000, rel=1e-6)


def test_a_reading_spends_at_full_range() -> None:
    assert budget.spend_micro(PRESETS["reading"], 1) / budget.MICRO == pytest.approx(25, rel=1e-5)


def test_a_full_hour_is_within_25_points_and_one_window_within_300() -> None:
    hour = PRESETS["hour"]
    assert budget.scale_pp(hour, 12) == pytest.approx(8.33, abs=0.01)
    assert budget.error95_pp(hour, 12) == pytest.approx(25, abs=0.1)
    assert budget.error95_pp(hour, 1) == pytest.approx(300, abs=1)
    assert budget.sensitivity_pp(hour, 12) / budget.scale_pp(hour, 12) == pytest.approx(1, rel=1e-6)


def test_a_cap_that_fits_no_slot_is_refused_with_what_would() -> None:
    hour = PRESETS["hour"]
    least = budget.spend_micro(hour, 12)
    assert budget.cap_micro(hour, None) == budget.default_cap_micro(hour)
    assert budget.cap_micro(hour, least) == least
    with pytest.raises(SettingsError, match=r"CPUTRACKER_CAP_EPSILON is 11\.999999; one full slot spends 12"):
        budget.cap_micro(hour, least - 1)


def test_the_range_of_readings_moves_the_noise_and_not_the_spend() -> None:
    narrow = customise(PRESETS["hour"], upper_percent=50)
    assert budget.spend_micro(narrow, 12) == pytest.approx(budget.spend_micro(PRESETS["hour"], 12), rel=1e-5)
    assert budget.scale_pp(narrow, 12) == pytest.approx(budget.scale_pp(PRESETS["hour"], 12) / 2, rel=1e-5)
