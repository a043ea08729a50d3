"""The estimator against simulation: every band covers what it says, and no more is claimed. Seeds are printed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from cpu_aggregator import estimator
from cpu_aggregator.estimator import Smoothed, estimate, noise_pp, smooth, t975, total_pp, winsorised
from cpu_aggregator.plan import needed, row, smoothing_factor
from cpu_aggregator.policy import PRESETS

SEED = 20_261_124
NETWORKS = 10_000
HOUR_B = 100 / 12


def laplace(
    rng: np.random.Generator, b: float, shape: tuple[int, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(rng.laplace(0.0, b, shape))


@pytest.mark.parametrize("n", [10, 20, 100])
def test_noise_band_covers_the_mean_of_these_hosts(n: int) -> None:
    print("seed", SEED)  # noqa: T201 - to run it again
    rng = np.random.default_rng(SEED + n)
    b = rng.choice([HOUR_B, 100 / 11, 100 / 6], size=(NETWORKS, n))
    off = np.abs((b * laplace(rng, 1.0, (NETWORKS, n))).mean(axis=1))
    half = estimator.Z95 * np.sqrt(2 * (b**2).sum(axis=1)) / n
    assert noise_pp(b[0]) == pytest.approx(half[0])
    assert abs(float((off <= half).mean()) - 0.95) <= 0.01


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9])
def test_noise_band_is_exact_for_few_hosts(n: int) -> None:
    print("seed", SEED)  # noqa: T201 - to run it again
    rng = np.random.default_rng(SEED + n)
    b = np.linspace(8.0, 16.0, n)
    off = np.abs((b * laplace(rng, 1.0, (200_000, n))).mean(axis=1))
    assert float((off <= noise_pp(b)).mean()) == pytest.approx(0.95, abs=0.0025)  # 5 standard errors


@pytest.mark.parametrize("n", [10, 30, 100])
def test_band_of_noise_and_sampling_covers_the_mean_of_the_whole_network(n: int) -> None:
    print("seed", SEED)  # noqa: T201 - to run it again
    rng = np.random.default_rng(SEED + n)
    truth = rng.beta(1.2, 2.4, size=(NETWORKS, n)) * 100
    values = truth + laplace(rng, HOUR_B, (NETWORKS, n))
    half = t975(n - 1) * values.std(axis=1, ddof=1) / math.sqrt(n)
    assert total_pp(values[0]) == pytest.approx(half[0])
    inside = np.abs(values.mean(axis=1) - 100 * 1.2 / 3.6) <= half
    assert abs(float(inside.mean()) - 0.95) <= 0.01


def test_plain_mean_of_idle_hosts_is_unbiased_and_headline_nearly() -> None:
    print("seed", SEED)  # noqa: T201 - to run it again
    rng = np.random.default_rng(SEED)
    values = 1.0 + laplace(rng, HOUR_B, (NETWORKS, 100))
    error = HOUR_B * math.sqrt(2 / values.size)
    assert abs(values.mean() - 1.0) <= 4 * error
    headline = winsorised(values, np.full(100, HOUR_B)).mean()
    assert abs(headline - 1.0) <= 0.5
    assert headline != values.mean()
    # what clamping to 0..100 before averaging would do, as the old app does: the mean of idle hosts goes up
    assert np.clip(values, 0, 100).mean() - 1.0 > 3.0


@pytest.mark.parametrize("b", [HOUR_B, 100.0, 200.0])
def test_headline_bias_is_what_the_docstring_says(b: float) -> None:
    """A host at 0: the near limit adds b·e^-4.6 / 2, the far one takes a part of it back."""
    rng = np.random.default_rng(SEED)
    values = laplace(rng, b, (2_000_000,))
    bias = winsorised(values, np.full(len(values), b)).mean() - values.mean()
    assert bias == pytest.approx(b * (math.exp(-4.6) - math.exp(-4.6 - 100 / b)) / 2, abs=4e-4 * b)
    assert bias <= 0.5


def test_ten_hosts_of_the_default_preset_are_known_to_seven_and_a_half_points() -> None:
    preset = PRESETS["hour"]
    assert noise_pp(np.full(10, preset.scale_pp(12))) <= 7.5


@pytest.mark.parametrize(("liars", "allowed"), [(1, 5.3), (10, 53.0)])
def test_liars_move_the_headline_by_no_more_than_the_table_says(liars: int, allowed: float) -> None:
    """One of a hundred at b = 100 at the edge of what is not refused (100 + 20 b): see the table in docs."""
    rng = np.random.default_rng(SEED)
    b = np.full(100, 100.0)
    honest = 20.0 + laplace(rng, 100.0, (4_000, 100))
    poisoned = honest.copy()
    poisoned[:, :liars] = 100 + 20 * 100
    shift = winsorised(poisoned, b).mean(axis=1) - winsorised(honest, b).mean(axis=1)
    unchecked = (poisoned.mean(axis=1) - honest.mean(axis=1)).mean()
    assert float(shift.mean()) == pytest.approx(liars * 5.4, rel=0.05)
    assert float(shift.mean()) < unchecked / 3
    assert float(shift.mean()) <= allowed * 1.05
    median = np.median(poisoned, axis=1).mean() - np.median(honest, axis=1).mean()
    assert median < shift.mean()


def test_liars_at_the_default_preset_do_a_twelfth_of_noise_and_their_share_of_range() -> None:
    b = np.full(100, HOUR_B)
    values = np.full(100, 20.0)
    values[0] = 100 + 20 * HOUR_B
    moved = estimate(values, b).headline - 20.0
    assert moved == pytest.approx((80 + 4.6 * HOUR_B) / 100)
    assert moved < estimate(values, b).plain - 20.0


def test_bounds_of_a_custom_setting_move_the_winsorising() -> None:
    result = estimate(np.array([0.0, 50.0]), np.array([1.0, 1.0]), np.array([40.0, 40.0]), np.array([60.0, 60.0]))
    assert result.headline == pytest.approx((40 - 4.6 + 50) / 2)
    assert result.plain == 25


def test_one_value_has_no_band_of_sampling() -> None:
    result = estimate(np.array([30.0]), np.array([HOUR_B]))
    assert result.total_pp is None
    assert result.noise_pp == pytest.approx(HOUR_B * math.log(20))


@pytest.mark.parametrize("df", [1, 2, 3, 4, 9, 29, 99, 100_000])
def test_students_quantile(df: int) -> None:
    assert t975(df) == pytest.approx(stats.t.ppf(0.975, df), abs=0.004 if df < 9 else 2e-5)


def test_smoothing_keeps_its_band_over_irregular_gaps() -> None:
    print("seed", SEED)  # noqa: T201 - to run it again
    rng = np.random.default_rng(SEED)
    tau, half, runs = 6 * 3_600.0, 7.3, 400
    gaps = rng.choice([3_600.0, 7_200.0, 36_000.0], size=30)
    truth = 30 + 20 * np.sin(np.cumsum(gaps) / 50_000)
    inside = 0
    for _ in range(runs):
        seen: Smoothed | None = None
        true: Smoothed | None = None
        for gap, value in zip(gaps, truth, strict=True):
            seen = smooth(seen, float(value + rng.normal(0, half / estimator.Z95)), half, float(gap), tau)
            true = smooth(true, float(value), half, float(gap), tau)
        assert seen is not None
        assert true is not None
        assert seen.noise_pp < half
        inside += abs(seen.value - true.value) <= seen.noise_pp
    assert inside / runs == pytest.approx(0.95, abs=5 * math.sqrt(0.95 * 0.05 / runs))


def test_smoothing_starts_anew_after_a_long_gap_and_is_off_at_zero() -> None:
    before = Smoothed(90.0, 1.0)
    assert smooth(before, 10.0, 5.0, 10**9, 3_600).value == pytest.approx(10.0)
    assert smooth(before, 10.0, 5.0, 3_600, 0) == Smoothed(10.0, (5.0 / estimator.Z95) ** 2)
    assert smooth(None, 10.0, 5.0, 0, 3_600).value == 10.0


def test_plan_agrees_with_the_estimator_and_with_smoothing_in_the_long_run() -> None:
    preset = PRESETS["hour"]
    assert row(preset, 10, 0).noise_pp == pytest.approx(noise_pp(np.full(10, HOUR_B)))
    assert row(preset, 100, 0).noise_pp == pytest.approx(noise_pp(np.full(100, HOUR_B)))
    now: Smoothed | None = None
    for _ in range(500):
        now = smooth(now, 0.0, 1.0, 3_600, 6 * 3_600)
    assert now is not None
    assert now.noise_pp == pytest.approx(smoothing_factor(3_600, 6 * 3_600))


@pytest.mark.parametrize("want", [30.0, 10.0, 7.5, 2.31, 0.5])
@pytest.mark.parametrize("tau", [0.0, 21_600.0])
def test_needed_is_the_smallest_number_that_is_enough(want: float, tau: float) -> None:
    preset = PRESETS["hour"]
    n = needed(preset, want, tau)
    assert row(preset, n, tau).smoothed_pp <= want * (1 + 1e-12)
    assert n == 1 or row(preset, n - 1, tau).smoothed_pp > want
