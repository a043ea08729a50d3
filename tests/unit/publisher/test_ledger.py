"""Rows, bodies, what counts against the cap, and retention."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest

from cpu_publisher import ledger_schema
from cpu_publisher.errors import LedgerError
from cpu_publisher.ledger import CARRIED, Ledger, Row, counts
from cpu_publisher.pool import Stamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = 86_400
NOON = 1_795_521_600
META = {"ledger_id": "0f" * 16, "phase_ppm": 0, "day_ppm": 0, "mode": "container", "follows": ""}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    path = tmp_path / ledger_schema.LEDGER_NAME
    ledger_schema.create(path, META)
    ledger = Ledger(path)
    yield ledger
    ledger.close()


def row(slot: int, *, kind: str = "slot", length: int = 3_600, boot_id: str = "a", boot_ms: int | None = None) -> Row:
    """A row of a slot that starts `slot` seconds after noon, due on time."""
    due_ms = 1_000 * (NOON + slot + length)
    return Row(
        seq=0,
        slot=NOON + slot,
        slot_seconds=length,
        kind=kind,
        mode="local",
        k=12,
        noisy_sum=1_000,
        scale=10_000.0,
        spend_micro=12_000_000,
        unit="window",
        preset="hour",
        epsilon=1.0,
        due_ms=due_ms,
        boot_id=boot_id,
        boot_ms=due_ms - 1_000 * NOON if boot_ms is None else boot_ms,
    )


def put(ledger: Ledger, one: Row, stamps: tuple[Stamp, ...] = (), body: bytes | None = None) -> int:
    with ledger.transaction():
        seq = ledger.insert(one, stamps)
        if body is not None:
            ledger.insert_body(seq, "active", body)
    return seq


def test_a_release_is_found_again_with_its_windows_and_body(ledger: Ledger) -> None:
    stamps = (Stamp(1_000 * NOON, 5, 5_003, "a"), Stamp(1_000 * NOON + 300_000, 300_005, 5_004, "a"))
    seq = put(ledger, row(0), stamps, b"{}\n")
    found = ledger.find(NOON, "slot")
    assert found is not None
    assert (found.seq, found.spend_micro, found.noisy_sum) == (seq, 12_000_000, 1_000)
    assert ledger.find(NOON, "first") is None
    assert ledger.stamps(seq) == stamps
    assert ledger.last_stamp() == stamps[-1]
    assert ledger.newest_body() == (seq, "active", b"{}\n")
    assert ledger.has_body(seq, b"{}\n")
    assert not ledger.has_body(seq, b"{} ")


def test_a_second_release_of_a_slot_and_kind_is_refused(ledger: Ledger) -> None:
    put(ledger, row(0))
    with pytest.raises(LedgerError, match="second release") as error:
        put(ledger, row(0))
    assert error.value.code == "ledger_conflict"
    put(ledger, row(0, kind="first"))
    assert len(ledger.rows()) == 2


def test_a_window_in_a_second_release_is_refused_with_all_of_it(ledger: Ledger) -> None:
    window = Stamp(1_000 * NOON, 5, 5_003, "a")
    put(ledger, row(0), (window,), b"1")
    with pytest.raises(LedgerError):
        put(ledger, row(3_600), (window,), b"2")
    assert [r.slot for r in ledger.rows()] == [NOON]
    assert ledger.newest_body() == (1, "active", b"1")


def test_a_spend_of_nothing_is_refused(ledger: Ledger) -> None:
    free = row(0)
    with pytest.raises(LedgerError):
        put(ledger, Row(**{**{name: getattr(free, name) for name in Row.__slots__}, "spend_micro": 0}))


def _fail(ledger: Ledger, error: type[BaseException]) -> None:
    with ledger.transaction():
        ledger.insert(row(0), ())
        raise error


def test_an_error_of_any_kind_takes_all_of_a_transaction_back(ledger: Ledger) -> None:
    for error in (ValueError, SystemExit, KeyboardInterrupt):
        with pytest.raises(error):
            _fail(ledger, error)
    assert ledger.rows() == []
    assert put(ledger, row(0)) == 1


def test_seq_never_goes_back_even_after_everything_was_deleted(ledger: Ledger) -> None:
    put(ledger, row(0))
    ledger._db.execute("DELETE FROM releases")
    assert put(ledger, row(3_600)) == 2


def test_a_carried_row_is_no_release(ledger: Ledger) -> None:
    put(ledger, row(0, kind=CARRIED))
    assert ledger.last() is None
    assert len(ledger.rows()) == 1


def test_24_hours_of_slots_count_and_no_more() -> None:
    day_of_slots = [row(3_600 * i, boot_id="gone") for i in range(-30, 1)]
    counting = [r for r in day_of_slots if counts(r, NOON, 3_600, "a", 0)]
    assert len(counting) == 24
    assert counting[0].slot == NOON - 23 * 3_600


def test_a_longer_slot_counts_while_it_reaches_into_the_24_hours() -> None:
    """After a change of settings: a slot of a whole day that ended 23 hours before this one ends."""
    whole_day = row(-DAY - 3_600, length=DAY, boot_id="gone")
    assert counts(whole_day, NOON - 3_600, 3_600, "a", 0)
    assert counts(whole_day, NOON + 22 * 3_600 - 3_600, 3_600, "a", 0)
    assert not counts(whole_day, NOON + 22 * 3_600, 3_600, "a", 0)


def test_a_jump_of_the_clock_frees_nothing_within_a_boot() -> None:
    spent = row(0)
    jumped = NOON + 2 * DAY
    assert counts(spent, jumped, 3_600, "a", spent.boot_ms + 1_000 * DAY - 60_001)
    assert not counts(spent, jumped, 3_600, "a", spent.boot_ms + 1_000 * DAY)
    assert not counts(spent, jumped, 3_600, "b", spent.boot_ms)


def test_sql_and_python_agree_on_what_counts(ledger: Ledger) -> None:
    rng = random.Random(5)
    lengths = (300, 3_600, 21_600, DAY)
    with ledger.transaction():
        for number, length in itertools.product(range(-60, 40), (300, 3_600)):
            ledger.insert(row(number * length, length=length, kind=f"slot{length}", boot_id=rng.choice("ab")), ())
    everything = ledger.rows()
    for _ in range(200):
        length = rng.choice(lengths)
        at = (NOON + rng.randrange(-60, 100) * length, length, rng.choice("ab"), rng.randrange(-DAY, 3 * DAY) * 1_000)
        assert ledger.in_horizon(*at) == [r for r in everything if counts(r, *at)]


def test_retention_bodies_and_values_30_days_rows_400(ledger: Ledger) -> None:
    for number, day in enumerate((0, 10, 395, 399, 400, 420, 500)):
        window = Stamp(1_000 * (NOON + day * DAY), number, 5_003, "gone")
        seq = put(ledger, row(day * DAY, boot_id="gone"), (window,), b"%d" % day)
    newest = row(430 * DAY)
    with ledger.transaction():
        ledger.forget(newest)
    kept = {(r.slot - NOON) // DAY: r.noisy_sum for r in ledger.rows()}
    assert kept == {395: None, 399: None, 400: 1_000, 420: 1_000, 500: 1_000}
    assert {r.slot for r in ledger.rows()} >= {NOON + 500 * DAY}
    bodies = [bytes(b) for (b,) in ledger._db.execute("SELECT body FROM bodies ORDER BY id")]
    assert bodies == [b"400", b"420", b"500"]
    assert len(ledger.stamps(seq)) == 1
    assert ledger._db.execute("SELECT COUNT(*) FROM windows").fetchone() == (5,)


def test_the_newest_body_and_row_stay_however_old(ledger: Ledger) -> None:
    put(ledger, row(0, boot_id="gone"), (Stamp(1_000 * NOON, 5, 5_003, "gone"),), b"old")
    with ledger.transaction():
        ledger.forget(row(500 * DAY))
    assert ledger.newest_body() == (1, "active", b"old")
    assert ledger.last_stamp() is not None


def test_a_jump_of_500_days_forgets_nothing_that_still_counts(ledger: Ledger) -> None:
    for number in range(3):
        put(ledger, row(3_600 * number), body=b"%d" % number)
    jumped = row(500 * DAY, boot_ms=row(7_200).boot_ms + 60_000)
    put(ledger, jumped, body=b"new")
    with ledger.transaction():
        ledger.forget(jumped)
    assert len(ledger.in_horizon(jumped.slot, 3_600, "a", jumped.boot_ms)) == 4


def test_a_damaged_table_is_told_not_released_over(ledger: Ledger) -> None:
    ledger._db.execute("PRAGMA foreign_keys = OFF")
    ledger._db.execute("DROP TABLE releases")
    with pytest.raises(LedgerError, match="nothing is released"):
        ledger.last()
    with pytest.raises(LedgerError, match="cannot be written"):
        put(ledger, row(0))
