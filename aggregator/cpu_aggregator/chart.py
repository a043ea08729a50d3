"""The network mean as SVG, pure: bands, lines, gaps, and each value in a `<title>`.

Positions are percentages of the drawing, so that text keeps its size on a phone and on a desk. Colours come from the
page's style sheet by class.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cpu_aggregator.view import Estimate, Point

HEIGHT = 280
TWO_DAYS = 2 * 86_400
LEAST_SPAN_PP = 10  # else a quiet day would look like a wild one
FEW = 48  # points that are drawn each; of more, only the one that is pointed at
_SIZE = 1_000  # of the plot's own coordinates


def number(value: float, digits: int = 1) -> str:
    """`value` for people: a true minus sign, and none on a zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that span `low` to `high` (low < high), some `about` of them, in steps of 1, 2 or 5 times 10^i."""
    span = high - low
    power = 10 ** math.floor(math.log10(span / about))
    step = next(s * power for s in (1, 2, 5, 10) if span / (s * power) <= about)
    return [i * step for i in range(math.floor(low / step), math.ceil(high / step) + 1)]


def interval(value: float, noise_pp: float, total_pp: float | None) -> str:
    """The mean with its one or two intervals over 0 to 100 %."""
    outer = noise_pp if total_pp is None else max(noise_pp, total_pp)
    left, right = min(0.0, value - outer), max(100.0, value + outer)

    def at(percent: float) -> float:
        return 1 + 98 * (percent - left) / (right - left)

    def reach(half: float, kind: str) -> str:
        low, high = at(value - half), at(value + half)
        return f'<rect class="{kind}" x="{low:.2f}%" y="17" width="{high - low:.2f}%" height="10" rx="5"/>'

    title = f"{number(value)} % ± {number(noise_pp)} noise"
    title += "" if total_pp is None else f", ± {number(total_pp)} noise and sampling"
    # The labels of 0 and 100 go inside the range where it is long enough for both, else outside.
    zero, full = ("start", "end") if right - left < 250 else ("end", "start")  # noqa: PLR2004 - in percent
    return (
        f'<svg class="interval" role="img" width="100%" height="56"><title>{title}</title>'
        f'<rect class="track" x="{at(0):.2f}%" y="12" width="{at(100) - at(0):.2f}%" height="20" rx="6"/>'
        + ("" if total_pp is None else reach(total_pp, "total"))
        + reach(noise_pp, "noise")
        + f'<circle class="dot" cx="{at(value):.2f}%" cy="22" r="7"/>'
        f'<text class="{zero}" x="{at(0):.2f}%" y="51">0 %</text>'
        f'<text class="{full}" x="{at(100):.2f}%" y="51">100 %</text></svg>'
    )


def history(points: Sequence[Point], start: float, end: float, title: str) -> str:
    """Means with both bands from `start` to `end` (unix seconds). Where nothing was computed there is nothing."""
    runs = list(_runs(points))
    edges = [edge for run in runs for _, e in run for edge in _edges(e)] or [0.0, 100.0]
    low, high = min(edges), max(edges)
    margin = max(0.0, LEAST_SPAN_PP - (high - low)) / 2
    marks = ticks(low - margin, high + margin)
    bottom, top = marks[0], marks[-1]

    def across(unix: float) -> float:
        return _SIZE * (unix - start) / (end - start)

    def up(percent: float) -> float:
        return _SIZE * (top - percent) / (top - bottom)

    def line(kind: str, value: Callable[[Estimate], float]) -> str:
        return "".join(
            f'<polyline class="{kind}" points="{_path(run, value, across, up)}"/>' for run in map(_wide, runs)
        )

    def band(kind: str, half: Callable[[Estimate], float]) -> str:
        return "".join(
            f'<polygon class="{kind}" points="{_path(run, lambda e: e.headline + half(e), across, up)}'
            f' {_path(run[::-1], lambda e: e.headline - half(e), across, up)}"/>'
            for run in map(_wide, runs)
        )

    shapes = band("total", lambda e: e.noise_pp if e.total_pp is None else e.total_pp) + band(
        "noise", lambda e: e.noise_pp
    )
    shapes += line("smoothed", lambda e: e.smoothed) + line("mean", lambda e: e.headline)
    grid = "".join(
        f'<line class="grid" x2="100%" y1="{up(y) / 10:.1f}%" y2="{up(y) / 10:.1f}%"/>'
        f'<text class="end" x="-8" y="{up(y) / 10:.1f}%" dy="4">{number(y, 0)} %</text>'
        for y in marks
    )
    dots = "".join(
        f'<circle cx="{across(_middle(p)) / 10:.1f}%" cy="{up(e.headline) / 10:.1f}%">'
        f"<title>{_when(p.slot, TWO_DAYS)}: {number(e.headline)} ± {number(e.noise_pp)}</title></circle>"
        for run in runs
        for p, e in run
    )
    length = end - start
    labels = "".join(
        f'<text class="{side}" x="{part:.0%}" y="{HEIGHT + 40}">{_when(start + part * length, length)}</text>'
        for part, side in ((0, "start"), (0.5, "middle"), (1, "end"))
    )
    return (
        f'<svg class="history" role="img" width="100%" height="{HEIGHT + 48}"><title>{escape(title)}</title>'
        f'<svg y="20" width="100%" height="{HEIGHT}">{grid}'
        f'<svg viewBox="0 0 {_SIZE} {_SIZE}" preserveAspectRatio="none">{shapes}</svg>'
        f'<g class="{"dots few" if len(points) <= FEW else "dots"}">{dots}</g></svg>{labels}</svg>'
    )


def _edges(e: Estimate) -> tuple[float, ...]:
    half = e.noise_pp if e.total_pp is None else max(e.noise_pp, e.total_pp)
    return e.headline - half, e.headline + half, e.smoothed


def _middle(p: Point) -> float:
    return p.slot + p.span_seconds / 2


def _when(unix: float, span: float) -> str:
    """Time of day for a short span, day and time at `TWO_DAYS`, the day for a longer one."""
    style = "%H:%M" if span < TWO_DAYS else "%-d %b %H:%M" if span == TWO_DAYS else "%-d %b"
    return f"{datetime.fromtimestamp(unix, UTC):{style}}"


def _runs(points: Sequence[Point]) -> Iterator[list[tuple[Point, Estimate]]]:
    """Points without a gap between them: each begins where the one before ended, and each has an estimate."""
    run: list[tuple[Point, Estimate]] = []
    for point in points:
        if point.estimate is None:
            continue
        if run and point.slot > run[-1][0].end:
            yield run
            run = []
        run.append((point, point.estimate))
    if run:
        yield run


def _wide(run: list[tuple[Point, Estimate]]) -> list[tuple[float, Estimate]]:
    """(x, estimate): at each slot's middle, and out to the run's two ends, so that a slot alone is seen too."""
    (first, e), (last, f) = run[0], run[-1]
    return [(first.slot, e), *((_middle(p), g) for p, g in run), (last.end, f)]


def _path(
    run: Sequence[tuple[float, Estimate]],
    value: Callable[[Estimate], float],
    across: Callable[[float], float],
    up: Callable[[float], float],
) -> str:
    return " ".join(f"{across(x):.0f},{up(value(e)):.0f}" for x, e in run)
