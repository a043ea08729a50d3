"""How much ε many releases cost together: pure, and (ε, δ) by Rényi divergence. Pure functions.

A release is described by one number, `ratio` = Δ / scale: how far the whole range could have moved its sum, over the
scale of the noise on that sum. That is its pure ε at full range, so a ledger row of s micro-ε has ratio s / 10⁶.

Sources: I. Mironov, *Rényi Differential Privacy* (2017), Table II (Laplace) and Proposition 1 (composition is a sum);
C. Canonne, G. Kamath, T. Steinke, *The Discrete Gaussian for Differential Privacy* (2020), Proposition 12 (Rényi to
(ε, δ), tighter than Mironov's own Proposition 3). The formula is that of the continuous Laplace mechanism; for integer
noise of scale s it is off by less than 1/s² per release: 10⁻⁸ of ε in a day of `hour`.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cpu_publisher.presets import Preset

MICRO = 1_000_000
DELTA = 1e-6
# Any order gives a true bound; these are dense enough that the best of them is within 0.01 % of the optimum.
_ORDERS = tuple(1 + 10 ** (step / 100) for step in range(-400, 601))


def pure_epsilon(spends_micro: Iterable[int]) -> float:
    """ε of releases together without δ: their sum. `spends_micro` are the ledger's rows, micro-ε at full range."""
    return sum(spends_micro) / MICRO


def laplace_rdp(order: float, ratio: float) -> float:
    """Rényi divergence of order > 1 between Laplace noise and itself moved by `ratio` scales.

    Mironov's formula with e^((order-1)·ratio) taken out of the logarithm, so that nothing overflows.
    """
    mixed = (order + (order - 1) * math.exp(-(2 * order - 1) * ratio)) / (2 * order - 1)
    return max(0.0, ratio + math.log(mixed) / (order - 1))


def renyi_epsilon(ratios: Iterable[float], delta: float = DELTA) -> float:
    """ε at `delta` of releases of these ratios together; never above the pure sum, 0 for none.

    Raises:
        ValueError: a ratio is negative or not finite, or delta is not between 0 and 1.
    """
    if not 0 < delta < 1:
        raise ValueError(f"delta is {delta}; it must be between 0 and 1")
    counts = Counter(ratios)
    if not all(math.isfinite(ratio) and ratio >= 0 for ratio in counts):
        raise ValueError("every ratio must be finite and not negative")
    pure = sum(ratio * count for ratio, count in counts.items())
    return min(pure, max(0.0, _best_order(tuple(sorted(counts.items())), delta)))


@lru_cache(maxsize=64)  # some 5 ms each; the owner's page and the promise ask for the same ones again and again
def _best_order(counts: tuple[tuple[float, int], ...], delta: float) -> float:
    return min(
        sum(count * laplace_rdp(order, ratio) for ratio, count in counts)
        + math.log1p(-1 / order)
        - math.log(delta * order) / (order - 1)
        for order in _ORDERS
    )


def day_ratios(preset: Preset, slot_micro: int, cap_micro: int) -> list[float]:
    """The costliest 24 h of slots that the cap allows, as ratios for `renyi_epsilon`.

    Few large releases cost more than many small ones of the same sum (the divergence is convex in the ratio), so it is
    full slots of `slot_micro` and then what is left of the cap.
    """
    full = min(preset.slots_per_day, cap_micro // slot_micro)
    rest = cap_micro - full * slot_micro if full < preset.slots_per_day else 0
    return [slot_micro / MICRO] * full + [rest / MICRO] * (rest > 0)
