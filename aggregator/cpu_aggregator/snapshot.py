"""The view of the aggregator now: what the rounds know, with ages, and the history of the asked range."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpu_aggregator import __version__, census, wording
from cpu_aggregator.errors import HistoryError
from cpu_aggregator.reasons import CODES
from cpu_aggregator.series import thinned
from cpu_aggregator.view import Finding, Point, State, View

if TYPE_CHECKING:
    from cpu_aggregator.aggregator import Aggregator

CHART_POINTS = 360


def snapshot(
    aggregator: Aggregator, range_seconds: int, most_points: int = CHART_POINTS, *, public: bool = False
) -> View:
    """The snapshot now.

    Args:
        aggregator: whose state.
        range_seconds: how far back the history goes.
        most_points: thin the history to about that many; 0: every slot.
        public: for a file that everyone may read: names of datasites only if peers are published.
    """
    settings, slot = aggregator.settings, aggregator.settings.policy.slot_seconds
    now, steady = aggregator.clock.utc(), aggregator.clock.steady()
    findings = list(aggregator.findings.values())
    points: tuple[Point, ...] = ()
    began: int | None = None
    try:
        began = aggregator.history.first()
        points = thinned(aggregator.history.points(now - range_seconds, now + slot), most_points)
    except HistoryError as error:
        findings.append(Finding("history_failed", str(error)))
    with aggregator.lock:
        newest, result = aggregator.newest, aggregator.result
        counts, wider = aggregator.census, aggregator.wider
    hidden = public and not settings.publish_peers
    return View(
        now=now,
        started=aggregator.started,
        state=state(result, counts, slot, settings.settle_seconds, now),
        findings=tuple(sorted(findings, key=lambda f: (not f.fatal, f.code))),
        result=result,
        newest=newest,
        result_age_seconds=max(0.0, now - result.end) if result else None,
        next_due=aggregator.next_due(now),
        known=counts.known,
        active=counts.active,
        reasons=counts.reasons,
        datasites=() if hidden else census.datasites(counts, now),
        datasites_limit=census.LISTED,
        history=points,
        range_seconds=range_seconds,
        began=began,
        slot_seconds=slot,
        settle_seconds=settings.settle_seconds,
        min_participants=settings.min_participants,
        smoothing_seconds=settings.smoothing_seconds,
        retention_days=settings.retention_days,
        policy=settings.policy.names,
        policy_words=wording.policy_words(settings.policy, settings.min_participants, settings.settle_seconds),
        guarantee=wording.guarantee(settings.policy),
        wider=wider,
        email=settings.email,
        version=__version__,
        counters={
            "files_read": {code: n for code, n in zip(CODES, aggregator.scanner.reads, strict=True) if n},
            "errors": dict(aggregator.errors),
            "rounds": {"": aggregator.rounds},
        },
        round_seconds=aggregator.round_seconds,
        round_age_seconds=None if aggregator.round_ended is None else max(0.0, steady - aggregator.round_ended),
    )


def state(result: Point | None, counts: census.Census, slot_seconds: int, settle_seconds: float, now: float) -> State:
    """One word for the whole: see `view.View`."""
    limit = census.STALE_SLOTS * slot_seconds + settle_seconds
    if result and now - result.end <= limit:
        return "live"
    if result is None and counts.known == 0:
        return "empty"
    return "too_few" if result is None or counts.active else "stale"
