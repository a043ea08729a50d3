from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpu_publisher import observer
from cpu_publisher.presets import PRESETS

WINDOW = PRESETS["window"]
HOUR = PRESETS["hour"]
HOUR_B = 100 / 12


@pytest.mark.parametrize(("windows", "percent"), [(1, 69.7), (3, 78.4), (12, 93.5), (24, 98.4)])
def test_window_preset_as_documented(windows: int, percent: float) -> None:
    assert round(100 * observer.right_after(WINDOW, windows), 1) == percent


def test_window_preset_after_five_hours() -> None:
    assert observer.right_after(WINDOW, 60) == pytest.approx(0.9996, abs=5e-5)


@pytest.mark.parametrize("ratio", [0.01, 0.5, 1.0, 12.0, 25.0])
def test_one_release_has_a_closed_form(ratio: float) -> None:
    """1/2 + total variation / 2 of two Laplace laws: 1 - e^(-t/2) / 2."""
    assert observer.probability_right(ratio, {1: 1}) == pytest.approx(1 - math.exp(-ratio / 2) / 2, abs=1e-4)


def test_hour_preset_as_documented() -> None:
    assert round(100 * observer.right_after(HOUR, 1)) == 70
    assert round(100 * observer.right_after(HOUR, 12), 1) == 99.9


def test_a_whole_day_of_hours_is_no_secret() -> None:
    assert observer.right_about_day(HOUR) == 1.0


def test_a_window_of_a_participant_day_hardly_shows() -> None:
    assert observer.right_after(PRESETS["day"], 1) == pytest.approx(1 - math.exp(-1 / 144) / 2, abs=1e-6)
    assert 0.69 < observer.right_after(PRESETS["day"], 72) < 0.71
    assert observer.right_about_day(PRESETS["day-sampled"]) == observer.right_after(WINDOW, 1)


@pytest.mark.parametrize(("ratio", "releases"), [(1.0, {1: 5}), (1.0, {12: 2, 3: 1}), (0.5, {1: 40}), (0.02, {7: 9})])
def test_against_a_hundred_thousand_observers(ratio: float, releases: dict[int, int]) -> None:
    """Draws noise, lets the observer guess; alpha = 1e-6 (4.9 standard errors)."""
    rng = np.random.default_rng(20261124)
    n = 100_000
    score = np.zeros(n)
    for w, times in releases.items():
        noise = rng.laplace(size=(times, n))
        score += (np.abs(noise + w * ratio) - np.abs(noise)).sum(axis=0)
    right = np.mean(score > 0) + np.mean(score == 0) / 2
    expected = observer.probability_right(ratio, releases)
    assert abs(right - expected) < 4.9 * math.sqrt(expected * (1 - expected) / n) + 1e-4


@settings(deadline=None, max_examples=25)
@given(st.floats(0.001, 3), st.integers(1, 40))
def test_more_windows_never_tell_less(ratio: float, windows: int) -> None:
    fewer = observer.probability_right(ratio, {1: windows})
    more = observer.probability_right(ratio, {1: windows + 1})
    assert 0.5 <= fewer <= more + 1e-4
    assert more <= 1 + 1e-9


def test_the_promise_bounds_the_guess() -> None:
    """ε-DP allows at most e^ε / (1 + e^ε): 73 % at ε = 1."""
    assert observer.right_after(WINDOW, 1) < math.e / (1 + math.e)


@pytest.mark.parametrize(("windows", "expected"), [(1, {1: 1}), (12, {12: 1}), (15, {12: 1, 3: 1}), (288, {12: 24})])
def test_windows_fall_into_releases(windows: int, expected: dict[int, int]) -> None:
    assert observer.releases_of(HOUR, windows) == expected


@pytest.mark.parametrize(("participants", "sigma"), [(10, 3.7), (100, 1.2), (1_000, 0.37), (10_000, 0.12)])
def test_network_mean_of_hours(participants: int, sigma: float) -> None:
    assert observer.network_error95_pp(HOUR, participants) / 1.96 == pytest.approx(sigma, rel=0.02)


def test_one_host_is_laplace_not_normal() -> None:
    assert observer.network_error95_pp(HOUR, 1) == pytest.approx(HOUR_B * math.log(20), rel=1e-3)


def test_smoothing_as_measured() -> None:
    """An alpha of 0.05 at 300 s takes noise down 6.24 times."""
    constant = -300 / math.log(0.95)
    plain = observer.network_error95_pp(WINDOW, 10)
    assert plain / observer.smoothed_error95_pp(WINDOW, 10, constant) == pytest.approx(6.245, abs=0.001)


def test_no_smoothing_leaves_the_error() -> None:
    assert observer.smoothed_error95_pp(HOUR, 10, 1e-3) == pytest.approx(observer.network_error95_pp(HOUR, 10))
