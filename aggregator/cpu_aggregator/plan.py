"""How sure the network mean would be, before anyone takes part. Pure: from the preset alone, no data.

± noise of N full releases: 1.96·√2·b/√N (exact below ten, as the estimator). Smoothed: an exponentially weighted mean
of many slots has a/(2-a) of the variance, a = 1 - e^(-slot/tau) (the limit of the estimator's v_t). With sampling: the
hosts as a sample of a larger network whose means spread by `spread_pp` (standard deviation).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpu_aggregator.estimator import Z95, noise_pp, t975

if TYPE_CHECKING:
    from cpu_aggregator.policy import Preset

STEPS = (1, 10, 100, 1_000, 10_000)
SPREAD_PP = 25.0  # an assumption to be changed by whoever knows the network; the noise columns need none


class Row(NamedTuple):
    """95 % half-widths in pp for a number of participants; `total_pp` None for one."""

    participants: int
    noise_pp: float
    smoothed_pp: float
    total_pp: float | None


def rows(preset: Preset, participants: int, smoothing_seconds: float, spread_pp: float = SPREAD_PP) -> list[Row]:
    """A row for `participants` and for each power of ten, in order."""
    return [row(preset, n, smoothing_seconds, spread_pp) for n in sorted({participants, *STEPS})]


def row(preset: Preset, n: int, smoothing_seconds: float, spread_pp: float = SPREAD_PP) -> Row:
    """How sure the mean of `n` participants is, each with all windows of its slots."""
    b = preset.scale_pp(preset.windows_full)
    noise = noise_pp(np.full(min(n, 10), b)) * math.sqrt(min(n, 10) / n)
    total = None if n == 1 else t975(n - 1) * math.sqrt((2 * b * b + spread_pp**2) / n)
    return Row(n, noise, noise * smoothing_factor(preset.slot_seconds, smoothing_seconds), total)


def smoothing_factor(slot_seconds: float, smoothing_seconds: float) -> float:
    """What smoothing leaves of ± noise."""
    if smoothing_seconds <= 0:
        return 1.0
    a = -math.expm1(-slot_seconds / smoothing_seconds)
    return math.sqrt(a / (2 - a))


def needed(preset: Preset, want_pp: float, smoothing_seconds: float = 0.0) -> int:
    """Participants from which on ± noise is at most `want_pp`."""
    b = preset.scale_pp(preset.windows_full)
    factor = smoothing_factor(preset.slot_seconds, smoothing_seconds)
    n = max(1, math.ceil((Z95 * math.sqrt(2) * b * factor / want_pp) ** 2))
    while n < STEPS[1] and noise_pp(np.full(n, b)) * factor > want_pp:
        n += 1
    return n
