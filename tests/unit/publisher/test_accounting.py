from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opendp.combinators import make_zCDP_to_approxDP
from opendp.domains import atom_domain
from opendp.measurements import make_gaussian
from opendp.metrics import absolute_distance
from tests.audit.pld import pld_epsilon

from cpu_publisher import budget
from cpu_publisher.accounting import day_ratios, laplace_rdp, pure_epsilon, renyi_epsilon
from cpu_publisher.presets import PRESETS

DAYS = {"hour": (12.0, 24, 287.1), "window": (1.0, 288, 167.8)}


@pytest.mark.parametrize(("name", "expected"), [("hour", 287.30), ("window", 172.65)])
def test_a_day_of_a_preset_costs_what_the_docs_say(name: str, expected: float) -> None:
    ratio, times, _ = DAYS[name]
    assert renyi_epsilon([ratio] * times) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("name", DAYS)
def test_an_independent_exact_account_is_just_below(name: str) -> None:
    ratio, times, exact = DAYS[name]
    over, under = (pld_epsilon(ratio, times, 1e-6, step=5e-3, up=up) for up in (True, False))
    assert under - 0.05 <= exact <= over + 0.05
    assert over - under < 0.5
    assert over < renyi_epsilon([ratio] * times) < over * 1.04


def test_opendp_zcdp_is_looser() -> None:
    """ε-DP is ε²/2-zCDP (Bun and Steinke 2016): 288 releases of ε = 1 are 144-zCDP, as this Gaussian is."""
    gaussian: Any = make_gaussian(atom_domain(T="i64"), absolute_distance(T="i64"), scale=12 / math.sqrt(288))
    assert gaussian.map(12) == pytest.approx(144)
    approximate: Any = make_zCDP_to_approxDP(gaussian)
    zcdp = approximate.map(12).epsilon(1e-6)
    assert zcdp == pytest.approx(230.9, abs=0.1)
    assert renyi_epsilon([1.0] * 288) < zcdp


@given(st.floats(1.0001, 1e3), st.floats(0, 40))
def test_the_divergence_is_the_printed_formula(order: float, ratio: float) -> None:
    """Between the value at order 1 (Kullback-Leibler) and the pure ε, and equal to Mironov's formula as printed."""
    value = laplace_rdp(order, ratio)
    assert ratio + math.expm1(-ratio) - 1e-6 <= value <= ratio + 1e-9
    if (order - 1) * ratio < 600:
        printed = math.log(
            order / (2 * order - 1) * math.exp((order - 1) * ratio)
            + (order - 1) / (2 * order - 1) * math.exp(-order * ratio)
        ) / (order - 1)
        assert value == pytest.approx(printed, rel=1e-6, abs=1e-9)


def test_integer_noise_costs_what_the_continuous_formula_says() -> None:
    """Sum over the integers for scale 400 (`reading`, the finest): off by less than 1/400²."""
    scale, shift, order = 400, 10_000, 3.0
    points = range(-30 * scale, shift + 30 * scale)
    q = math.exp(-1 / scale)
    total = math.fsum(
        math.exp((-order * abs(x) + (order - 1) * abs(x - shift)) / scale - (order - 1) * shift / scale) for x in points
    )
    exact = (math.log((1 - q) / (1 + q) * total) + (order - 1) * shift / scale) / (order - 1)
    assert laplace_rdp(order, shift / scale) == pytest.approx(exact, abs=1 / scale**2)


@given(st.lists(st.floats(0, 500), max_size=30), st.floats(1e-12, 0.5))
def test_never_above_pure_never_nan_never_below_zero(ratios: list[float], delta: float) -> None:
    epsilon = renyi_epsilon(ratios, delta)
    assert 0 <= epsilon <= sum(ratios) * (1 + 1e-12)


@pytest.mark.parametrize("ratios", [[], [0.0], [0.0] * 1_000])
def test_nothing_costs_nothing(ratios: list[float]) -> None:
    assert renyi_epsilon(ratios) == 0


@pytest.mark.parametrize("ratios", [[1e-12], [1e300], [1e5] * 1_000, [1e-300] * 10])
def test_extremes_stay_finite(ratios: list[float]) -> None:
    assert math.isfinite(renyi_epsilon(ratios))
    assert renyi_epsilon(ratios) <= sum(ratios)


@pytest.mark.parametrize(
    ("ratios", "delta"),
    [([-1.0], 1e-6), ([math.nan], 1e-6), ([math.inf], 1e-6), ([1.0], 0), ([1.0], 1), ([1.0], math.nan)],
)
def test_what_is_no_release_is_refused(ratios: list[float], delta: float) -> None:
    with pytest.raises(ValueError, match=r"delta|ratio"):
        renyi_epsilon(ratios, delta)


def test_pure_is_the_sum_of_the_rows() -> None:
    assert pure_epsilon([12_000_000, 1_000_000, 1]) == 13.000001
    assert pure_epsilon([]) == 0


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("share", [1.0, 0.4, 0.001])
def test_the_costliest_day_spends_the_cap_and_is_costlier_than_an_even_one(name: str, share: float) -> None:
    preset = PRESETS[name]
    slot = budget.spend_micro(preset, preset.windows_per_slot)
    cap = int(share * preset.slots_per_day * slot)
    ratios = day_ratios(preset, slot, cap)
    assert len(ratios) <= preset.slots_per_day
    assert sum(ratios) == pytest.approx(cap / 1e6)
    even = [cap / 1e6 / preset.slots_per_day] * preset.slots_per_day
    assert renyi_epsilon(ratios) >= renyi_epsilon(even) - 1e-9


def test_a_larger_cap_than_the_cadence_needs_buys_nothing() -> None:
    preset = PRESETS["hour"]
    assert day_ratios(preset, 12_000_000, 10**12) == [12.0] * 24
