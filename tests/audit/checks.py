"""The statistical checks of the audit. Each looks at released values only and returns what it found.

A check fails at alpha = 10⁻⁶ (it would do so once in a million runs of faultless noise), so that it does not flake.
Lower bounds on ε for the report are at 99.9 % confidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ALPHA = 1e-6
CONFIDENCE = 0.999
BINS = 40


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found.

    Attributes:
        ok: False if faultless noise would look like this less than once in a million times.
        detail: the numbers, for a message or the report.
        lower: measured lower bound on ε at 99.9 % confidence, where the check measures one.
    """

    ok: bool
    detail: str
    lower: float | None = None


def quantile(scale: float, probability: float) -> int:
    """Smallest integer x with P(noise <= x) >= probability, for discrete Laplace noise."""
    q = math.exp(-1 / scale)
    if probability < q / (1 + q):
        return -quantile(scale, 1 - probability)
    return max(0, math.ceil(math.log((1 - probability) * (1 + q)) / math.log(q)) - 1)


def below(scale: float, x: int) -> float:
    """P(noise <= x)."""
    q = math.exp(-1 / scale)
    return 1 - q ** (x + 1) / (1 + q) if x >= 0 else q**-x / (1 + q)


def scale_and_shape(noise: Sequence[int], scale: float) -> Found:
    """Mean |noise| against its expectation, and chi-square over 40 bins of equal probability."""
    values = np.asarray(noise, dtype=np.float64)
    n = len(values)
    q = math.exp(-1 / scale)
    mean = 2 * q / (1 - q * q)
    second = 2 * q / (1 - q) ** 2
    z = (np.abs(values).mean() - mean) / math.sqrt((second - mean * mean) / n)
    p_scale = 2 * stats.norm.sf(abs(z))
    edges = sorted({quantile(scale, i / BINS) for i in range(1, BINS)})
    shares = np.diff([0.0, *(below(scale, edge) for edge in edges), 1.0])
    seen = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(shares))
    p_shape = stats.chisquare(seen, n * shares).pvalue
    return Found(
        ok=min(p_scale, p_shape) > ALPHA / 2,
        detail=f"{n:,} draws, scale {np.abs(values).mean() / mean:.4f} of what is due (p {p_scale:.2g}),"
        f" shape chi-square p {p_shape:.2g}",
    )


def same_law(first: Sequence[int], second: Sequence[int], scale: float) -> Found:
    """Two-sample chi-square over the same bins: do two samplers draw from one law?"""
    edges = sorted({quantile(scale, i / BINS) for i in range(1, BINS)})
    table = [np.bincount(np.searchsorted(edges, np.asarray(x), side="left"), minlength=BINS) for x in (first, second)]
    p = stats.chi2_contingency(np.array(table)).pvalue
    return Found(ok=p > ALPHA, detail=f"{len(first):,} against {len(second):,} draws, chi-square p {p:.2g}")


def half_line(idle: Sequence[float], busy: Sequence[float], threshold: float, epsilon: float) -> Found:
    """ε from how much more often a busy CPU's value lies at or above a threshold fixed beforehand.

    ln(P(busy >= t) / P(idle >= t)) <= ε holds for every t. Both probabilities by Clopper and Pearson, half of the error
    probability each (the audit of Ding et al. 2018 and Bichsel et al. 2021, with one event fixed before looking).
    """
    over_idle = int(np.sum(np.asarray(idle) >= threshold))
    over_busy = int(np.sum(np.asarray(busy) >= threshold))

    def lower(error: float) -> float:
        least = stats.beta.ppf(error / 2, over_busy, len(busy) - over_busy + 1) if over_busy else 0.0
        most = stats.beta.isf(error / 2, over_idle + 1, len(idle) - over_idle) if over_idle < len(idle) else 1.0
        return max(0.0, math.log(least / most)) if least > 0 else 0.0

    measured = lower(1 - CONFIDENCE)
    return Found(
        ok=lower(ALPHA) <= epsilon,
        detail=f"{len(idle):,} a side, ε >= {measured:.3f} at {CONFIDENCE:.1%}, promised {epsilon:g}",
        lower=measured,
    )


def one_run(right: int, guesses: int, epsilon: float, what: str) -> Found:
    """ε from the share of right guesses about independent coin flips (Steinke, Nasr and Jagielski 2023, Theorem 5.2).

    Under pure ε the number of right guesses is at most Binomial(guesses, e^ε / (1 + e^ε)), in the sense of stochastic
    dominance, whatever the mechanism does with the other flips.
    """

    def tail(eps: float) -> float:
        return float(stats.binom.sf(right - 1, guesses, 1 / (1 + math.exp(-eps))))

    low, high = 0.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle) < 1 - CONFIDENCE else (low, middle)
    return Found(
        ok=tail(epsilon) > ALPHA,
        detail=f"{what}: {right:,} of {guesses:,} guesses right, ε >= {low:.3f} at {CONFIDENCE:.1%},"
        f" promised {epsilon:g}",
        lower=low,
    )


def one_lattice(idle: Sequence[float], busy: Sequence[float], on_lattice: Callable[[float], bool]) -> Found:
    """Precision attack (Mironov 2012; Haney et al. 2022): low digits must not tell which input a value came from.

    Every value of either input has to lie on the one lattice that all inputs share; a float sampler leaves values that
    only one of the inputs can give.
    """
    off_idle, off_busy = (sum(not on_lattice(value) for value in values) for values in (idle, busy))
    return Found(ok=off_idle == off_busy == 0, detail=f"values off the common lattice: {off_idle} : {off_busy}")


def no_repeats(*streams: Sequence[int]) -> Found:
    """Processes must not share noise: any two streams agree in a draw only as often as chance has it."""
    agreeing = max(
        sum(x == y for x, y in zip(a, b, strict=True)) for i, a in enumerate(streams) for b in streams[i + 1 :]
    )
    return Found(
        ok=agreeing <= len(streams[0]) // 10,
        detail=f"{len(streams)} streams of {len(streams[0])} draws, at most {agreeing} equal",
    )
