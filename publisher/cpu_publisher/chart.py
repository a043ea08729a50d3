"""Data to SVG, pure. Positions are percentages of the drawing, so that text keeps its size on a phone and on a desk.

Colours come from the page's style sheet by class; nothing here is script or inline style, and every text is escaped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PLOT_HEIGHT = 260
ROW_HEIGHT = 44


@dataclass(frozen=True, slots=True)
class Series:
    """A line. `points` are (x, y); a y of None is a gap. `kind` is its class in the style sheet: `a`, `b` or `c`."""

    name: str
    points: Sequence[tuple[float, float | None]]
    kind: str = "a"
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """A filled band between two edges; `points` are (x, low, high), None for a gap."""

    name: str
    points: Sequence[tuple[float, float | None, float | None]]
    kind: str = "a"


def number(value: float, digits: int = 1) -> str:
    """`value` for people: a true minus sign, and none on a zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that span `low` to `high`, some `about` of them, in steps of 1, 2 or 5 times a power of ten."""
    high = high if high > low else low + 1
    span = high - low
    power = 10 ** math.floor(math.log10(span / about))
    step = next(s * power for s in (1, 2, 5, 10) if span / (s * power) <= about)
    return [i * step for i in range(math.floor(low / step), math.ceil(high / step) + 1)]


def _svg(body: str, title: str, height: int, kind: str) -> str:
    return f'<svg class="{kind}" role="img" width="100%" height="{height}"><title>{escape(title)}</title>{body}</svg>'


def meter(value: float, maximum: float, title: str) -> str:
    """A bar filled to `value` of `maximum`; over three quarters it carries the class `high`."""
    part = min(max(value / maximum, 0.0), 1.0) if maximum > 0 else 0.0
    kind = "fill high" if part > 0.75 else "fill"  # noqa: PLR2004 - said above
    return _svg(
        '<rect class="track" width="100%" height="10" rx="5"/>'
        f'<rect class="{kind}" width="{100 * part:.2f}%" height="10" rx="5"/>',
        title,
        10,
        "meter",
    )


def interval_bar(value: float, half_width: float, title: str) -> str:
    """A value and its interval (percent) over the range from 0 to 100 that the truth lies in."""
    low, high = value - half_width, value + half_width
    left, right = min(0.0, low), max(100.0, high)

    def at(percent: float) -> float:
        return 2 + 96 * (percent - left) / (right - left)

    # Inside the range where it is long enough for both labels, else outside.
    zero, full = ("start", "end") if right - left < 250 else ("end", "start")  # noqa: PLR2004 - in percent
    return _svg(
        f'<rect class="track" x="{at(0):.2f}%" y="14" width="{at(100) - at(0):.2f}%" height="20" rx="6"/>'
        f'<rect class="range" x="{at(low):.2f}%" y="21" width="{at(high) - at(low):.2f}%" height="6" rx="3"/>'
        f'<circle class="dot" cx="{at(value):.2f}%" cy="24" r="8"/>'
        f'<text class="{zero}" x="{at(0):.2f}%" y="54">0 %</text>'
        f'<text class="{full}" x="{at(100):.2f}%" y="54">100 %</text>',
        title,
        60,
        "interval",
    )


def bar_rows(rows: Sequence[tuple[str, float, str]], title: str, *, log: bool = False) -> str:
    """Horizontal bars, one (label, value > 0, text of the value) a row; `log` for values of many sizes."""
    values = [math.log10(value) if log else value for _, value, _ in rows]
    floor = (min(values) - 1 if log else 0.0) if values else 0.0
    span = (max(values, default=1.0) - floor) or 1.0
    body = "".join(
        f"<g><title>{escape(f'{label}: {text}')}</title>"
        f'<text y="{y + 14}">{escape(label)}</text><text class="end" x="100%" y="{y + 14}">{escape(text)}</text>'
        f'<rect class="track" y="{y + 22}" width="100%" height="8" rx="4"/>'
        f'<rect class="fill" y="{y + 22}" width="{100 * (value - floor) / span:.2f}%" height="8" rx="4"/></g>'
        for (label, _, text), value, y in zip(rows, values, range(0, ROW_HEIGHT * len(rows), ROW_HEIGHT), strict=True)
    )
    return _svg(body, title, ROW_HEIGHT * len(rows), "rows")


def line_chart(
    series: Sequence[Series], bands: Sequence[Band], title: str, x_label: Callable[[float], str], unit: str = "%"
) -> str:
    """Lines and bands over a common x; gaps stay gaps. Empty data gives an empty plot from 0 to 100."""
    xs = [p[0] for s in series for p in s.points] + [p[0] for b in bands for p in b.points]
    ys = [p[1] for s in series for p in s.points if p[1] is not None]
    ys += [y for b in bands for p in b.points for y in p[1:] if y is not None]
    left, right = (min(xs), max(xs)) if xs else (0.0, 1.0)
    width = (right - left) or 1.0
    marks = ticks(min(ys, default=0.0), max(ys, default=100.0))
    bottom, top = marks[0], marks[-1]

    def across(x: float) -> float:
        return round(1_000 * (x - left) / width, 1)

    def up(y: float) -> float:
        return round(1_000 * (top - y) / (top - bottom), 1)

    shapes = "".join(_band(b, across, up) for b in bands) + "".join(_line(s, across, up) for s in series)
    grid = "".join(
        f'<line class="grid" x1="0" x2="100%" y1="{up(y) / 10}%" y2="{up(y) / 10}%"/>'
        f'<text class="end" x="-8" y="{up(y) / 10}%" dy="4">{number(y, 0)} {escape(unit)}</text>'
        for y in marks
    )
    labels = "".join(
        f'<text class="{side}" x="{part:.0%}" y="{PLOT_HEIGHT + 40}">{escape(x_label(left + part * width))}</text>'
        for part, side in ((0, ""), (0.5, "middle"), (1, "end"))
        if xs
    )
    dots = "".join(
        f'<circle class="dot {s.kind}" cx="{across(x) / 10}%" cy="{up(y) / 10}%" r="3.5">'
        f"<title>{escape(f'{s.name}, {x_label(x)}: {number(y)} {unit}')}</title></circle>"
        for s in series
        if s.dots
        for x, y in s.points
        if y is not None
    )
    body = (
        f'<svg y="20" width="100%" height="{PLOT_HEIGHT}" class="plot">{grid}'
        f'<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" class="plot">{shapes}</svg>{dots}</svg>{labels}'
    )
    return _svg(body, title, PLOT_HEIGHT + 48, "chart")


def _runs(points: Sequence[tuple[float | None, ...]]) -> list[list[tuple[float, ...]]]:
    """`points` cut at the gaps."""
    runs: list[list[tuple[float, ...]]] = [[]]
    for point in points:
        whole = tuple(value for value in point if value is not None)
        if len(whole) == len(point):
            runs[-1].append(whole)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _line(series: Series, across: Callable[[float], float], up: Callable[[float], float]) -> str:
    return "".join(
        f'<polyline class="line {series.kind}" points="{" ".join(f"{across(x)},{up(y)}" for x, y in run)}"/>'
        for run in _runs(series.points)
        if len(run) > 1
    )


def _band(band: Band, across: Callable[[float], float], up: Callable[[float], float]) -> str:
    return "".join(
        f'<polygon class="band {band.kind}" points="'
        + " ".join(
            [f"{across(x)},{up(high)}" for x, _, high in run] + [f"{across(x)},{up(low)}" for x, low, _ in run[::-1]]
        )
        + '"/>'
        for run in _runs(band.points)
    )
