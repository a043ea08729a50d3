"""What a release costs and how exact it is: the preset's numbers, proven by OpenDP's map. Pure.

ε is counted in whole micro-ε, rounded up, so that sums are exact and never too small.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cpu_publisher.errors import SettingsError
from cpu_publisher.noise import Mechanism, accuracy, mechanism

if TYPE_CHECKING:
    from cpu_publisher.presets import Preset

MICRO = 1_000_000
HUNDREDTHS = 100


def release_mechanism(preset: Preset, k: int) -> Mechanism:
    """The noise for the sum of `k` pooled windows."""
    return mechanism(preset.d_in(k), preset.epsilon)


def spend_micro(preset: Preset, k: int) -> int:
    """Micro-ε of a release of `k` windows **at full range**, whatever the unit.

    reading and window: k·⌈10⁶·map(Δ)⌉, for each window could have moved by the whole range;
    participant-day: ⌈10⁶·map(k·Δ)⌉ (the map is exact there, no rounding is added k times).
    """
    mech = release_mechanism(preset, k)
    if preset.unit == "participant-day":
        return math.ceil(MICRO * mech.map(k * preset.delta))
    return k * math.ceil(MICRO * mech.map(preset.delta))


def default_cap_micro(preset: Preset) -> int:
    """What 24 h at the preset's own cadence spend: the cap that never refuses it."""
    return preset.slots_per_day * spend_micro(preset, preset.windows_per_slot)


def scale_pp(preset: Preset, k: int) -> float:
    """Scale b of the published value: the sum's scale / k, in percentage points."""
    return release_mechanism(preset, k).scale / (HUNDREDTHS * k)


def sensitivity_pp(preset: Preset, k: int) -> float:
    """How far one unit can move the published value, in percentage points; divided by scale_pp: ε of one release."""
    return preset.d_in(k) / (HUNDREDTHS * k)


def error95_pp(preset: Preset, k: int) -> float:
    """Half-width of the 95 % noise interval of one published value, in percentage points."""
    return accuracy_pp(release_mechanism(preset, k).scale, k)


def accuracy_pp(scale: float, k: int) -> float:
    """Half-width of the 95 % noise interval of a value released with `scale` on the sum of `k` windows."""
    return accuracy(scale, 0.05) / (HUNDREDTHS * k)


def cap_micro(preset: Preset, wanted_micro: int | None) -> int:
    """The cap on 24 h of slots: as set, or what the preset's own cadence needs.

    Raises:
        SettingsError: it does not fit one full slot, so nothing could ever be released.
    """
    if wanted_micro is None:
        return default_cap_micro(preset)
    least = spend_micro(preset, preset.windows_per_slot)
    if wanted_micro < least:
        raise SettingsError(
            f"CPUTRACKER_CAP_EPSILON is {wanted_micro / MICRO:.12g}; one full slot spends {least / MICRO:.12g} at full"
            f" range; allowed: at least that, or empty for {default_cap_micro(preset) / MICRO:.12g}"
        )
    return wanted_micro
