"""What the outside may know of the aggregator: the one snapshot that page, metrics, exports and commands render.

Every number is computed before it gets here. Values of single participants are not in it: they live for one round.
`Datasite.name` comes from other people's folders and may hold anything (newlines, markup): escape it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

State = Literal["empty", "too_few", "live", "stale"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be.

    Attributes:
        code: fixed short name, e.g. `datasites_unreadable`; safe as a metric label.
        message: what is wrong, where, and what to do.
        fatal: True: `/readyz` is 503; False: a warning beside a 200.
    """

    code: str
    message: str
    fatal: bool = True


@dataclass(frozen=True, slots=True)
class Estimate:
    """The network mean of one slot, percent of CPU; half-widths are of 95 % intervals, in percentage points.

    Attributes:
        headline: mean of values winsorised at [lower - 4.6 b, upper + 4.6 b]: the number to show. May lie outside
            0..100: clamp it on the screen only.
        plain: mean of the values as published: unbiased.
        median: of the values as published, the one check beside.
        noise_pp: ± noise: what the participants' noise does to the mean of exactly these hosts.
        total_pp: ± noise and sampling: the same, with these hosts taken as a sample of all; None for one host.
        smoothed: exponentially weighted mean of the headline.
        smoothed_pp: ± noise of `smoothed`; covers the equally smoothed truth only.
    """

    headline: float
    plain: float
    median: float
    noise_pp: float
    total_pp: float | None
    smoothed: float
    smoothed_pp: float


@dataclass(frozen=True, slots=True)
class Point:
    """One slot of the history, or the mean of several (when a range is thinned for a chart).

    Attributes:
        slot: its start, unix seconds.
        span_seconds: length of what the point stands for: the slot's, or a multiple.
        n: participants counted (of several slots: the smallest).
        estimate: None: a gap, fewer than the minimum were counted. Slots with nobody have no point at all: two
            consecutive points further apart than `span_seconds` are a gap too. Of several slots: means of the
            values and of the half-widths (a mean is never less sure than its parts are on average).
        reasons: {code of reasons.py: datasites} when the result was computed; empty when thinned.
    """

    slot: int
    span_seconds: int
    n: int
    estimate: Estimate | None
    reasons: Mapping[str, int] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """End of the slot, unix seconds."""
        return self.slot + self.span_seconds


@dataclass(frozen=True, slots=True)
class Datasite:
    """One participant as last seen.

    Attributes:
        name: folder name, as found: hostile.
        code: code of reasons.py (its group and words are there).
        age_seconds: since the end of the slot of its newest good release; None when it has none.
    """

    name: str
    code: str
    age_seconds: float | None


@dataclass(frozen=True, slots=True)
class Wider:
    """What one more preset in the policy would add.

    Attributes:
        preset: name, from a fixed set of names: `hour`, ..., `custom`, `legacy`.
        files: datasites that are refused today only for it.
        noise_pp: what ± noise of the newest result would be with them; None when they cannot join (another slot
            length) or when there is no result.
        words: the same as a sentence.
    """

    preset: str
    files: int
    noise_pp: float | None
    words: str


@dataclass(frozen=True, slots=True)
class View:
    """State of the aggregator at one moment. Ages are seconds, unrounded: renderers round to 10 s.

    Attributes:
        now, started: unix seconds of this snapshot and of the program's start.
        state: `live`; `stale`: the newest result is older than 2.5 slots and a settle time; `too_few`: no result is
            that young because fewer than `min_participants` were counted in the newest slot; `empty`: no
            datasite has a file and there is no result at all.
        findings: everything that is wrong or worth a warning, most serious first.
        result: the newest result that was published, with its estimate; None before the first.
        newest: the newest slot that was computed, estimate or not (for `too_few`); None before the first.
        result_age_seconds: since the end of the result's slot; None without one.
        next_due: unix seconds when the next slot's result is computed.
        known: datasites that have a file; active: those not stale and not refused.
        reasons: {code of reasons.py: datasites right now}, codes with none left out; sums to `known`.
        datasites: at most `datasites_limit` of them, refused first, then by name; empty when peers must not show.
        history: points of the asked range, oldest first.
        range_seconds: that range, before `now`.
        began: start of the oldest slot of the whole history; None for an empty one.
        slot_seconds: slot length of the policy.
        policy: names of the accepted presets; policy_words: the same as sentences.
        guarantee: what a participant is promised, in words.
        wider: what other presets would add, most files first.
        counters: {name: {label value: count}} since the start, e.g. {"files_read": {"waiting": 41}}.
        round_seconds: how long the last round took; round_age_seconds: since it ended; None before the first.
    """

    now: float
    started: float
    state: State
    findings: tuple[Finding, ...]
    result: Point | None
    newest: Point | None
    result_age_seconds: float | None
    next_due: float
    known: int
    active: int
    reasons: Mapping[str, int]
    datasites: tuple[Datasite, ...]
    datasites_limit: int
    history: tuple[Point, ...]
    range_seconds: int
    began: int | None
    slot_seconds: int
    settle_seconds: float
    min_participants: int
    smoothing_seconds: float
    retention_days: int
    policy: tuple[str, ...]
    policy_words: str
    guarantee: str
    wider: tuple[Wider, ...]
    email: str
    version: str
    counters: Mapping[str, Mapping[str, int]]
    round_seconds: float | None
    round_age_seconds: float | None

    @property
    def fatal(self) -> tuple[Finding, ...]:
        """What makes `/readyz` 503."""
        return tuple(f for f in self.findings if f.fatal)
