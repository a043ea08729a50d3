"""The network mean of one slot and how sure it is. Pure; arrays of shape (N,), one entry a participant.

Equal weights: they estimate the plain average of the hosts; inverse-variance weights are biased whenever careful
hosts are busier, and pay a liar for declaring little noise. Values are never clamped to [0, 100] before averaging:
noise is symmetric, and clamping it would move the mean of idle hosts up. No rule looks at the values to choose.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Z95 = 1.959963984540054  # 97.5 % quantile of the normal distribution
ALPHA = 0.05
WINSOR_B = 4.6  # e^-4.6 = 1 %: noise alone carries one value in a hundred of a host at a bound that far
_NORMAL_FROM = 10  # from that many participants on, the noise of the mean is normal enough (simulated: 95 % +- 1)
_T975 = (math.inf, 12.706204736, 4.302652730)  # Student t, 97.5 %, for 0, 1, 2 degrees of freedom


class Mean(NamedTuple):
    """Percent, and half-widths of 95 % intervals in pp. The attributes are those of `view.Estimate`."""

    headline: float
    plain: float
    median: float
    noise_pp: float
    total_pp: float | None


def estimate(
    cpu: NDArray[np.float64],
    b: NDArray[np.float64],
    lower: NDArray[np.float64] | float = 0.0,
    upper: NDArray[np.float64] | float = 100.0,
) -> Mean:
    """The mean of at least one value.

    Args:
        cpu: published values, percent, not clamped.
        b: noise scale of each, pp, as its preset and windows demand.
        lower: lower clip bound of each host's readings, percent.
        upper: upper clip bound.
    """
    within = winsorised(cpu, b, lower, upper)
    return Mean(
        headline=float(within.mean()),
        plain=float(cpu.mean()),
        median=float(np.median(cpu)),
        noise_pp=noise_pp(b),
        total_pp=total_pp(within),
    )


def winsorised(
    cpu: NDArray[np.float64],
    b: NDArray[np.float64],
    lower: NDArray[np.float64] | float = 0.0,
    upper: NDArray[np.float64] | float = 100.0,
) -> NDArray[np.float64]:
    """Values pulled to [lower - 4.6 b, upper + 4.6 b] (Tukey 1962, winsorising, at bounds fixed beforehand).

    An honest host at a bound has one value in 200 beyond the near limit (P = e^-4.6 / 2); its mean moves inwards by
    b (e^-4.6 - e^(-4.6 - 100/b)) / 2: 0.04 pp at b = 8.33, 0.32 at 100, never 0.5. A liar moves the mean of N by at
    most (100 + 9.2 b) / N.
    """
    return np.clip(cpu, lower - WINSOR_B * b, upper + WINSOR_B * b)


def noise_pp(b: NDArray[np.float64]) -> float:
    """± noise: 1.96·√(Σ σᵢ²) / N with σᵢ² = 2 bᵢ² (variance of the Laplace distribution).

    Below ten participants the mean of Laplace variables is not normal yet: exact by its characteristic function.
    """
    n = len(b)
    if n >= _NORMAL_FROM:
        return Z95 * math.sqrt(2.0 * float(np.square(b).sum())) / n
    if n == 1:
        return float(b[0]) * math.log(1 / ALPHA)
    return _exact_noise_pp(b)


def _exact_noise_pp(b: NDArray[np.float64]) -> float:
    """95 % half-width of the mean of a few Laplace variables.

    P(|X| <= x) = 2/π ∫₀^∞ φ(t) sin(xt)/t dt with φ(t) = Π 1 / (1 + (bᵢ t / N)²) (Gil-Pelaez 1951), solved by bisection.
    The scale is taken out first; φ falls as t^-2N, so the integral to t = 400 is exact to 1e-5 for N = 2.
    """
    weights = b / len(b)
    unit = math.sqrt(2.0 * float(np.square(weights).sum()))
    t = np.linspace(0.0, 400.0, 80_001)[1:]
    step = float(t[0])
    phi = 1.0 / np.prod(1.0 + np.square(np.outer(weights / unit, t)), axis=0)
    low, high = 1.0, 4.0
    for _ in range(40):
        x = (low + high) / 2
        inside = 2 / math.pi * step * (float((phi * np.sin(x * t) / t).sum()) + x / 2)  # x / 2: the end at t = 0
        low, high = (x, high) if inside < 1 - ALPHA else (low, x)
    return unit * (low + high) / 2


def total_pp(values: NDArray[np.float64]) -> float | None:
    """± noise and sampling: t·s/√N (Student 1908), the values' own spread; None for one value.

    It takes the hosts as a sample of a larger network, and contains the noise: the spread is that of noisy values.
    """
    n = len(values)
    if n == 1:
        return None
    return t975(n - 1) * float(values.std(ddof=1)) / math.sqrt(n)


def t975(df: int) -> float:
    """97.5 % quantile of Student's t: Abramowitz & Stegun 26.7.5, from 3 degrees on within 0.004 (from 9: 1e-5)."""
    if df < len(_T975):
        return _T975[df]
    z = Z95
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + float(sum(term / df ** (power + 1) for power, term in enumerate(terms)))


class Smoothed(NamedTuple):
    """Exponentially weighted mean (percent) and the variance (pp²) that noise alone gives it."""

    value: float
    variance: float

    @property
    def noise_pp(self) -> float:
        """95 % half-width: covers the equally smoothed truth only."""
        return Z95 * math.sqrt(self.variance)


def smooth(before: Smoothed | None, value: float, half_width_pp: float, dt: float, tau: float) -> Smoothed:
    """One step of an exponentially weighted mean over irregular gaps.

    a = 1 - e^(-dt/tau) (Zumbach and Müller 2001, "Operators on inhomogeneous time series");
    v_t = (1-a)²·v_{t-1} + a²·s_t², s_t from the noise alone: the noise of different releases is independent. Sampling
    is left out of v: the hosts are the same from slot to slot, so their spread does not average out.

    Args:
        before: the step before, None at the start.
        value: this slot's headline, percent.
        half_width_pp: its ± noise (95 %).
        dt: seconds since the slot before.
        tau: time constant, seconds; 0: no smoothing.
    """
    variance = (half_width_pp / Z95) ** 2
    if before is None or tau <= 0:
        return Smoothed(value, variance)
    a = -math.expm1(-dt / tau)
    return Smoothed((1 - a) * before.value + a * value, (1 - a) ** 2 * before.variance + a * a * variance)
