"""Prometheus text exposition (format 0.0.4), written by hand: a dozen families need no library. Holds no name."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, get_args

from cpu_aggregator.reasons import GROUP
from cpu_aggregator.view import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpu_aggregator.view import Finding, View

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "cputracker_network_"
Samples = list[tuple[dict[str, str], float]]


def exposition(view: View) -> str:
    """The snapshot as text for a scrape. What is not known yet has no sample."""
    result = view.result
    sure = dataclasses.asdict(result.estimate) if result and result.estimate else {}
    gauges: Sequence[tuple[str, str, Samples]] = (
        ("aggregator_info", "What runs.", [({"version": view.version, "policy": ",".join(view.policy)}, 1)]),
        ("start_time_seconds", "Unix time of the start.", _one(int(view.started))),
        ("state", "1 for how the result stands.", [({"state": s}, int(s == view.state)) for s in get_args(State)]),
        ("ready", "1 when /readyz is 200.", _one(int(not view.fatal))),
        (
            "finding",
            "Each thing that is not as it must be.",
            # The history can fail twice at once, and a sample may appear once only.
            [({"code": code, "severity": how}, 1) for code, how in dict.fromkeys(map(_named, view.findings))],
        ),
        ("datasites_known", "Datasites that have a file.", _one(view.known)),
        ("datasites_active", "Datasites neither stale nor refused.", _one(view.active)),
        (
            "datasites",
            "Datasites by what became of their file.",
            [({"reason": code, "group": GROUP[code]}, n) for code, n in view.reasons.items()],
        ),
        ("participants_counted", "Participants in the newest result.", _one(result.n if result else None)),
        ("mean_percent", "Network mean of the newest result.", _one(sure.get("headline"))),
        ("mean_plain_percent", "The same, not winsorised.", _one(sure.get("plain"))),
        ("median_percent", "Median of the same values.", _one(sure.get("median"))),
        ("noise_95_points", "Half-width of its 95 % noise interval.", _one(sure.get("noise_pp"))),
        ("noise_and_sampling_95_points", "The same with sampling.", _one(sure.get("total_pp"))),
        ("result_slot_timestamp_seconds", "Start of its slot.", _one(result.slot if result else None)),
        ("result_age_seconds", "Since the end of its slot.", _one(view.result_age_seconds)),
        ("round_duration_seconds", "How long the last round took.", _one(view.round_seconds)),
        ("round_age_seconds", "Since the last round ended.", _one(view.round_age_seconds)),
    )
    families = [_family(name, "gauge", text, samples) for name, text, samples in gauges]
    families += [
        _family(
            f"{name}_total", "counter", "Count since the start.", [({"kind": k} if k else {}, n) for k, n in by.items()]
        )
        for name, by in view.counters.items()
    ]
    return "".join(families)


def _named(finding: Finding) -> tuple[str, str]:
    return finding.code, "fatal" if finding.fatal else "warning"


def _one(value: float | None) -> Samples:
    return [] if value is None else [({}, value)]


def _family(name: str, kind: str, text: str, samples: Samples) -> str:
    lines = [f"# HELP {PREFIX}{name} {text}", f"# TYPE {PREFIX}{name} {kind}"]
    lines += [f"{PREFIX}{name}{_labels(labels)} {value}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: dict[str, str]) -> str:
    """Values are codes, versions and names of presets, all our own: they need no escaping."""
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}" if labels else ""
