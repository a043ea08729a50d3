"""The ledger as its owner sees it: JSON, CSV and a few numbers."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from tests.unit.publisher.sim import START, Host, no_noise, quick_folder

from cpu_publisher import export
from cpu_publisher.ledger import Row

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def host() -> Iterator[Host]:
    with no_noise(), quick_folder() as root:
        host = Host(root)
        host.run(3_700)
        yield host
        host.stop()


def test_json_has_identity_rows_and_when_each_window_was(host: Host) -> None:
    document = json.loads(export.as_json(host.ledger))
    assert document["ledger_id"] == host.read()["ledger_id"]
    assert [(row["kind"], row["k"], len(row["windows"])) for row in document["releases"]] == [
        ("first", 1, 1),
        ("slot", 11, 11),
    ]
    start, end = document["releases"][0]["windows"][0]
    assert start == 1_000 * START + 20_000
    assert 5_000 <= end - start <= 8_000


def test_csv_has_a_header_and_a_line_a_row(host: Host) -> None:
    rows = list(csv.DictReader(io.StringIO(export.as_csv(host.ledger))))
    assert list(rows[0]) == list(Row.__slots__)
    assert [(row["seq"], row["spend_micro"]) for row in rows] == [("1", "1000000"), ("2", "11000000")]


def test_the_summary_counts_at_full_range(host: Host) -> None:
    rows = host.ledger.rows()
    numbers = export.summary(host.ledger, rows, sum(row.spend_micro for row in rows), 288_000_000)
    assert (numbers["releases"], numbers["epsilon_total_full_range"]) == (2, 12.0)
    assert (numbers["epsilon_24h_spent"], numbers["epsilon_24h_cap"], numbers["delta"]) == (12.0, 288.0, 1e-6)
    renyi = numbers["epsilon_24h_renyi"]
    assert isinstance(renyi, float)
    assert 0 < renyi <= 12
