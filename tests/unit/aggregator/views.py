"""Snapshots for the tests of what renders them."""

from __future__ import annotations

import dataclasses

from cpu_aggregator import policy, wording
from cpu_aggregator.view import Datasite, Estimate, Finding, Point, View, Wider

SLOT = 1_795_521_600  # 2026-11-24 12:00:00 UTC
HOUR = 3_600
NOW = SLOT + HOUR + 1_300.0
_POLICY = policy.make(("hour",), ())
EVIL = "<script>alert(1)</script>\n\u202e\"'&"


def estimate(headline: float, total_pp: float | None = 7.0) -> Estimate:
    return Estimate(headline, headline - 0.3, headline + 0.4, 3.4, total_pp, 40.0, 1.1)


def hours(count: int) -> tuple[Point, ...]:
    """That many hours up to the newest, with two gaps: one slot with too few, one with nobody."""
    slots = range(SLOT - (count - 1) * HOUR, SLOT + 1, HOUR)
    points = [Point(slot, HOUR, 45, estimate(30 + i % 24), {"counted": 45}) for i, slot in enumerate(slots)]
    if count > 9:
        points[3] = dataclasses.replace(points[3], n=4, estimate=None)
        del points[6]
    return tuple(points)


LIVE = View(
    now=NOW,
    started=NOW - 90_000,
    state="live",
    findings=(),
    result=Point(SLOT, HOUR, 45, estimate(37.23)),
    newest=Point(SLOT, HOUR, 45, estimate(37.23)),
    result_age_seconds=NOW - SLOT - HOUR,
    next_due=SLOT + 2 * HOUR + 120.0,
    known=54,
    active=47,
    reasons={"counted": 45, "warming_up": 1, "first": 1, "stale": 3, "json": 1, "range": 3},
    datasites=(
        Datasite(EVIL, "json", None),
        Datasite("b" * 255, "range", 1_300.0),
        *(Datasite(f"user{i:02}@example.com", "counted", 1_300.0) for i in range(50)),
    ),
    datasites_limit=200,
    history=hours(24),
    range_seconds=86_400,
    began=SLOT - 300 * HOUR,
    slot_seconds=HOUR,
    settle_seconds=120.0,
    min_participants=10,
    smoothing_seconds=21_600.0,
    retention_days=90,
    policy=_POLICY.names,
    policy_words=wording.policy_words(_POLICY, 10, 120.0),
    guarantee=wording.guarantee(_POLICY),
    wider=(Wider("window", 4, None, "4 of window cannot be averaged together with these."),),
    email="aggregator@example.com",
    version="1.2.3",
    counters={"files_read": {"waiting": 41, "json": 2}, "rounds": {"": 3}, "errors": {}},
    round_seconds=0.25,
    round_age_seconds=12.0,
)
EMPTY = dataclasses.replace(
    LIVE,
    state="empty",
    result=None,
    newest=None,
    result_age_seconds=None,
    known=0,
    active=0,
    reasons={},
    datasites=(),
    history=(),
    began=None,
    wider=(),
)
TOO_FEW = dataclasses.replace(
    EMPTY, state="too_few", newest=Point(SLOT, HOUR, 4, None), known=5, active=4, reasons={"counted": 4, "json": 1}
)
STALE = dataclasses.replace(
    LIVE, state="stale", now=NOW + 5 * HOUR, result_age_seconds=1_300.0 + 5 * HOUR, reasons={"stale": 54}
)
FULL_DISK = Finding("history_failed", "cannot write the history <here>; free disk space")
BROKEN = dataclasses.replace(LIVE, findings=(FULL_DISK,))
