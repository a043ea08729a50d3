"""`cpu-publisher preview`: what each preset would show, and how exact it would be, before anything is enabled."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cpu_publisher import budget, guarantee, observer, preview_page
from cpu_publisher.accounting import DELTA
from cpu_publisher.guarantee import duration, number, power_of_ten, two_digits
from cpu_publisher.presets import CUSTOM, PRESETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpu_publisher.presets import Preset
    from cpu_publisher.settings import Settings

NETWORKS = (10, 100, 1_000, 10_000)
SMOOTHING_SECONDS = 21_600
WATCHED_SECONDS = (
    300,
    900,
    1_800,
    3_600,
    7_200,
    10_800,
    21_600,
    43_200,
    86_400,
)  # how long the CPU was idle or busy, for the picture

LONGER = (1, 2, 3, 6, 12)  # windows


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one preset means. Errors are half-widths of 95 % intervals, percentage points; `right` is a probability.

    Attributes:
        chosen: True for the setting in force.
        value_seconds: a value every so many seconds.
        file_error95_pp: of one host's value with all windows of its slot.
        network_error95_pp, smoothed_error95_pp: {participants: of the network's mean, plain and smoothed}.
        right_window, right_slot, right_day: that one observer is right about idle or busy; guessing gives 0.5.
        right_watched: the same for an idle or busy stretch of so many seconds from a slot's start.
        epsilon_24h, epsilon_any_24h, epsilon_24h_delta: at full range, of 24 h of slots, of any 24 h, and at
            accounting.DELTA.
        cap_24h: the ledger's cap.
        longer: [windows touched, by activity shorter than so many seconds, pure ε of it at full range].
        guarantee: in words.
    """

    name: str
    chosen: bool
    unit: str
    epsilon: float
    covers_seconds: float | None
    value_seconds: int
    windows_per_slot: int
    file_error95_pp: float
    network_error95_pp: dict[int, float]
    smoothed_error95_pp: dict[int, float]
    right_window: float
    right_slot: float
    right_day: float
    right_watched: dict[int, float]
    epsilon_24h: float
    epsilon_any_24h: float
    epsilon_24h_delta: float
    cap_24h: float
    longer: list[tuple[int, float, float]]
    guarantee: str


def outlook(preset: Preset, cap_micro: int, networks: Sequence[int], *, chosen: bool) -> Outlook:
    """Everything that can be said of a setting beforehand."""
    k = preset.windows_per_slot
    return Outlook(
        name=preset.name,
        chosen=chosen,
        unit=preset.unit,
        epsilon=preset.epsilon,
        covers_seconds=preset.covers_seconds,
        value_seconds=preset.slot_seconds,
        windows_per_slot=k,
        file_error95_pp=budget.error95_pp(preset, k),
        network_error95_pp={n: observer.network_error95_pp(preset, n) for n in networks},
        smoothed_error95_pp={n: observer.smoothed_error95_pp(preset, n, SMOOTHING_SECONDS) for n in networks},
        right_window=observer.right_after(preset, 1),
        right_slot=observer.right_after(preset, k),
        right_day=observer.right_about_day(preset),
        right_watched={s: observer.right_after(preset, observer.windows_in(preset, s)) for s in WATCHED_SECONDS},
        epsilon_24h=guarantee.day_epsilon(preset, cap_micro),
        epsilon_any_24h=guarantee.any_day_epsilon(preset, cap_micro),
        epsilon_24h_delta=guarantee.day_renyi_epsilon(preset, cap_micro),
        cap_24h=cap_micro / budget.MICRO,
        longer=[(m, guarantee.stretch_seconds(preset, m), guarantee.longer_epsilon(preset, m)) for m in LONGER],
        guarantee=guarantee.sentence(preset, cap_micro),
    )


def outlooks(settings: Settings, networks: Sequence[int]) -> list[Outlook]:
    """Every preset, and the setting in force where it is none of them."""
    own = settings.preset
    own_cap = budget.cap_micro(own, settings.cap_micro)
    presets = [*PRESETS.values(), *([own] if own.name == CUSTOM else [])]
    return [
        outlook(p, own_cap if p is own else budget.default_cap_micro(p), networks, chosen=p is own)
        for p in (own if p.name == own.name else p for p in presets)
    ]


def rows(looks: Sequence[Outlook], networks: Sequence[int]) -> list[tuple[str, list[str]]]:
    """The table: (what, one text a preset)."""
    hours = duration(SMOOTHING_SECONDS)
    table = [
        ("unit of ε", [look.unit for look in looks]),
        ("it hides", [hides(look) for look in looks]),
        ("ε of one release", [number(look.epsilon) for look in looks]),
        ("one value each", [duration(look.value_seconds) for look in looks]),
        ("one file, ± points", [two_digits(look.file_error95_pp) for look in looks]),
    ]
    for n in networks:
        label = f"mean of {number(n)}, ± points"
        table.append((label, [two_digits(look.network_error95_pp[n]) for look in looks]))
        table.append((f"  smoothed over {hours}", [two_digits(look.smoothed_error95_pp[n]) for look in looks]))
    table += [
        ("observer right: one window", [percent(look.right_window) for look in looks]),
        ("observer right: one slot", [percent(look.right_slot) for look in looks]),
        ("observer right: one day", [percent(look.right_day) for look in looks]),
        ("ε per 24 h (full range)", [number(look.epsilon_24h) for look in looks]),
        (
            f"  at δ = {power_of_ten(DELTA)} (Rényi)",
            [number(guarantee.round_up(look.epsilon_24h_delta)) for look in looks],
        ),
        ("  cap of the ledger", [number(look.cap_24h) for look in looks]),
    ]
    return table


def percent(probability: float) -> str:
    """0.6967 -> `69.7 %`. Never 100 % for what is not certain."""
    shown = f"{100 * probability:.1f}"
    return "> 99.9 %" if shown == "100.0" else f"{shown} %"


def hides(look: Outlook) -> str:
    """What one ε hides, as a length of time."""
    if look.covers_seconds is None:
        return "one UTC day"
    return f"< {number(look.covers_seconds)} s" if look.covers_seconds else "no workload"


_OBSERVER = (
    "observer right: how often one who reads every file is right that this CPU was idle, or fully busy, all that time;"
    " guessing blindly gives 50 %."
)
NOTES = (
    "± : 95 of 100 values lie within; noise only. Smoothed values cover the equally smoothed truth only.",
    _OBSERVER,
    "ε per 24 h adds up every window at full range, whatever the unit; * marks the setting in force.",
)


def text(looks: Sequence[Outlook], networks: Sequence[int]) -> str:
    """The table for a terminal."""
    names = [f"{look.name} *" if look.chosen else look.name for look in looks]
    table = [("", names), *rows(looks, networks)]
    first = max(len(label) for label, _ in table)
    width = max(len(cell) for _, cells in table for cell in cells)
    lines = [f"{label:<{first}}  " + "  ".join(f"{cell:>{width}}" for cell in cells) for label, cells in table]
    own = next(look for look in looks if look.chosen)
    costs = [f"  shorter than {number(s):>5} s: at most {m:>2} windows, ε = {number(e)}" for m, s, e in own.longer]
    return "\n".join([*lines, "", *NOTES, "", f"What longer activity costs with {own.name}:", *costs])


def consent(settings: Settings) -> str:
    """What `make up` prints before anything is published."""
    return guarantee.consent(
        settings.preset,
        budget.cap_micro(settings.preset, settings.cap_micro),
        email=settings.email,
        aggregators=settings.aggregators,
        embedded=settings.embedded,
    )


def main(argv: Sequence[str], settings: Settings) -> int:
    """Run the command. Returns its exit code."""
    parser = argparse.ArgumentParser(prog="cpu-publisher preview", description=__doc__)
    parser.add_argument("--participants", type=_positive, metavar="N", help="also show a network of N")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--html", metavar="FILE", help="write a page with pictures to FILE (- for standard output)")
    form.add_argument("--consent", action="store_true", help="the guarantee and who will be able to read the file")
    args = parser.parse_args(argv)
    networks = sorted({*NETWORKS, *([args.participants] if args.participants else [])})
    if args.consent:
        answer = consent(settings)
    else:
        looks = outlooks(settings, networks)
        if args.json:
            document = {"smoothing_seconds": SMOOTHING_SECONDS, "presets": [dataclasses.asdict(look) for look in looks]}
            answer = json.dumps(document, indent=2, ensure_ascii=False)
        elif args.html:
            answer = preview_page.page(looks, rows(looks, networks), NOTES, args.participants or NETWORKS[0])
        else:
            answer = text(looks, networks)
    if args.html and args.html != "-":
        Path(args.html).write_text(answer, encoding="utf-8")
    else:
        sys.stdout.write(answer.rstrip("\n") + "\n")
    return 0


def _positive(value: str) -> int:
    if not value.isascii() or not value.isdecimal() or not 1 <= int(value) <= 10_000_000:  # noqa: PLR2004 - people
        raise argparse.ArgumentTypeError(f"{value!r}; allowed: a whole number from 1 to 10000000")
    return int(value)
