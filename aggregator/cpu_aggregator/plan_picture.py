"""The plan as a picture: one self-contained HTML file with an SVG, no script. Pure."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpu_aggregator.plan import Row

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 720, 400, 64, 24, 24, 56
_STYLE = (
    ":root{color-scheme:light dark;--fg:#1b1f24;--bg:#fff;--grid:#d0d7de;--a:#0550ae;--b:#116329;--c:#953800}"
    "@media(prefers-color-scheme:dark){:root{--fg:#e6edf3;--bg:#0d1117;--grid:#30363d;--a:#79c0ff;--b:#7ee787;"
    "--c:#ffa657}}body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;"
    "color:var(--fg);background:var(--bg)}svg{width:100%;height:auto}text{fill:var(--fg);font-size:13px}"
    "td,th{padding:.2rem .8rem;text-align:right}.g{stroke:var(--grid)}.l{fill:none;stroke-width:2.5}"
)
_SERIES = (
    ("± noise", "noise_pp", "--a", ""),
    ("± noise, smoothed", "smoothed_pp", "--b", "8 4"),
    ("± noise and sampling", "total_pp", "--c", "2 4"),
)


def page(title: str, words: str, rows: Sequence[Row]) -> str:
    """The whole file: picture and table of the same rows."""
    head = "".join(f"<th scope=col>{name}" for name in ("participants", *(label for label, *_ in _SERIES)))
    lines = "".join(
        f"<tr><th scope=row>{row.participants:,}"
        + "".join(f"<td>{_number(getattr(row, field))}" for _, field, _, _ in _SERIES)
        for row in rows
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style><h1>{html.escape(title)}</h1>"
        f"<p>{html.escape(words)}</p>{svg(rows)}<table><thead><tr>{head}</thead><tbody>{lines}</tbody></table></html>\n"
    )


def svg(rows: Sequence[Row]) -> str:
    """Half-widths (pp, logarithmic) over participants (logarithmic)."""
    values = [value for row in rows for value in (row.noise_pp, row.smoothed_pp, row.total_pp) if value]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    most = math.log10(max(row.participants for row in rows)) or 1.0

    def x(participants: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * math.log10(participants) / most

    def y(pp: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - math.log10(pp)) / (high - low)

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="± in points over participants">']
    for power in range(low, high + 1):
        at = y(10.0**power)
        parts.append(f'<line class="g" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">± {10.0**power:g}</text>')
    for row in rows:
        at = x(row.participants)
        parts.append(
            f'<text x="{at:.1f}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle">{row.participants:,}</text>'
        )
    for number, (label, field, colour, dash) in enumerate(_SERIES):
        points = [(row.participants, getattr(row, field)) for row in rows if getattr(row, field)]
        path = " ".join(f"{x(n):.1f},{y(pp):.1f}" for n, pp in points)
        said = "; ".join(f"{n:,}: ± {_number(pp)}" for n, pp in points)
        parts.append(
            f'<polyline class="l" points="{path}" stroke="var({colour})" stroke-dasharray="{dash}">'
            f"<title>{label}, pp: {said}</title></polyline>"
        )
        at = _LEFT + number * 190
        parts.append(
            f'<line class="l" x1="{at}" x2="{at + 28}" y1="{_HEIGHT - 12}" y2="{_HEIGHT - 12}" stroke="var({colour})"'
            f' stroke-dasharray="{dash}"/><text x="{at + 34}" y="{_HEIGHT - 8}">{label}</text>'
        )
    return "".join((*parts, "</svg>"))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
