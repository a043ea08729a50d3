"""Independent account of composed Laplace releases: their privacy-loss distribution on a fine grid (numpy).

Shares no formula with the publisher's Rényi accounting. Loss of one release of ratio t, noise x ~ Laplace(1):
|x - t| - |x| is t for x <= 0, t - 2x between, -t for x >= t.
"""

from __future__ import annotations

import numpy as np


def laplace_pld(ratio: float, step: float, *, up: bool) -> tuple[np.ndarray, int]:
    """Probabilities of the loss on multiples of `step`, and the index of the first one.

    `up`: every loss is moved up to the grid, so ε is never too small; else down, so that it is never too large.
    """
    low = int(np.floor(-ratio / step))
    high = int(np.ceil(ratio / step))
    edges = (np.arange(low, high + 2) - up) * step  # a loss between edges i and i + 1 goes to point low + i
    below = np.exp(-(ratio - np.clip(edges, -ratio, ratio)) / 2) / 2  # P(loss <= l) = P(x >= (t - l) / 2) for l < t
    below[edges >= ratio if up else edges > ratio] = 1.0  # the mass at t itself is the largest
    below[0] = 0.0  # whatever lies at -t belongs to the first point
    return np.diff(below), low


def pld_epsilon(ratio: float, times: int, delta: float, *, step: float = 1e-3, up: bool = True) -> float:
    """ε at `delta` of `times` releases of this ratio."""
    masses, low = laplace_pld(ratio, step, up=up)
    length = times * (len(masses) - 1) + 1
    size = 1 << (length - 1).bit_length()
    composed = np.fft.irfft(np.fft.rfft(masses, size) ** times, size)[:length].clip(0)
    loss = (np.arange(length) + times * low) * step
    # delta(ε) = Σ over loss > ε of p·(1 - e^(ε - loss)), falling in ε: bisect
    left, right = 0.0, ratio * times + times * step
    for _ in range(60):
        middle = (left + right) / 2
        over = loss > middle
        if np.sum(composed[over] * -np.expm1(middle - loss[over])) > delta:
            left = middle
        else:
            right = middle
    return right
