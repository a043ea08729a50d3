"""Independent exact sampler of the discrete Laplace law: integers only, no float, the system's random source.

C. Canonne, G. Kamath, T. Steinke, *The Discrete Gaussian for Differential Privacy* (2020), Algorithms 1 and 2. It
shares nothing with OpenDP, so that a fault of either shows against the other.
"""

from __future__ import annotations

import random

_SYSTEM = random.SystemRandom()


def bernoulli_exp(numerator: int, denominator: int) -> bool:
    """True with probability e^(-numerator/denominator), for 0 <= numerator <= denominator (Algorithm 1).

    Draw k = 1, 2, … while each Bernoulli(gamma / k) succeeds; the first to fail is odd with that probability.
    """
    k = 1
    while _SYSTEM.randrange(denominator * k) < numerator:
        k += 1
    return k % 2 == 1


def discrete_laplace(scale: int) -> int:
    """One draw: P(x) proportional to e^(-|x| / scale), for a whole scale (Algorithm 2 with s = 1)."""
    while True:
        remainder = _SYSTEM.randrange(scale)
        if not bernoulli_exp(remainder, scale):
            continue
        whole = 0
        while bernoulli_exp(1, 1):
            whole += 1
        magnitude = remainder + scale * whole
        negative = _SYSTEM.randrange(2) == 1
        if negative and magnitude == 0:
            continue  # zero would be counted twice
        return -magnitude if negative else magnitude
