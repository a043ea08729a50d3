"""The ledger as JSON or CSV, for its owner. Rows hold noisy values and stamps, never a raw mean."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from cpu_publisher import accounting, budget
from cpu_publisher.ledger import Row

if TYPE_CHECKING:
    from cpu_publisher.ledger import Ledger


def as_json(ledger: Ledger) -> str:
    """Identity, and each row with its windows' starts and ends (unix ms)."""
    rows = [
        {**asdict(row), "windows": [[s.started_at_ms, s.started_at_ms + s.span_ms] for s in ledger.stamps(row.seq)]}
        for row in ledger.rows()
    ]
    return json.dumps({**asdict(ledger.identity), "releases": rows}, indent=2)


def as_csv(ledger: Ledger) -> str:
    """One line a row, header first."""
    out = io.StringIO()
    writer = csv.DictWriter(out, Row.__slots__, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in ledger.rows())
    return out.getvalue()


def summary(ledger: Ledger, rows: list[Row], spent: int, cap: int) -> dict[str, object]:
    """The ledger in a few numbers; `rows` and `spent` are those of the last 24 h of slots."""
    everything = ledger.rows()
    return {
        "ledger_id": ledger.identity.ledger_id,
        "mode": ledger.identity.mode,
        "releases": sum(row.k > 0 for row in everything),
        "epsilon_total_full_range": sum(row.spend_micro for row in everything) / budget.MICRO,
        "epsilon_24h_spent": spent / budget.MICRO,
        "epsilon_24h_cap": cap / budget.MICRO,
        "epsilon_24h_renyi": accounting.renyi_epsilon([row.spend_micro / budget.MICRO for row in rows]),
        "delta": accounting.DELTA,
    }
