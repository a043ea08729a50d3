"""The plan as a picture: one self-contained HTML file with an SVG, no script. Pure."""

from __future__ import annotations

import base64
import hashlib
import html
import math
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpu_aggregator.plan import Row

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 720, 380, 64, 24, 24, 36
_SERIES = (  # label, field of a row, class of the style sheet
    ("± noise", "noise_pp", "mean"),
    ("± noise, smoothed", "smoothed_pp", "smoothed"),
    ("± noise and sampling", "total_pp", "sampled"),
)


def page(title: str, words: str, rows: Sequence[Row]) -> str:
    """The whole file: picture and table of the same rows."""
    style = (resources.files("cpu_aggregator") / "static" / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    legend = "".join(f'<li class="{kind}">{label}</li>' for label, _, kind in _SERIES)
    head = "".join(f'<th scope="col">{name}</th>' for name in ("participants", *(label for label, *_ in _SERIES)))
    lines = "".join(
        f'<tr><th scope="row">{row.participants:,}</th>'
        + "".join(f"<td>{_number(getattr(row, field))}</td>" for _, field, _ in _SERIES)
        + "</tr>"
        for row in rows
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{style}</style></head>\n"
        f'<body><main class="grid"><h1>{html.escape(title)}</h1><p class="prose">{html.escape(words)}</p>\n'
        f'<section class="card"><h2>95 % half-widths in points</h2><ul class="legend">{legend}</ul>\n'
        f"{_scroll('Picture')}{svg(rows)}</div></section>\n"
        f'<section class="card"><h2>The same as numbers</h2>{_scroll("Table")}<table class="numbers">'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div></section>\n</main></body></html>\n"
    )


def _scroll(name: str) -> str:
    """What is wider than a phone scrolls by itself, by keyboard too."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{name}">'


def svg(rows: Sequence[Row]) -> str:
    """Half-widths (pp, logarithmic) over participants (logarithmic)."""
    values = [value for row in rows for value in (row.noise_pp, row.smoothed_pp, row.total_pp) if value]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    most = math.log10(max(row.participants for row in rows)) or 1.0

    def x(participants: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * math.log10(participants) / most

    def y(pp: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - math.log10(pp)) / (high - low)

    parts = [f'<svg class="wide" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="± over participants">']
    for power in range(low, high + 1):
        at = y(10.0**power)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{at + 4:.1f}" class="end">± {10.0**power:g}</text>')
    for row in rows:
        at = x(row.participants)
        parts.append(f'<text x="{at:.1f}" y="{_HEIGHT - _BOTTOM + 20}" class="middle">{row.participants:,}</text>')
    for label, field, kind in _SERIES:
        points = [(row.participants, getattr(row, field)) for row in rows if getattr(row, field)]
        path = " ".join(f"{x(n):.1f},{y(pp):.1f}" for n, pp in points)
        said = "; ".join(f"{n:,}: ± {_number(pp)}" for n, pp in points)
        parts.append(f'<polyline class="{kind}" points="{path}"><title>{label}, pp: {said}</title></polyline>')
    return "".join((*parts, "</svg>"))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
