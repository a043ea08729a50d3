"""Prometheus text exposition (format 0.0.4), written by hand: the client library costs memory and adds process metrics.

A process metric such as CPU seconds is just what must not be told. No CPU value, raw or noisy, is in here, ages are
rounded to 10 s, and no span, lateness or latency appears.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from cpu_publisher.health import round_age
from cpu_publisher.view import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cpu_publisher.view import Finding, View

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "cputracker_"


def exposition(view: View) -> str:
    """Everything that may be known of the publisher, as text for a scrape."""
    last, age = view.last, view.collector_age_seconds
    families = [
        _gauge("publisher_info", "What runs.", [({"version": view.version, "preset": view.preset}, 1)]),
        _gauge("start_time_seconds", "Unix time of the start.", [({}, int(view.started))]),
        _gauge("state", "1 for what it is doing.", [({"state": s}, int(s == view.state)) for s in get_args(State)]),
        _gauge("ready", "1 when /readyz is 200.", [({}, int(not view.fatal))]),
        _gauge(
            "finding",
            "Each thing that is not as it must be.",
            # Several leaks share a code, and a sample may appear once only.
            [({"code": code, "severity": how}, 1) for code, how in dict.fromkeys(map(_named, view.findings))],
        ),
        _gauge(
            "handoff_age_seconds",
            "Since the last valid record, rounded to 10 s.",
            [] if age is None else [({}, round_age(age))],
        ),
        _gauge(
            "epsilon_24h_spent",
            "Epsilon for all values of the last 24 h of slots together, counted at full range.",
            [({}, view.spent_micro / 1_000_000)],
        ),
        _gauge(
            "epsilon_24h_cap",
            "Cap on the epsilon for all values of 24 h of slots together, counted at full range.",
            [({}, view.cap_micro / 1_000_000)],
        ),
        _gauge("pooled_windows", "Windows accepted and not yet released.", [({}, view.pooled_windows)]),
        _gauge(
            "next_due_timestamp_seconds",
            "Unix time of the next release.",
            [] if view.next_due is None else [({}, int(view.next_due))],
        ),
        _gauge("last_release_seq", "Number of the last release.", [] if last is None else [({}, last.seq)]),
        _gauge(
            "last_release_slot_timestamp_seconds",
            "Start of the slot of the last release.",
            [] if last is None else [({}, last.slot)],
        ),
    ]
    families += [
        _family(
            f"{name}_total", "counter", "Count by reason.", [({"reason": reason}, n) for reason, n in counts.items()]
        )
        for name, counts in view.counters.items()
    ]
    return "".join(families)


def _named(finding: Finding) -> tuple[str, str]:
    return finding.code, "fatal" if finding.fatal else "warning"


def _gauge(name: str, text: str, samples: Iterable[tuple[dict[str, str], float]]) -> str:
    return _family(name, "gauge", text, samples)


def _family(name: str, kind: str, text: str, samples: Iterable[tuple[dict[str, str], float]]) -> str:
    lines = [f"# HELP {PREFIX}{name} {text}", f"# TYPE {PREFIX}{name} {kind}"]
    lines += [f"{PREFIX}{name}{_labels(labels)} {value}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
