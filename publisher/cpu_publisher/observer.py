"""What one observer who reads every file learns of one host, and how exact a file and a network mean are. Pure.

The observer knows everything but one thing: was the CPU idle (0 %) or fully busy (100 %) in the windows in question,
both equally likely beforehand. The best guess follows the sign of the summed log-likelihood ratio, and is right with
probability 1/2 + (P(sum > 0) - P(sum < 0)) / 2 (Neyman-Pearson; Laplace noise is symmetric).
"""

from __future__ import annotations

import cmath
import math
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

from cpu_publisher import budget
from cpu_publisher.guarantee import window_epsilon
from cpu_publisher.presets import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cpu_publisher.presets import Preset

_CERTAIN = 1e-9  # error probabilities below it are bounded instead of computed
_FREQUENCIES = 20_000
_FINEST = 100


def probability_right(unit_ratio: float, releases: Mapping[int, int]) -> float:
    """Probability that the best guess about idle or busy is right.

    Args:
        unit_ratio: Δ / scale of one of the windows in question: its ε at full range.
        releases: {windows in question in one release: number of such releases}. w windows that were all idle or all
            busy move their sum by w·Δ.

    Returns:
        0.5 (nothing learned) to 1.0. Computed by inverting the characteristic function of the sum on a grid of
        unit_ratio / steps; the error is of second order in it (below 1e-4 at ε = 1, shown by test). Where the Chernoff
        (Bhattacharyya) bound leaves the observer less than 1e-9 to be wrong, 1.
    """
    if _chernoff(unit_ratio, releases) < _CERTAIN:
        return 1.0
    widest = sum(w * times for w, times in releases.items())
    steps = max(4, min(_FINEST, _FREQUENCIES // max(1, widest)))
    half = widest * steps
    size = 2 * half + 1  # odd and longer than the sum's range: nothing wraps round
    total = 0.0
    for k in range(1, half + 1):
        theta = 2 * math.pi * k / size
        value = complex(1)
        for w, times in releases.items():
            value *= _characteristic(theta, w * unit_ratio, w * steps) ** times
        # Σ sin(j·theta) for j = 1 … half, closed
        sines = (math.cos(theta / 2) - (-1) ** k) / (2 * math.sin(theta / 2))
        total += value.imag * sines
    return 0.5 + 2 * total / size


def _chernoff(unit_ratio: float, releases: Mapping[int, int]) -> float:
    """Upper bound on the probability of a wrong guess: half the product of ∫ sqrt(p·q) = e^(-t/2)·(1 + t/2)."""
    log = sum(times * (math.log1p(w * unit_ratio / 2) - w * unit_ratio / 2) for w, times in releases.items())
    return math.exp(log) / 2


def _characteristic(theta: float, ratio: float, steps: int) -> complex:
    """Σ P(loss = j·h)·e^(i·theta·j) of one release; loss: ratio·(1 or -1) at the ends, ratio - 2x between.

    x ~ Laplace(1), h = ratio / steps, every loss moved to the nearest point of the grid. The points between the ends
    form a geometric series.
    """
    h = ratio / steps
    top = (1 - math.exp(-h / 4) / 2) * cmath.exp(1j * theta * steps)
    bottom = math.exp(h / 4 - ratio) / 2 * cmath.exp(-1j * theta * steps)
    last = cmath.exp(1j * theta * steps)
    first = cmath.exp(h / 2 - ratio + 1j * theta * (1 - steps))
    between = math.sinh(h / 4) * (last - first) / (cmath.exp(h / 2 + 1j * theta) - 1)
    return top + between + bottom


def releases_of(preset: Preset, windows: int) -> dict[int, int]:
    """`windows` consecutive windows from a slot's start, as {windows in one release: number of such releases}."""
    full, rest = divmod(windows, preset.windows_per_slot)
    return dict(Counter({preset.windows_per_slot: full}) + Counter({rest: 1 if rest else 0}))


@cache
def right_after(preset: Preset, windows: int) -> float:
    """Probability of being right about idle or busy through `windows` consecutive windows from a slot's start.

    Other windows of a slot that is not complete are taken as known.
    """
    return probability_right(_ratio(preset), releases_of(preset, windows))


def windows_in(preset: Preset, seconds: int) -> int:
    """Windows of a stretch of so many seconds from a slot's start, at most."""
    return -(-seconds // (DAY_SECONDS if preset.one_window_a_day else preset.sample_seconds))


def right_about_day(preset: Preset) -> float:
    """The same for a whole UTC day."""
    return right_after(preset, preset.windows_per_slot * preset.slots_per_day)


def _ratio(preset: Preset) -> float:
    """Δ / scale of one window in a full slot. For the participant-day the scale grows with the slot's windows."""
    if preset.unit == "participant-day":
        return preset.epsilon / preset.windows_per_slot
    return window_epsilon(preset)


def network_error95_pp(preset: Preset, participants: int) -> float:
    """± (95 %) of the noise in the plain mean of this many hosts with full slots, percentage points.

    One host: the quantile of Laplace noise itself; more: 1.96 standard errors, √2·b / √N each.
    """
    if participants == 1:
        return budget.error95_pp(preset, preset.windows_per_slot)
    sigma = math.sqrt(2) * budget.scale_pp(preset, preset.windows_per_slot)
    return 1.96 * sigma / math.sqrt(participants)


def smoothed_error95_pp(preset: Preset, participants: int, smoothing_seconds: float) -> float:
    """The same after exponential smoothing with this time constant, long after its start.

    alpha = 1 - e^(-slot / constant); the variance settles at alpha / (2 - alpha) of one value's. It covers the equally
    smoothed truth only.
    """
    alpha = -math.expm1(-preset.slot_seconds / smoothing_seconds)
    sigma = math.sqrt(2) * budget.scale_pp(preset, preset.windows_per_slot)
    return 1.96 * sigma * math.sqrt(alpha / (2 - alpha)) / math.sqrt(participants)
