"""Which presets are averaged together, and what each demands of a public file. Pure."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from cpu_aggregator.errors import SettingsError

DAY_SECONDS = 86_400
CUSTOM = "custom"
LEGACY = "legacy"
UNITS = ("reading", "window", "participant-day")


@dataclass(frozen=True, slots=True)
class Preset:
    """One accepted privacy setting, complete: everything that a file declares is computed from it.

    Attributes:
        name: a preset's name, `custom`, or `legacy` for the old two-key file.
        unit: what one ε hides.
        epsilon: ε of one release for one unit.
        sample_seconds, slot_seconds: lengths of sample interval and slot.
        n, interval_ms: readings of a window, length of a reading.
        lower_percent, upper_percent: clip bounds of a reading.
        one_window_a_day: one window a UTC day is accepted.
    """

    name: str
    unit: str
    epsilon: float
    sample_seconds: int
    slot_seconds: int
    n: int = 50
    interval_ms: int = 100
    lower_percent: int = 0
    upper_percent: int = 100
    one_window_a_day: bool = False

    @property
    def windows_full(self) -> int:
        """Windows of a full slot."""
        return 1 if self.one_window_a_day else self.slot_seconds // self.sample_seconds

    @property
    def covers_ms(self) -> int:
        """What the guarantee of a window covers, as docs/wire-contract.md section 1 derives it."""
        exact = 1_000 * self.sample_seconds - self.n * self.interval_ms
        exact -= min(3_000, 150 * self.sample_seconds) + min(500, 25 * self.sample_seconds)
        return exact if self.sample_seconds < 10 else exact // 1_000 * 1_000  # noqa: PLR2004 - contract section 1

    @property
    def covers_seconds(self) -> float | None:
        """`guarantee.covers_seconds`: window: covers_ms; reading: 0; participant-day: None."""
        if self.unit == "participant-day":
            return None
        return self.covers_ms / 1_000 if self.unit == "window" else 0

    def sensitivity_pp(self, k: int) -> float:
        """How far one unit can move the published mean of `k` windows, percentage points."""
        delta = 100 * (self.upper_percent - self.lower_percent)
        if self.unit == "reading":
            return -(-delta // self.n) / k / 100
        return (delta if self.unit == "window" else k * delta) / k / 100

    def scale_pp(self, k: int) -> float:
        """Noise scale b of the published mean of `k` windows, percentage points: sensitivity / ε (discrete Laplace)."""
        return self.sensitivity_pp(k) / self.epsilon

    @property
    def unit_epsilon(self) -> float:
        """`guarantee.epsilon`: what one whole unit costs. A participant-day: all its releases."""
        return self.epsilon * (DAY_SECONDS // self.slot_seconds) if self.unit == "participant-day" else self.epsilon


PRESETS: dict[str, Preset] = {
    p.name: p
    for p in (
        Preset("hour", "window", 1.0, 300, 3_600),
        Preset("window", "window", 1.0, 300, 300),
        Preset("window-fast", "window", 0.5, 60, 60),
        Preset("day", "participant-day", 1.0, 300, 21_600),
        Preset("day-sampled", "participant-day", 1.0, 300, 86_400, one_window_a_day=True),
        Preset("reading", "reading", 0.5, 20, 20),
    )
}
# What the old app did: ε 0.5 a reading, mean of 50, so b = 4 pp (and clamped, which biases it: policy_words says so).
OLD_APP = Preset(LEGACY, "reading", 0.5, 3_600, 3_600)
NAMES: tuple[str, ...] = (*PRESETS, CUSTOM, LEGACY)


@dataclass(frozen=True, slots=True)
class Policy:
    """What is averaged together.

    Attributes:
        presets: accepted settings, `legacy` among them if old files count; all of one slot length.
    """

    presets: tuple[Preset, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Their names; several custom settings share one."""
        return tuple(dict.fromkeys(p.name for p in self.presets))

    @property
    def slot_seconds(self) -> int:
        """The one slot length."""
        return self.presets[0].slot_seconds

    @property
    def legacy(self) -> Preset | None:
        """The setting that stands for old two-key files, or None when they are not accepted."""
        return next((p for p in self.presets if p.name == LEGACY), None)


def make(names: tuple[str, ...], customs: tuple[Preset, ...]) -> Policy:
    """The policy of those presets.

    Raises:
        SettingsError: an unknown name, `custom` without its settings or the reverse, or unequal slot lengths.
    """
    unknown = [name for name in names if name not in NAMES]
    if unknown or not names:
        raise SettingsError(f"CPUTRACKER_POLICY lists {', '.join(unknown) or 'nothing'}; allowed: {', '.join(NAMES)}")
    if (CUSTOM in names) != bool(customs):
        raise SettingsError(
            "CPUTRACKER_POLICY lists custom only together with CPUTRACKER_POLICY_CUSTOM, which gives each in full"
        )
    presets = [PRESETS[name] for name in dict.fromkeys(names) if name in PRESETS] + list(customs)
    if LEGACY in names:
        slot = presets[0].slot_seconds if presets else OLD_APP.slot_seconds
        presets.append(dataclasses.replace(OLD_APP, sample_seconds=slot, slot_seconds=slot))
    if len({p.slot_seconds for p in presets}) != 1:
        lengths = ", ".join(f"{p.name} {p.slot_seconds} s" for p in presets)
        raise SettingsError(f"CPUTRACKER_POLICY mixes slot lengths ({lengths}); allowed: presets of one slot length")
    return Policy(tuple(presets))


def custom(fields: dict[str, object]) -> Preset:
    """A custom setting from its JSON object: unit, epsilon, sample_seconds, slot_seconds, n, interval_ms, lower, upper.

    `lower` and `upper` are whole percent.

    Raises:
        SettingsError: a field is missing, unknown or not allowed.
    """
    wanted = {"unit", "epsilon", "sample_seconds", "slot_seconds", "n", "interval_ms", "lower", "upper"}
    if set(fields) != wanted:
        raise SettingsError(f"CPUTRACKER_POLICY_CUSTOM: each entry needs exactly {', '.join(sorted(wanted))}")
    unit, epsilon = fields.pop("unit"), fields.pop("epsilon")
    number = isinstance(epsilon, int | float) and not isinstance(epsilon, bool)
    if unit not in UNITS or not number or not math.isfinite(epsilon) or epsilon <= 0:  # type: ignore[arg-type,operator]
        raise SettingsError(f"CPUTRACKER_POLICY_CUSTOM: unit is one of {', '.join(UNITS)}, epsilon a number above 0")
    whole = {name: value for name, value in fields.items() if type(value) is int and value >= 0}
    if len(whole) != len(fields):
        raise SettingsError(f"CPUTRACKER_POLICY_CUSTOM: {', '.join(sorted(set(fields) - set(whole)))} must be whole")
    lower, upper = whole.pop("lower"), whole.pop("upper")
    preset = Preset(CUSTOM, str(unit), float(epsilon), lower_percent=lower, upper_percent=upper, **whole)  # type: ignore[arg-type]
    if not 0 < preset.sample_seconds <= preset.slot_seconds or not preset.n or not preset.interval_ms:
        raise SettingsError("CPUTRACKER_POLICY_CUSTOM: lengths, n and interval_ms are above 0, sample <= slot")
    if preset.slot_seconds % preset.sample_seconds or DAY_SECONDS % preset.slot_seconds or preset.covers_ms <= 0:
        raise SettingsError(
            "CPUTRACKER_POLICY_CUSTOM: slot_seconds is a multiple of sample_seconds and divides 86400, and a window of"
            " n readings leaves something of a sample interval to cover"
        )
    if not 0 <= lower < upper <= 100:  # noqa: PLR2004 - percent
        raise SettingsError("CPUTRACKER_POLICY_CUSTOM: 0 <= lower < upper <= 100 (whole percent)")
    return preset
