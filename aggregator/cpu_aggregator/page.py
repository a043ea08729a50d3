"""The aggregator's page: one snapshot to HTML, served or as a file of its own. Pure; no script, every text escaped.

Names of datasites come from other people's folders: they are shortened, unprintable characters are replaced, and the
template isolates their direction.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cpu_aggregator import chart
from cpu_aggregator.reasons import GROUP, WORDS

if TYPE_CHECKING:
    from cpu_aggregator.view import Datasite, Estimate, Point, View

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
RANGES = {"1h": _HOUR, "24h": _DAY, "7d": 7 * _DAY, "90d": 90 * _DAY}
DEFAULT_RANGE = "24h"
LONGEST_FOR_1H = 300
LEAST_SLOTS = 12  # that the picture is wide
ROWS, NAMED, NAME_LENGTH = 24, 40, 64
# state -> (word of title and badge, level: names the icon and the colour)
_STATES = {
    "empty": ("Waiting", "wait"),
    "too_few": ("Too few", "wait"),
    "live": ("Live", "good"),
    "stale": ("Stale", "warn"),
}
_GROUPS = {
    "counted": "counted",
    "waiting": "waiting for their slot's result",
    "warming_up": "warming up",
    "late": "late",
    "stale": "stale",
    "refused": "refused",
}
_STATIC = resources.files("cpu_aggregator") / "static"
_TEMPLATE = Environment(
    loader=PackageLoader("cpu_aggregator"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
).get_template("network.html")


def ranges(slot_seconds: int) -> tuple[str, ...]:
    """Ranges that make sense for slots of that length."""
    return tuple(name for name in RANGES if name != "1h" or slot_seconds <= LONGEST_FOR_1H)


def refresh_seconds(view: View) -> int:
    """How often the page renews itself: four times a slot, between 5 s and a minute."""
    return max(5, min(60, view.slot_seconds // 4))


def render(view: View) -> str:
    """The page as it is served, with style sheet and icon beside it."""
    return _render(view, icon=f"/static/{_standing(view)[1]}.svg", style="", policy="")


def render_file(view: View) -> str:
    """The same as one file that works from a folder: style sheet and icon inside, no links to a server."""
    style = (_STATIC / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    icon = base64.b64encode((_STATIC / f"{_standing(view)[1]}.svg").read_bytes()).decode()
    return _render(
        view,
        icon=f"data:image/svg+xml;base64,{icon}",
        style=Markup(style),  # noqa: S704 - our own file
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:",
    )


def _render(view: View, **place: str) -> str:
    word, level = _standing(view)
    chosen = next(name for name, seconds in RANGES.items() if seconds == view.range_seconds)
    estimate = view.result.estimate if view.result else None
    return _TEMPLATE.render(
        view=view,
        word=word,
        level=level,
        chosen=chosen,
        ranges=ranges(view.slot_seconds),
        figure=_figure(view.result, estimate) if view.result and estimate else None,
        age="none yet" if view.result_age_seconds is None else span(view.result_age_seconds),
        due=moment(view.next_due, view.now),
        tiles=_tiles(view),
        picture=Markup(_picture(view)),  # noqa: S704 - chart escapes its texts
        rows=[_row(point, view.now) for point in view.history[: -ROWS - 1 : -1]],
        reasons=[(_GROUPS[GROUP[code]], WORDS[code], n) for code, n in view.reasons.items()],
        datasites=[_named(d) for d in view.datasites[:NAMED]],
        joined=_joined(view),
        slot_length=span(view.slot_seconds),
        smoothing=span(view.smoothing_seconds),
        span=span,
        number=chart.number,
        **place,
    )


def _standing(view: View) -> tuple[str, str]:
    """(word, level) of the whole."""
    word, level = _STATES[view.state]
    if view.fatal:
        return "Trouble", "stop"
    return word, "warn" if view.findings else level


def moment(unix: float, now: float) -> str:
    """A time as people read it: the day only when it is not the day of `now`."""
    at, today = datetime.fromtimestamp(unix, UTC), datetime.fromtimestamp(now, UTC).date()
    clock = f"{at:%H:%M}" if at.second == 0 else f"{at:%H:%M:%S}"
    return f"{clock} UTC" if at.date() == today else f"{at:%-d %b}, {clock} UTC"


def span(seconds: float) -> str:
    """A length in words; above 10 s in steps of 10 s."""
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return f"{whole if whole < 10 else whole // 10 * 10} s"  # noqa: PLR2004 - said above
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR} h" + (f" {whole % _HOUR // _MINUTE:02} min" if whole % _HOUR >= _MINUTE else "")
    return f"{whole // _DAY} days"


def inert(name: str) -> str:
    """A name from outside, safe to look at: printable, and not longer than a line."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return clean if len(clean) <= NAME_LENGTH else clean[: NAME_LENGTH - 1] + "…"


def _figure(result: Point, e: Estimate) -> dict[str, object]:
    shown = min(100.0, max(0.0, e.headline))
    return {
        "e": e,
        "value": chart.number(shown),
        "clamped": shown != e.headline,
        "slot": f"{moment(result.slot, result.slot).removesuffix(' UTC')}–{moment(result.end, result.slot)}",  # noqa: RUF001 - a range
        "n": result.n,
        "bar": Markup(chart.interval(e.headline, e.noise_pp, e.total_pp)),  # noqa: S704 - numbers only
    }


def _picture(view: View) -> str:
    sure = sum(1 for p in view.history if p.estimate)
    title = f"Network mean of the last {span(view.range_seconds)}: {sure} points, each with its 95 % bands"
    start = view.now - view.range_seconds
    if view.began is not None:  # a young history fills the picture; a gap in an old one shows as a gap
        start = max(start, min(view.began, view.now - LEAST_SLOTS * view.slot_seconds))
    return chart.history(view.history, start, view.now, title)


def _joined(view: View) -> str:
    """What one point of the history stands for, when that is more than a slot."""
    longest = max((p.span_seconds for p in view.history), default=0)
    return span(longest) if longest > view.slot_seconds else ""


def _tiles(view: View) -> list[tuple[str, str, str]]:
    """(label, number, what it is of): who is in the newest result, and what became of the others."""
    sums: Counter[str] = Counter()
    for code, n in view.reasons.items():
        sums[GROUP[code]] += n
    counted = view.newest.n if view.newest else 0
    tiles = [
        ("counted", str(counted), f"of {view.known} with a file"),
        ("stale", str(sums["stale"]), "no release for 2.5 slots"),
        ("refused", str(sums["refused"]), _most(view)),
    ]
    return tiles + [(_GROUPS[name], str(sums[name]), "not averaged") for name in ("warming_up", "late") if sums[name]]


def _most(view: View) -> str:
    refused = {code: n for code, n in view.reasons.items() if GROUP[code] == "refused"}
    return f"most often: {WORDS[max(refused, key=refused.__getitem__)]}" if refused else "nothing wrong"


def _row(point: Point, now: float) -> dict[str, object]:
    return {"slot": moment(point.slot, now).removesuffix(" UTC"), "n": point.n, "e": point.estimate}


def _named(datasite: Datasite) -> dict[str, object]:
    age = "–" if datasite.age_seconds is None else span(datasite.age_seconds)  # noqa: RUF001 - an empty cell
    return {
        "name": inert(datasite.name),
        "group": _GROUPS[GROUP[datasite.code]],
        "words": WORDS[datasite.code],
        "age": age,
    }
