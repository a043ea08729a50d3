"""Snapshots for the tests of what renders them."""

from __future__ import annotations

import dataclasses

from cpu_publisher import budget, guarantee
from cpu_publisher.presets import PRESETS
from cpu_publisher.view import Finding, LastRelease, View

SLOT = 1_795_521_600  # 2026-11-24 12:00:00 UTC
NOW = SLOT + 4_200.0
HOUR = PRESETS["hour"]
CAP = budget.default_cap_micro(HOUR)
LAST = LastRelease(
    cpu=23.456667,
    error95_pp=24.963,
    kind="slot",
    slot=SLOT,
    windows=11,
    windows_full=12,
    seq=5,
    timestamp="2026-11-24 13:00:17",
)
ACTIVE = View(
    now=NOW,
    started=SLOT - 86_400.0,
    state="active",
    findings=(),
    preset="hour",
    email="alice@example.com",
    aggregators=("aggregator@openmined.org",),
    public_path="/datasite/app_data/cpu_tracker/cpu_tracker.json",
    embedded=False,
    isolation=True,
    permissions_ok=True,
    collector_age_seconds=134.6,
    sample_seconds=300,
    slot_seconds=3_600,
    last=LAST,
    next_due=SLOT + 7_217.0,
    resumes_slot=None,
    spent_micro=61_000_000,
    cap_micro=CAP,
    delta_epsilon=60.74,
    pooled_windows=2,
    guarantee=guarantee.sentence(HOUR, CAP),
    version="1.2.3",
    counters={"records_rejected": {"span": 2, "clock": 1}, "windows_dropped": {}},
)
LEAK = Finding("permission_leak", "syftperm.yaml, line 3, lets <everyone> read it; remove that line")
CONFLICT = Finding("conflict_file", "a second device publishes for this datasite", fatal=False)
SILENT = Finding("collector_silent", "no window for 20 min; docker compose up -d collector")
SPENT = Finding("budget_exhausted", "the cap is reached; nothing needs to be done")
ISOLATION = Finding("isolation_off", "collector and publisher run as one user", fatal=False)
STARTING = dataclasses.replace(
    ACTIVE,
    state="starting",
    last=None,
    collector_age_seconds=None,
    permissions_ok=None,
    spent_micro=0,
    delta_epsilon=0.0,
    pooled_windows=0,
    next_due=None,
    embedded=True,
    email="local@example.com",
)
PAUSED = dataclasses.replace(ACTIVE, state="paused", next_due=None)
EXHAUSTED = dataclasses.replace(
    ACTIVE,
    state="budget_exhausted",
    next_due=None,
    spent_micro=CAP,
    resumes_slot=SLOT + 86_400,
    findings=(SPENT,),
    last=dataclasses.replace(LAST, cpu=-131.26, error95_pp=299.6, kind="first", windows=1),
)
CLOSED = dataclasses.replace(
    ACTIVE, state="closed", next_due=None, permissions_ok=False, isolation=False, findings=(LEAK, CONFLICT, ISOLATION)
)
