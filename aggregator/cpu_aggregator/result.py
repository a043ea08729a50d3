"""The result of one slot from the values that waited for it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpu_aggregator import estimator
from cpu_aggregator.view import Estimate, Point

if TYPE_CHECKING:
    from cpu_aggregator.policy import Policy
    from cpu_aggregator.store import Pending


def estimate(slot: int, values: Pending, policy: Policy, before: Point | None, smoothing_seconds: float) -> Estimate:
    """The network mean of `slot` with all its bands.

    Args:
        slot: start of the slot, unix seconds.
        values: at least one, each datasite at most once.
        policy: what the numbers of presets in `values` mean: b and bounds of each value come from here alone.
        before: the newest result before this one, for the smoothed series.
        smoothing_seconds: its time constant.
    """
    number = np.array(values.preset, dtype=np.int64)
    lower = np.array([p.lower_percent for p in policy.presets], dtype=np.float64)[number]
    upper = np.array([p.upper_percent for p in policy.presets], dtype=np.float64)[number]
    scales = {
        pair: policy.presets[pair[0]].scale_pp(pair[1]) for pair in set(zip(values.preset, values.windows, strict=True))
    }
    b = np.array([scales[pair] for pair in zip(values.preset, values.windows, strict=True)])
    mean = estimator.estimate(np.array(values.cpu, dtype=np.float64), b, lower, upper)
    earlier, gap = None, 0.0
    if before and before.estimate:
        e = before.estimate
        earlier = estimator.Smoothed(e.smoothed, (e.smoothed_pp / estimator.Z95) ** 2)
        gap = slot - before.slot
    smoothed = estimator.smooth(earlier, mean.headline, mean.noise_pp, gap, smoothing_seconds)
    return Estimate(*mean, smoothed.value, smoothed.noise_pp)
