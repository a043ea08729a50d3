"""Every number of docs/privacy.md, computed. `--write` puts them into the document, between its markers.

python bench/privacy.py [--write]
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "publisher")]

from opendp.combinators import make_zCDP_to_approxDP  # noqa: E402 - the paths above come first
from opendp.domains import atom_domain  # noqa: E402
from opendp.measurements import make_gaussian  # noqa: E402
from opendp.metrics import absolute_distance  # noqa: E402
from tests.audit.pld import pld_epsilon  # noqa: E402

from cpu_publisher import accounting, budget, guarantee, observer, preview, settings  # noqa: E402
from cpu_publisher.guarantee import number, two_digits  # noqa: E402
from cpu_publisher.presets import PRESETS  # noqa: E402

DOCUMENT = ROOT / "docs" / "privacy.md"
HOUR, WINDOW, DAY, READING = (PRESETS[name] for name in ("hour", "window", "day", "reading"))
SIGMA = math.sqrt(2)  # of Laplace noise, in units of b


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def promise() -> str:
    """The default's guarantee as the program writes it."""
    return "> " + guarantee.sentence(HOUR, budget.default_cap_micro(HOUR))


def every_promise() -> str:
    """One line a preset."""
    return "\n".join(f"- `{name}`: {guarantee.short(preset)}" for name, preset in PRESETS.items())


def presets() -> str:
    """The table of `cpu-publisher preview`."""
    looks = preview.outlooks(settings.read({}), preview.NETWORKS)
    rows = [[label.strip(), *cells] for label, cells in preview.rows(looks, preview.NETWORKS)]
    return table(["", *(look.name for look in looks)], rows)


def watched() -> str:
    """How often an observer is right after m windows that were all idle or all busy."""
    lengths = (1, 2, 3, 6, 12, 24, 60, 288)
    shown = (HOUR, WINDOW, PRESETS["window-fast"], DAY, READING)
    rows = [[number(m), *(preview.percent(observer.right_after(preset, m)) for preset in shown)] for m in lengths]
    return table(["windows", *(f"`{preset.name}`" for preset in shown)], rows)


def longer() -> str:
    """What activity over m windows costs."""
    rows = []
    for m in (1, 2, 3, 6, 12, 72, 288):
        seconds = guarantee.stretch_seconds(WINDOW, m)
        stretch = f"{number(seconds)} s" if seconds < 3_600 else f"{seconds / 3_600:.1f} h"
        pooled = [12.0] * (m // 12) + [float(m % 12)] * (m % 12 > 0)
        bounds = [accounting.renyi_epsilon(ratios) for ratios in (pooled, [1.0] * m)]
        rows.append(
            [
                number(m),
                stretch,
                number(guarantee.longer_epsilon(WINDOW, m)),
                *(number(guarantee.round_up(bound)) for bound in bounds),
            ]
        )
    head = ["windows touched", "a stretch shorter than", "ε (pure)", "`hour` at δ = 10⁻⁶", "`window` at δ = 10⁻⁶"]
    return table(head, rows)


def accounts() -> str:
    """A day of `hour` and of `window`, by four ways of adding up."""
    rows = []
    for preset in (HOUR, WINDOW):
        slot = budget.spend_micro(preset, preset.windows_per_slot) / budget.MICRO
        times = preset.slots_per_day
        sigma = 12 / math.sqrt(times * slot**2)  # a Gaussian of the same zCDP, ε²/2 a release
        gaussian: Any = make_gaussian(atom_domain(T="i64"), absolute_distance(T="i64"), scale=sigma)
        approximate: Any = make_zCDP_to_approxDP(gaussian)
        exact = pld_epsilon(slot, times, accounting.DELTA, step=1e-3)
        renyi = accounting.renyi_epsilon([slot] * times)
        zcdp = min(times * slot, approximate.map(12).epsilon(accounting.DELTA))
        rows.append(
            [
                f"`{preset.name}`",
                f"{times} of ε = {number(slot)}",
                number(times * slot),
                f"{exact:.1f}",
                number(guarantee.round_up(renyi)),
                f"{zcdp:.1f}",
            ]
        )
    return table(
        ["preset", "releases", "pure", "exact (loss distribution)", "Rényi (what we show)", "zCDP (OpenDP)"], rows
    )


def errors() -> str:
    """Standard error of the network mean of an hour, by what is done with the twelve windows."""
    sigma_window = SIGMA * budget.scale_pp(WINDOW, 1)
    depth = math.ceil(math.log2(WINDOW.slots_per_day)) + 1
    per_hour = 12
    ways = [
        ("twelve windows pooled, noise once on the sum (`hour`)", SIGMA * budget.scale_pp(HOUR, per_hour)),
        ("one window, released alone (`window`)", sigma_window),
        ("mean of twelve single releases", sigma_window / math.sqrt(per_hour)),
        (
            f"binary tree over the day, ε = 1 a window over {depth} levels, an hour out of 2 nodes",
            SIGMA * sigma_window * depth / per_hour,
        ),
        ("ε = 1 for a whole day, hourly", sigma_window * HOUR.slots_per_day),
        ("ε = 1 for a whole day, once a day", sigma_window),
    ]
    networks = (1, 10, 100, 1_000, 10_000)
    rows = [[what, *(two_digits(sigma / math.sqrt(n)) for n in networks)] for what, sigma in ways]
    return table(["one value an hour from …, standard error in points", *(f"N = {number(n)}" for n in networks)], rows)


def units() -> str:
    """What one ε stands for, by unit."""
    hidden_day = (
        f"any workload: its window is at ε = {number(guarantee.window_epsilon(READING))}, a day of"
        f" {number(READING.slots_per_day)} windows at {number(budget.default_cap_micro(READING) / budget.MICRO)}"
    )
    rows = [
        [
            "reading",
            f"{READING.d_in(1) / 100:g} points",
            f"one reading of {READING.interval_ms / 1_000} s",
            hidden_day,
        ],
        [
            "window",
            f"{HOUR.d_in(1) / 100:g} points",
            f"any stretch shorter than {HOUR.covers_ms // 1_000} s",
            "activity over m windows: m·ε",
        ],
        [
            "participant-day",
            f"{DAY.d_in(1) / 100:g} points a window",
            "the profile of one UTC day",
            "a lifetime: the budget renews each day",
        ],
    ]
    return table(["unit", "moves by", "one ε hides", "it does not hide"], rows)


def lengths() -> str:
    """Where covers_seconds comes from."""
    rows = []
    for sample in (300, 60, 20):
        preset = next(p for p in PRESETS.values() if p.sample_seconds == sample)
        rows.append(
            [
                f"{sample} s",
                f"{preset.longest_span_ms / 1_000:g} s",
                f"{preset.margin_ms / 1_000:g} s",
                f"{preset.covers_ms // 1_000} s",
            ]
        )
    return table(["sample interval", "longest span of a window", "margin", "covered stretch"], rows)


BLOCKS = {
    "promise": promise,
    "every promise": every_promise,
    "presets": presets,
    "watched": watched,
    "units": units,
    "longer": longer,
    "lengths": lengths,
    "accounts": accounts,
    "errors": errors,
}


def fill(text: str) -> str:
    """`text` with each marked block computed anew."""
    for name, block in BLOCKS.items():
        start, end = f"<!-- bench/privacy.py: {name} -->\n", "<!-- end -->"
        pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
        computed = f"{start}{block()}\n{end}"
        text, count = pattern.subn(computed.replace("\\", r"\\"), text)
        if count != 1:
            raise SystemExit(f"{DOCUMENT.name}: marker {start.strip()!r} found {count} times")
    return text


def main() -> None:
    """Print, or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"fill {DOCUMENT.relative_to(ROOT)}")
    if parser.parse_args().write:
        DOCUMENT.write_text(fill(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        for name, block in BLOCKS.items():
            print(f"## {name}\n\n{block()}\n")


if __name__ == "__main__":
    main()
