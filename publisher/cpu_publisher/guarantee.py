"""The guarantee in words and in the public file. Nothing else of the project writes it, and no number is typed in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cpu_publisher import budget
from cpu_publisher.accounting import DELTA, MICRO, day_ratios, renyi_epsilon
from cpu_publisher.presets import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpu_publisher.presets import Preset

_PLAIN_BELOW = 10  # e^ε below e^10 is written out, above as a power of ten


def sentence(preset: Preset, cap_micro: int) -> str:
    """What is promised, and what is not, for any setting."""
    return f"{_promise(preset, cap_micro)} {_longer(preset)} {_day(preset, cap_micro)} {_NOT_HIDDEN}"


def short(preset: Preset) -> str:
    """One line: ε, its unit and its horizon."""
    day = number(budget.default_cap_micro(preset) / MICRO)
    epsilon = number(preset.epsilon)
    if preset.unit == "participant-day":
        return f"ε = {day} per participant-day (one UTC day); as much again with each further day"
    if preset.unit == "reading":
        return (
            f"ε = {epsilon} per reading of {number(preset.interval_ms / 1_000)} s; {_mark(preset)};"
            f" ε up to {day} per 24 h of slots"
        )
    return (
        f"ε = {epsilon} per window (any stretch shorter than {number(preset.covers_ms / 1_000)} s);"
        f" ε up to {day} per 24 h of slots"
    )


def consent(preset: Preset, cap_micro: int, *, email: str, aggregators: Sequence[str], embedded: bool) -> str:
    """What a person must know before anything is published: the guarantee, and who will be able to read the file."""
    if embedded:
        readers = (
            "The file stays in a volume of this machine: no SyftBox datasite is set, so nobody else can read it until"
            " you set one."
        )
    else:
        readers = (
            f"The file goes into the datasite of {email}; able to read it will be {email}, {', '.join(aggregators)},"
            " and whoever runs the SyftBox server that stores it; treat it as public."
        )
    return f"{sentence(preset, cap_micro)}\n{readers}"


def block(preset: Preset, k: int, spent_micro: int, cap_micro: int) -> dict[str, object]:
    """The `guarantee` object of the public file (docs/wire-contract.md) for a release of `k` windows."""
    return {
        "unit": preset.unit,
        "covers_seconds": preset.covers_seconds,
        "sensitivity_pp": budget.sensitivity_pp(preset, k),
        "epsilon": unit_epsilon(preset, cap_micro),
        "delta": 0,
        "epsilon_24h_spent": spent_micro / MICRO,
        "epsilon_24h_cap": cap_micro / MICRO,
    }


def unit_epsilon(preset: Preset, cap_micro: int) -> float:
    """ε of one whole unit: one release, or all releases of a UTC day, which the cap may keep lower."""
    if preset.unit != "participant-day":
        return preset.epsilon
    return min(preset.slots_per_day * preset.epsilon, cap_micro / MICRO)


def day_epsilon(preset: Preset, cap_micro: int) -> float:
    """Pure ε at full range of the values of any 24 consecutive UTC hours."""
    return min(budget.default_cap_micro(preset), cap_micro) / MICRO


def any_day_epsilon(preset: Preset, cap_micro: int) -> float:
    """The same for 24 h of activity that begin at any moment.

    They can touch one more sample interval (participant-day: one more slot), and one more slot than the cap counts.
    """
    slot = budget.spend_micro(preset, preset.windows_per_slot)
    one_more = slot if preset.unit == "participant-day" else budget.spend_micro(preset, 1)
    return min(budget.default_cap_micro(preset) + one_more, cap_micro + slot) / MICRO


def day_renyi_epsilon(preset: Preset, cap_micro: int) -> float:
    """(ε, δ = 10⁻⁶) by Rényi accounting, at full range, of the costliest 24 h of slots that the cap allows."""
    return renyi_epsilon(day_ratios(preset, budget.spend_micro(preset, preset.windows_per_slot), cap_micro))


def window_epsilon(preset: Preset) -> float:
    """Pure ε of one whole window at full range, whatever the unit."""
    return budget.spend_micro(preset, 1) / MICRO


def stretch_seconds(preset: Preset, windows: int) -> float:
    """Activity shorter than this touches at most so many windows: they start covers_ms after the last one's end."""
    return (windows * preset.covers_ms + (windows - 1) * preset.n * preset.interval_ms) / 1_000


def longer_epsilon(preset: Preset, windows: int) -> float:
    """Pure ε at full range of activity that touches so many consecutive windows, wherever it starts."""
    if preset.unit != "participant-day":
        return windows * window_epsilon(preset)
    slots = min(windows, -(-(windows - 1) // preset.windows_per_slot) + 1)
    return slots * preset.epsilon


def round_up(value: float) -> float:
    """To one decimal, so that a bound stays one."""
    return math.ceil(10 * value) / 10


def number(value: float) -> str:
    """A number as people write it: 0.5, 12, 108,000."""
    return f"{value:,.10g}"


def two_digits(value: float) -> str:
    """A measured or rounded number, to two digits: 24.96 -> `25`, 599.1 -> `600`."""
    return number(float(f"{value:.2g}"))


def power_of_ten(value: float) -> str:
    """1e-6 -> `10⁻⁶`."""
    return "10" + str(round(math.log10(value))).translate(_SUPERSCRIPT)


def duration(seconds: int) -> str:
    """300 -> `5 minutes`, 3600 -> `hour`: fits after `each`."""
    for size, name in ((DAY_SECONDS, "day"), (3_600, "hour"), (60, "minute")):
        if seconds % size == 0:
            return name if seconds == size else f"{seconds // size} {name}s"
    return f"{seconds} s"


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_NOT_HIDDEN = (
    "That this computer takes part, and when it is online, is not hidden. The total loss grows for as long as the app"
    " runs."
)
_EVERYONE = "against everyone who can read the file, the aggregator included"


def _times(epsilon: float) -> str:
    """The factor e^ε in words."""
    power = "e" if epsilon == 1 else f"e^{number(epsilon)}"
    if epsilon < _PLAIN_BELOW:
        return f"{power} ≈ {two_digits(math.exp(epsilon))} times"
    exponent, rest = divmod(epsilon / math.log(10), 1)
    return f"{power} ≈ {10**rest:.1f}·10{f'{exponent:.0f}'.translate(_SUPERSCRIPT)} times"


def _promise(preset: Preset, cap_micro: int) -> str:
    window = f"{number(preset.n * preset.interval_ms / 1_000)} s"
    each = duration(DAY_SECONDS if preset.one_window_a_day else preset.sample_seconds)
    if preset.unit == "window":
        return (
            f"Every published number is ε = {number(preset.epsilon)} differentially private for one window (the"
            f" {window} measured in each {each}) {_EVERYONE}: whatever this computer did in any stretch shorter than"
            f" {number(preset.covers_ms / 1_000)} s, all else as it was, everything ever published is at most"
            f" {_times(preset.epsilon)} more or less likely than if the CPU had been idle or fully busy instead."
        )
    if preset.unit == "reading":
        return (
            f"Every published number is ε = {number(preset.epsilon)} differentially private for one reading of"
            f" {number(preset.interval_ms / 1_000)} s {_EVERYONE}: whatever the CPU did in that reading, all else as it"
            f" was, everything ever published is at most {_times(preset.epsilon)} more or less likely than if it had"
            f" been idle or fully busy instead. {_mark(preset).capitalize()}."
        )
    epsilon = unit_epsilon(preset, cap_micro)
    return (
        f"Everything published about one UTC day is ε = {number(epsilon)} differentially private for that whole"
        f" participant-day {_EVERYONE}: whatever this computer did from 00:00 to 24:00 UTC, all else as it was,"
        f" everything ever published is at most {_times(epsilon)} more or less likely than if the CPU had been idle or"
        " fully busy instead."
    )


def _mark(preset: Preset) -> str:
    """What a setting whose unit is the reading has to carry wherever it is named."""
    return f"window ε = {number(window_epsilon(preset))}, hides no workload"


def _longer(preset: Preset) -> str:
    k = preset.windows_per_slot
    error = two_digits(budget.error95_pp(preset, k))
    if preset.unit == "participant-day":
        what = "the window of a day" if preset.one_window_a_day else f"an average of {duration(preset.slot_seconds)}"
        return (
            f"Each value costs ε = {number(preset.epsilon)} of that and shows {what} within ± {error} points in 95 of"
            " 100 cases; activity over m days is protected by m times the ε of one day only."
        )
    if preset.unit == "reading":
        shows = f"each value shows its windows within ± {error} points in 95 of 100 cases."
        return f"Activity over m windows is protected by m·{number(window_epsilon(preset))} only: {shows}"
    if k == 1:
        shows = f"one value shows its window within ± {error} points in 95 of 100 cases."
    else:
        alone = two_digits(budget.error95_pp(preset, 1))
        name = duration(preset.slot_seconds)
        shows = (
            f"the average of each {name} shows, within ± {error} points in 95 of 100 cases with all {k} windows"
            f" (± {alone}/k with k)."
        )
    return f"Activity over m windows is protected by m·ε only: {shows}"


def _day(preset: Preset, cap_micro: int) -> str:
    renyi = round_up(day_renyi_epsilon(preset, cap_micro))
    stays = "more than one day" if preset.unit == "participant-day" else "a day's profile"
    return (
        "For the values of any 24 consecutive UTC hours the total is at most"
        f" ε = {number(day_epsilon(preset, cap_micro))} at full range (the ledger's cap is {number(cap_micro / MICRO)};"
        f" any other 24 h of activity: {number(any_day_epsilon(preset, cap_micro))}; at δ = {power_of_ten(DELTA)} by"
        f" Rényi accounting {number(renyi)}): we do not promise that {stays} stays private."
    )
