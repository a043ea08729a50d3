from __future__ import annotations

import dataclasses
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.publisher.views import ACTIVE, CLOSED, CONFLICT, LEAK, STARTING

from cpu_publisher import metrics
from cpu_publisher.view import Finding

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(text: str) -> Samples:
    """By the reference parser: {(name, labels): value}."""
    families = list(text_string_to_metric_families(text))
    assert len({f.name for f in families}) == len(families)
    assert all(f.documentation for f in families)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}


def test_active() -> None:
    found = scrape(metrics.exposition(ACTIVE))
    assert found["cputracker_ready", ()] == 1
    assert found["cputracker_state", (("state", "active"),)] == 1
    assert sum(value for (name, _), value in found.items() if name == "cputracker_state") == 1
    assert found["cputracker_handoff_age_seconds", ()] == 130
    assert found["cputracker_epsilon_24h_spent", ()] == 61
    assert found["cputracker_epsilon_24h_cap", ()] == 288
    assert found["cputracker_last_release_seq", ()] == 5
    assert found["cputracker_pooled_windows", ()] == 2
    assert found["cputracker_next_due_timestamp_seconds", ()] == ACTIVE.next_due
    assert found["cputracker_records_rejected_total", (("reason", "span"),)] == 2
    assert found["cputracker_publisher_info", (("preset", "hour"), ("version", "1.2.3"))] == 1


def test_starting_leaves_out_what_is_not_known() -> None:
    names = {name for name, _ in scrape(metrics.exposition(STARTING))}
    assert "cputracker_handoff_age_seconds" not in names
    assert "cputracker_last_release_seq" not in names
    assert "cputracker_next_due_timestamp_seconds" not in names


def test_closed_tells_each_finding() -> None:
    found = scrape(metrics.exposition(CLOSED))
    assert found["cputracker_ready", ()] == 0
    assert found["cputracker_finding", (("code", LEAK.code), ("severity", "fatal"))] == 1
    assert found["cputracker_finding", (("code", CONFLICT.code), ("severity", "warning"))] == 1


def test_findings_of_one_code_are_one_sample() -> None:
    """A scrape with a sample twice is refused whole."""
    view = dataclasses.replace(ACTIVE, findings=(LEAK, dataclasses.replace(LEAK, message="another"), CONFLICT))
    lines = [line for line in metrics.exposition(view).splitlines() if line.startswith("cputracker_finding{")]
    assert len(lines) == 2


def test_label_values_are_escaped() -> None:
    odd = 'a"b\\c\nd'
    view = dataclasses.replace(ACTIVE, findings=(Finding(odd, "m", fatal=False),))
    assert ("cputracker_finding", (("code", odd), ("severity", "warning"))) in scrape(metrics.exposition(view))


def test_no_cpu_value_and_no_timing_of_the_hand_off() -> None:
    text = metrics.exposition(ACTIVE)
    assert not re.search(r"23\.4|24\.9|134", text)
    assert not re.search(r"latency|lateness|span_|cpu_percent|process_", text)


@pytest.mark.parametrize("age", [0.0, 9.99, 134.6, 1_000.0])
def test_ages_in_steps_of_ten(age: float) -> None:
    found = scrape(metrics.exposition(dataclasses.replace(ACTIVE, collector_age_seconds=age)))
    assert found["cputracker_handoff_age_seconds", ()] == age // 10 * 10
