"""The noise itself: OpenDP's against an independent exact sampler, against its promise, and across forks."""

from __future__ import annotations

import random

import numpy as np
import pytest
from tests.audit import checks
from tests.audit.measure import (
    HOUR,
    MECHANISM,
    THRESHOLD,
    K,
    exact_draws,
    forked,
    on_lattice,
    published,
    vector_draws,
)

SEED = 20261124


@pytest.fixture(scope="module")
def opendp_draws() -> list[int]:
    return vector_draws(200_000)


def test_opendp_draws_have_the_scale_and_the_shape(opendp_draws: list[int]) -> None:
    found = checks.scale_and_shape(opendp_draws, MECHANISM.scale)
    assert found.ok, found.detail


def test_opendp_and_the_exact_sampler_draw_from_one_law(opendp_draws: list[int]) -> None:
    exact = exact_draws(50_000)
    for found in (
        checks.scale_and_shape(exact, MECHANISM.scale),
        checks.same_law(opendp_draws, exact, MECHANISM.scale),
    ):
        assert found.ok, found.detail


@pytest.mark.parametrize("share", [0.98, 1.02])
def test_two_per_cent_of_noise_too_little_or_too_much_is_found(opendp_draws: list[int], share: float) -> None:
    wrong = [round(share * value) for value in opendp_draws]
    assert not checks.scale_and_shape(wrong, MECHANISM.scale).ok


def test_half_line_audit_of_the_scalar_path() -> None:
    idle, busy = published(40_000, 0), published(40_000, HOUR.delta)
    found = checks.half_line(idle, busy, THRESHOLD, HOUR.epsilon)
    assert found.ok, found.detail
    assert found.lower is not None
    assert found.lower > 0.9, found.detail  # the audit itself is awake


def test_low_digits_tell_nothing() -> None:
    """Published values of any input are multiples of 0.01/k, to the six decimals that are published."""
    idle, busy = published(1_000, 0), published(1_000, HOUR.delta)
    found = checks.one_lattice(idle, busy, on_lattice)
    assert found.ok, found.detail


def test_low_digits_of_float_noise_would_tell() -> None:
    """The same check catches a textbook float sampler."""
    rng = np.random.default_rng(SEED)
    scale = MECHANISM.scale / (100 * K)
    idle, busy = ((mean + rng.laplace(scale=scale, size=1_000)).tolist() for mean in (0.0, 100 / K))
    assert not checks.one_lattice(idle, busy, on_lattice).ok


def test_forked_children_do_not_repeat_noise() -> None:
    found = checks.no_repeats(*forked("opendp"))
    assert found.ok, found.detail


def test_forked_children_of_a_seeded_generator_would_repeat() -> None:
    assert not checks.no_repeats(*forked("seeded")).ok


def test_a_new_process_does_not_repeat_noise() -> None:
    found = checks.no_repeats(forked("opendp")[0], forked("opendp")[0])
    assert found.ok, found.detail


class Weaker:
    """A mechanism with a share of the noise that is due."""

    def __init__(self, noise: list[int], share: float) -> None:
        self._noise = noise
        self._share = share

    def draw(self, total: int) -> int:
        return total + round(self._share * random.choice(self._noise))


@pytest.mark.parametrize("share", [0.9, 0.5, 0.0])
def test_the_half_line_audit_finds_a_tenth_too_little_noise(opendp_draws: list[int], share: float) -> None:
    random.seed(SEED)
    weaker = Weaker(opendp_draws, share)
    idle, busy = published(100_000, 0, weaker), published(100_000, HOUR.delta, weaker)
    assert not checks.half_line(idle, busy, THRESHOLD, HOUR.epsilon).ok
