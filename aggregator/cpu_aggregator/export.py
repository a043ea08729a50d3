"""Results as CSV and JSON, for people's own tools: the same snapshot that the page shows. Pure."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from typing import TYPE_CHECKING, Any

from cpu_aggregator.publish import stamp
from cpu_aggregator.reasons import CODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpu_aggregator.view import Point, View

COLUMNS = (
    "slot",
    "slot_utc",
    "span_seconds",
    "n",
    "headline",
    "plain",
    "median",
    "noise_pp",
    "total_pp",
    "smoothed",
    "smoothed_pp",
)
_DECIMALS = 4


def to_csv(points: Sequence[Point]) -> str:
    """One line a slot, oldest first; empty cells where there is no estimate; a column `reason_<code>` for each code."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow((*COLUMNS, *(f"reason_{code}" for code in CODES)))
    for point in points:
        row = _row(point)
        writer.writerow([row[name] for name in COLUMNS] + [point.reasons.get(code, 0) for code in CODES])
    return out.getvalue()


def to_json(points: Sequence[Point]) -> str:
    """The same as a list of objects, with the reasons of each slot."""
    rows = [{**_row(point), "reasons": dict(point.reasons)} for point in points]
    return json.dumps(rows, indent=2, allow_nan=False) + "\n"


def view_json(view: View) -> str:
    """The whole snapshot."""
    return json.dumps(_plain(view), indent=2, allow_nan=False) + "\n"


def _row(point: Point) -> dict[str, Any]:
    e = point.estimate
    values = dataclasses.asdict(e) if e else {}
    numbers = {
        name: None if values.get(name) is None else round(values[name], _DECIMALS)
        for name in COLUMNS[COLUMNS.index("headline") :]
    }
    return {
        "slot": point.slot,
        "slot_utc": stamp(point.slot),
        "span_seconds": point.span_seconds,
        "n": point.n,
        **numbers,
    }


def _plain(value: Any) -> Any:  # noqa: ANN401 - any field of the snapshot
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "items"):
        return {str(key): _plain(item) for key, item in value.items()}
    return value
