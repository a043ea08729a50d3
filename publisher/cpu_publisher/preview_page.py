"""The preview as one HTML file: table and pictures, no script, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
import math
from html import escape
from importlib import resources
from typing import TYPE_CHECKING

from cpu_publisher import chart
from cpu_publisher.guarantee import number, two_digits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpu_publisher.preview import Outlook

_WATCHED = (("hour", "a"), ("window", "b"), ("day", "c"))  # one setting of each kind; three lines are legible


def document(title: str, body: str) -> str:
    """A self-contained page: the style sheet is inside, and the policy allows that style sheet alone."""
    style = "".join(
        file.read_text(encoding="utf-8")
        for file in sorted((resources.files("cpu_publisher") / "static").iterdir(), key=lambda file: file.name)
        if file.name.endswith(".css")
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n<body><main><h1>{escape(title)}</h1>\n{body}\n"
        "</main></body></html>\n"
    )


def page(
    looks: Sequence[Outlook], table: Sequence[tuple[str, Sequence[str]]], notes: Sequence[str], participants: int
) -> str:
    """The whole preview; pictures are for a network of `participants`."""
    chosen = next(look for look in looks if look.chosen)
    parts = [
        _section(f"Your setting: {chosen.name}", f"<p>{escape(chosen.guarantee)}</p>"),
        _section("Side by side", _table(looks, table) + "".join(f"<p>{escape(note)}</p>" for note in notes)),
        _section(
            f"How exact the mean of {number(participants)} hosts is (logarithmic)", _exactness(looks, participants)
        ),
        _section("What one who watches learns", _watched(looks)),
        _section("ε per 24 h, every window at full range (logarithmic)", _spend(looks)),
    ]
    return document("Before you take part: what each preset shows", "\n".join(parts))


def _section(title: str, body: str) -> str:
    return f'<section class="card"><h2>{escape(title)}</h2>{body}</section>'


def _table(looks: Sequence[Outlook], table: Sequence[tuple[str, Sequence[str]]]) -> str:
    names = "".join(f'<th scope="col">{escape(look.name)}{" *" if look.chosen else ""}</th>' for look in looks)
    body = "".join(
        f'<tr><th scope="row">{escape(label.strip())}</th>' + "".join(f"<td>{escape(c)}</td>" for c in cells) + "</tr>"
        for label, cells in table
    )
    scroll = '<div class="scroll" tabindex="0" role="region" aria-label="Presets side by side">'
    return f"{scroll}<table><thead><tr><td></td>{names}</tr></thead><tbody>{body}</tbody></table></div>"


def _exactness(looks: Sequence[Outlook], participants: int) -> str:
    errors = [(look.name, look.network_error95_pp[participants]) for look in looks]
    bars = [(name, error, f"± {two_digits(error)} points") for name, error in errors]
    return chart.bar_rows(bars, f"95 % error of the mean of {number(participants)} hosts, by preset", log=True)


def _watched(looks: Sequence[Outlook]) -> str:
    by_name = {look.name: look for look in looks}
    lines = [
        chart.Series(name, [(math.log10(s), 100 * p) for s, p in by_name[name].right_watched.items()], kind, dots=True)
        for name, kind in _WATCHED
    ]
    legend = "".join(f'<li class="{kind}">{escape(name)}</li>' for name, kind in _WATCHED)
    title = "Probability of telling an idle CPU from a busy one, by how long it was idle or busy"
    return (
        "<p>How often a guess is right about a CPU that was idle, or fully busy, for so long; guessing blindly gives"
        f' 50 %.</p><ul class="legend">{legend}</ul>{chart.line_chart(lines, [], title, _span)}'
    )


def _spend(looks: Sequence[Outlook]) -> str:
    bars = [(look.name, look.epsilon_24h, number(look.epsilon_24h)) for look in looks]
    return chart.bar_rows(bars, "ε of 24 hours at full range, by preset", log=True)


def _span(log10_seconds: float) -> str:
    seconds = 10**log10_seconds
    return f"{seconds / 60:.0f} min" if seconds < 3_600 else f"{seconds / 3_600:.3g} h"  # noqa: PLR2004 - an hour
