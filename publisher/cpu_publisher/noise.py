"""The only place that draws noise: OpenDP's integer Laplace mechanism, calibrated and then proven by its own map.

No fallback generator exists. Domain bounds are not enforced by OpenDP, a float NaN would be released as 0 + noise and
`scale=0` is accepted with map = inf (all measured on 0.16.0): hence integers only, and the map is asserted.
Submodules are imported one by one because OpenDP's prelude costs 7 MB of memory that nothing here uses.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from opendp.accuracy import discrete_laplacian_scale_to_accuracy
from opendp.domains import atom_domain
from opendp.measurements import make_laplace
from opendp.metrics import absolute_distance
from opendp.mod import binary_search_param, enable_features

from cpu_publisher.errors import NoiseError

enable_features("contrib")


def _laplace(scale: float) -> Any:  # noqa: ANN401 - OpenDP ships no types
    return make_laplace(atom_domain(T="i64"), absolute_distance(T="i64"), scale=scale)


class Mechanism:
    """Discrete Laplace on an integer sum.

    Attributes:
        d_in: how far one unit can move the sum (its sensitivity, same integer units as the sum).
        scale: b of the noise on the sum, same units.
        epsilon: ε of one draw for one unit, by OpenDP's map; never more than was asked for.
    """

    def __init__(self, d_in: int, epsilon: float) -> None:
        if d_in <= 0 or not math.isfinite(epsilon) or epsilon <= 0:
            raise NoiseError(f"cannot calibrate noise for d_in {d_in} and epsilon {epsilon}: both must be above 0")
        self.d_in = d_in
        self.scale: float = binary_search_param(_laplace, d_in=d_in, d_out=epsilon)
        self._measurement = _laplace(self.scale)
        self.epsilon = self.map(d_in)
        if not self.epsilon <= epsilon:
            raise NoiseError(f"OpenDP's map gives {self.epsilon} for d_in {d_in}, more than the {epsilon} asked for")

    def map(self, d_in: int) -> float:
        """ε of one draw for a change of `d_in` in the sum."""
        return float(self._measurement.map(d_in))

    def draw(self, total: int) -> int:
        """`total` with noise, by OpenDP's own random source."""
        if type(total) is not int:
            raise NoiseError("noise is drawn on integers only")
        return int(self._measurement(total))


def accuracy(scale: float, alpha: float) -> float:
    """Half-width that noise of `scale` stays below with probability 1 - alpha."""
    return float(discrete_laplacian_scale_to_accuracy(scale, alpha))


@cache
def mechanism(d_in: int, epsilon: float) -> Mechanism:
    """The calibrated mechanism; calibration costs a few ms, so each is made once."""
    return Mechanism(d_in, epsilon)
