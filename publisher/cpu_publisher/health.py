"""Health reports as `application/health+json` (draft-inadarei-api-health-check-06). They hold no CPU value at all.

Ages are rounded to 10 s: an exact one would show how late a window was, and lateness shows load.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cpu_publisher.view import Finding, View


@dataclass(frozen=True, slots=True)
class Report:
    """An HTTP status code and its JSON body."""

    code: int
    body: str


def round_age(seconds: float) -> int:
    """An age in whole tens of seconds, rounded down; one before its own start counts as 0."""
    return max(0, int(seconds // 10) * 10)


def live() -> Report:
    """The process answers. Depends on nothing."""
    return _report("pass", {}, [])


def ready(view: View) -> Report:
    """Whether releases go out: 503 with each reason, or 200 with the warnings beside it."""
    return _report(
        _worst(view.findings),
        {"version": view.version, "description": view.state, "checks": _checks(view.findings) | _handoff(view)},
        [finding.message for finding in view.findings],
    )


def collector(view: View) -> Report:
    """Whether the hand-off is fresh: 503 before the first record and while the collector is reported."""
    findings = tuple(f for f in view.findings if f.code.startswith("collector"))
    status = "fail" if view.collector_age_seconds is None else _worst(findings)
    notes = [finding.message for finding in findings]
    if view.collector_age_seconds is None and not notes:
        notes = ["no record from the collector since the publisher started"]
    return _report(status, {"checks": _checks(findings) | _handoff(view)}, notes)


def _worst(findings: tuple[Finding, ...]) -> str:
    return "fail" if any(f.fatal for f in findings) else "warn" if findings else "pass"


def _checks(findings: tuple[Finding, ...]) -> dict[str, Any]:
    checks: dict[str, Any] = {}
    for f in findings:
        checks.setdefault(f.code, []).append({"status": "fail" if f.fatal else "warn", "output": f.message})
    return checks


def _handoff(view: View) -> dict[str, Any]:
    if view.collector_age_seconds is None:
        return {}
    age = round_age(view.collector_age_seconds)
    return {"handoff:age": [{"observedValue": age, "observedUnit": "s (rounded to 10 s)"}]}


def _report(status: str, more: dict[str, Any], notes: list[str]) -> Report:
    body = {"status": status, **more, **({"notes": notes} if notes else {})}
    return Report(503 if status == "fail" else 200, json.dumps(body, ensure_ascii=False) + "\n")
