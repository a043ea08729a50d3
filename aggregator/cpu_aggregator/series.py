"""Series of results: joining slots into longer spans, for old history and for charts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpu_aggregator.view import Estimate, Point

if TYPE_CHECKING:
    from collections.abc import Sequence

HOUR_SECONDS = 3_600


def thin(points: Sequence[Point], span_seconds: int) -> list[Point]:
    """Points joined into fixed UTC spans of at least `span_seconds`: means of values and of half-widths.

    The mean of several estimates has at most the mean of their half-widths (triangle inequality of standard
    deviations), whatever their dependence: the joined band is never too narrow.
    """
    joined: list[Point] = []
    group: list[Point] = []
    for point in points:
        span = max(span_seconds, point.span_seconds)
        if group and (point.slot // span != group[0].slot // span or point.span_seconds != group[0].span_seconds):
            joined.append(_joined(group, span_seconds))
            group = []
        group.append(point)
    return [*joined, _joined(group, span_seconds)] if group else joined


def _joined(group: list[Point], span_seconds: int) -> Point:
    span = max(span_seconds, group[0].span_seconds)
    if span == group[0].span_seconds:
        return group[0]
    sure = [p.estimate for p in group if p.estimate]
    estimate = None
    if sure:
        totals = [e.total_pp for e in sure if e.total_pp is not None]
        estimate = Estimate(
            headline=_mean([e.headline for e in sure]),
            plain=_mean([e.plain for e in sure]),
            median=_mean([e.median for e in sure]),
            noise_pp=_mean([e.noise_pp for e in sure]),
            total_pp=_mean(totals) if len(totals) == len(sure) else None,
            smoothed=_mean([e.smoothed for e in sure]),
            smoothed_pp=_mean([e.smoothed_pp for e in sure]),
        )
    slot = group[0].slot - group[0].slot % span
    return Point(slot, span, min(p.n for p in group), estimate)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def thinned(points: Sequence[Point], most: int) -> tuple[Point, ...]:
    """At most about `most` points over the same time: whole multiples of the slot. 0: as they are."""
    if not most or len(points) <= most:
        return tuple(points)
    slot = points[-1].span_seconds
    spans = -(-(points[-1].end - points[0].slot) // (slot * most))
    return tuple(thin(points, slot * spans))
