"""Named privacy settings, and the lengths that follow from any of them. Pure."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, get_args

from cpu_publisher.errors import SettingsError

Unit = Literal["reading", "window", "participant-day"]
UNITS: tuple[Unit, ...] = get_args(Unit)
DAY_SECONDS = 86_400
CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class Preset:
    """One privacy setting, complete.

    Attributes:
        name: its name, or `custom` once any value differs from the named one.
        unit: what one ε hides.
        epsilon: ε of one release for one unit (pure).
        sample_seconds: length of a sample interval; divides slot_seconds.
        slot_seconds: length of a slot; divides 86,400.
        n: readings of a window.
        interval_ms: length of a reading.
        lower_percent, upper_percent: clip bounds of a reading, whole percent.
        one_window_a_day: accept only the window of one sample interval of each UTC day, drawn with the ledger.
    """

    name: str
    unit: Unit
    epsilon: float
    sample_seconds: int
    slot_seconds: int
    n: int = 50
    interval_ms: int = 100
    lower_percent: int = 0
    upper_percent: int = 100
    one_window_a_day: bool = False

    @property
    def lower(self) -> int:
        """Lower clip bound in hundredths of a percent."""
        return 100 * self.lower_percent

    @property
    def upper(self) -> int:
        """Upper clip bound in hundredths of a percent."""
        return 100 * self.upper_percent

    @property
    def delta(self) -> int:
        """Δ: what one window can move the sum by, in hundredths of a percent. The clip makes it exact."""
        return self.upper - self.lower

    @property
    def windows_per_slot(self) -> int:
        """Windows of a full slot."""
        return 1 if self.one_window_a_day else self.slot_seconds // self.sample_seconds

    @property
    def slots_per_day(self) -> int:
        """Slots of a UTC day."""
        return DAY_SECONDS // self.slot_seconds

    @property
    def lateness_ms(self) -> int:
        """How much longer than n·interval a window may take: min(3 s, 0.15·sample)."""
        return min(3_000, 150 * self.sample_seconds)

    @property
    def longest_span_ms(self) -> int:
        """Longest span of a window that is believed."""
        return self.n * self.interval_ms + self.lateness_ms

    @property
    def margin_ms(self) -> int:
        """What rounding of the two clocks may take: min(0.5 s, 0.025·sample)."""
        return min(500, 25 * self.sample_seconds)

    @property
    def covers_ms(self) -> int:
        """Least distance from the end of one accepted window to the start of the next.

        Rounded down to 1 s, to 1 ms below a sample of 10 s. Not positive: the settings are refused.
        """
        exact = 1_000 * self.sample_seconds - self.longest_span_ms - self.margin_ms
        return exact if self.sample_seconds < 10 else exact // 1_000 * 1_000  # noqa: PLR2004 - the 10 s above

    @property
    def covers_seconds(self) -> float | None:
        """What the guarantee says of time: window: covers_ms; reading: 0 (any moment can touch two readings).

        None for the participant-day, whose horizon is one UTC day.
        """
        if self.unit == "participant-day":
            return None
        if self.unit == "reading":
            return 0
        return self.covers_ms / 1_000 if self.covers_ms % 1_000 else self.covers_ms // 1_000

    def d_in(self, k: int) -> int:
        """How far one unit can move the sum of `k` pooled window means, in hundredths of a percent.

        reading: ⌈Δ/n⌉, exact for integer readings and integer means; window: Δ; participant-day: k·Δ.
        """
        if self.unit == "reading":
            return -(-self.delta // self.n)
        return self.delta if self.unit == "window" else k * self.delta

    @property
    def fingerprint(self) -> str:
        """Text that is equal for two settings only if everything the pool rests on is equal."""
        fields = dataclasses.asdict(self)
        return " ".join(f"{key}={fields[key]}" for key in sorted(fields) if key != "name")


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
DEFAULT_PRESET = "hour"


def customise(base: Preset, **changes: object) -> Preset:
    """`base` with some values changed, under the name `custom` unless nothing differs.

    Raises:
        SettingsError: the result is not a setting that can hold its guarantee.
    """
    changed = dataclasses.replace(base, **changes)  # type: ignore[arg-type] # values are checked below
    if changed != base:
        changed = dataclasses.replace(changed, name=CUSTOM)
    check(changed)
    return changed


def check(preset: Preset) -> None:
    """Refuse settings whose guarantee could not hold.

    Raises:
        SettingsError: names the setting, its value and what is allowed.
    """
    if preset.unit not in UNITS:
        raise SettingsError(f"CPUTRACKER_UNIT is {preset.unit!r}; allowed: {', '.join(UNITS)}")
    if not math.isfinite(preset.epsilon) or preset.epsilon <= 0:
        raise SettingsError(f"CPUTRACKER_EPSILON is {preset.epsilon}; allowed: a number above 0")
    if preset.slot_seconds % preset.sample_seconds or DAY_SECONDS % preset.slot_seconds:
        raise SettingsError(
            f"CPUTRACKER_SLOT_SECONDS is {preset.slot_seconds}, CPUTRACKER_SAMPLE_SECONDS {preset.sample_seconds};"
            " allowed: a slot that is a multiple of the sample interval and divides 86400"
        )
    if not 0 <= preset.lower_percent < preset.upper_percent <= 100:  # noqa: PLR2004 - percent
        raise SettingsError(
            f"CPUTRACKER_LOWER is {preset.lower_percent}, CPUTRACKER_UPPER {preset.upper_percent};"
            " allowed: 0 <= lower < upper <= 100"
        )
    if preset.covers_ms <= 0:
        raise SettingsError(
            f"a window of {preset.n} readings of {preset.interval_ms} ms may last {preset.longest_span_ms} ms and"
            f" leaves nothing of a sample interval of {preset.sample_seconds} s to cover; raise"
            " CPUTRACKER_SAMPLE_SECONDS or lower CPUTRACKER_READINGS or CPUTRACKER_INTERVAL_MS"
        )
