"""The owner's page: one snapshot to HTML. Pure; no script, no style but the style sheet, every text escaped."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cpu_publisher import chart
from cpu_publisher.guarantee import duration, number, two_digits
from cpu_publisher.health import round_age

if TYPE_CHECKING:
    from cpu_publisher.view import LastRelease, State, View

MICRO = 1_000_000
_MINUTE, _HOUR = 60, 3_600
_SENTENCE_END = re.compile(r"(?<=\.) (?=[A-Z])")
# state -> (word of title and badge, level: names the icon and the colour)
_STATES: dict[State, tuple[str, str]] = {
    "starting": ("Starting", "wait"),
    "active": ("Sharing", "good"),
    "paused": ("Paused", "wait"),
    "budget_exhausted": ("Budget spent", "wait"),
    "closed": ("Stopped", "stop"),
}
_TEMPLATE = Environment(
    loader=PackageLoader("cpu_publisher"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
).get_template("owner.html")


def owner(view: View) -> str:
    """The page. The one place outside the public file that shows the last release, and only that."""
    state = _standing(view)
    word, level = _STATES[state]
    if view.findings and level == "good":
        level = "warn"
    return _TEMPLATE.render(
        view=view,
        word=word,
        level=level,
        headline=_headline(view, state),
        lead=_lead(view, state),
        figure=_figure(view.last) if view.last else None,
        meters=_meters(view),
        collector="no window yet" if view.collector_age_seconds is None else f"{span(view.collector_age_seconds)} ago",
        due="none" if view.next_due is None else _due(view.next_due, view.now),
        promise=_SENTENCE_END.split(view.guarantee),
        number=number,
    )


def moment(unix: float, now: float) -> str:
    """A time as people read it: the day only when it is not the day of `now`."""
    at, today = datetime.fromtimestamp(unix, UTC), datetime.fromtimestamp(now, UTC).date()
    return at.strftime("%H:%M:%S UTC" if at.date() == today else "%-d %b, %H:%M:%S UTC")


def span(seconds: float) -> str:
    """A length in words, in steps of 10 s, never finer: an exact age would show load."""
    whole = round_age(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"


def _standing(view: View) -> State:
    """The state that the page speaks of: `closed` for whatever stops publishing and is not the state's own reason."""
    if view.state != "paused" and any(finding.code != view.state for finding in view.fatal):
        return "closed"
    return view.state


def _headline(view: View, state: State) -> str:
    return {
        "starting": "The first window is on its way",
        "active": f"One noisy average is shared each {duration(view.slot_seconds)}",
        "paused": "Paused by you",
        "budget_exhausted": "The privacy budget of 24 hours is spent",
        "closed": "Publishing stops until this is put right",
    }[state]


def _lead(view: View, state: State) -> str:
    stays = "The last value stays as it is" if view.last else "Nothing has been published yet"
    if state == "closed":
        return f"{stays}. What is wrong, and what to do, is below."
    if state == "paused":
        return f"{stays}. To go on: cpu-publisher resume."
    if state == "budget_exhausted":
        on = f" with the slot of {moment(view.resumes_slot, view.now)}" if view.resumes_slot is not None else ""
        return f"{stays}. Publishing goes on by itself{on}."
    if view.next_due is None:
        return f"{stays}. The next value waits for a window."
    return f"The next value is due at {_due(view.next_due, view.now)}."


def _due(due: float, now: float) -> str:
    return moment(due, now) + (f", in {span(due - now)}" if due - now >= 10 else "")  # noqa: PLR2004 - a step of `span`


def _figure(last: LastRelease) -> dict[str, object]:
    value, error = chart.number(last.cpu), two_digits(last.error95_pp)
    notes = []
    if last.kind == "first":
        notes.append("The first window of a new ledger, alone: coarse on purpose, only to show that it works.")
    if not 0 <= last.cpu <= 100:  # noqa: PLR2004 - percent
        notes.append("Below 0 or above 100 is right: noise is never cut off, so that the network's average stays true.")
    title = f"Published {value} % CPU; with the noise alone, 95 of 100 such values lie within ± {error} points"
    return {
        "value": value,
        "error": error,
        "slot": moment(last.slot, last.slot).replace(":00 UTC", " UTC"),
        "notes": notes,
        "bar": Markup(chart.interval_bar(last.cpu, last.error95_pp, title)),  # noqa: S704 - chart escapes its texts
    }


def _meters(view: View) -> list[dict[str, object]]:
    cap = view.cap_micro / MICRO
    rows = (("pure ε", view.spent_micro / MICRO), ("ε at δ = 10⁻⁶ (Rényi)", view.delta_epsilon))
    return [
        {
            "name": name,
            "spent": number(round(spent, 1)),
            "bar": Markup(chart.meter(spent, cap, f"{name}: {spent:.1f} of {cap:g} in 24 h of slots")),  # noqa: S704 - as above
        }
        for name, spent in rows
    ]
