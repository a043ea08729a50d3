"""What may be averaged, given what a datasite released before."""

from __future__ import annotations

import random

import pytest
from tests.unit.aggregator.sites import HOUR, SLOT, raw

from cpu_aggregator import policy
from cpu_aggregator.body import Reader
from cpu_aggregator.judge import judge
from cpu_aggregator.reasons import CODES
from cpu_aggregator.store import OLDER_LEDGERS, Pending, Store

A, B = "a" * 32, "b" * 32


class One:
    """One datasite and its judge."""

    def __init__(self, accepted: policy.Policy | None = None) -> None:
        self.reader = Reader(accepted or policy.make(("hour",), ()))
        self.store = Store()
        self.store.add([b"alice@example.com"])
        self.pending: dict[int, Pending] = {}

    def says(
        self, content: bytes | None = None, *, now: float | None = None, closed: int = SLOT - HOUR, **changes: object
    ) -> str:
        body = self.reader.read(content or raw(**changes))
        moment = body.frame.due + 1.0 if now is None else now
        number = judge(self.store, self.pending, 0, body, now=moment, closed=closed)
        self.store.code[0] = number
        return CODES[number]

    @property
    def values(self) -> dict[int, list[float]]:
        return {slot: list(waiting.cpu) for slot, waiting in self.pending.items()}


def test_a_value_waits_once_however_often_it_is_read() -> None:
    one = One()
    assert [one.says(seq=5), one.says(seq=5, nonce="0" * 32)] == ["waiting", "waiting"]
    assert one.says(seq=5, status="paused", resumes_slot=SLOT + 5 * HOUR) == "waiting"
    assert one.values == {SLOT: [23.5]}
    assert one.says(seq=5, closed=SLOT) == "counted"


@pytest.mark.parametrize("k", [6, 7, 12])
def test_half_of_the_windows_is_enough(k: int) -> None:
    assert One().says(windows=k) == "waiting"


@pytest.mark.parametrize("k", [1, 5])
def test_fewer_than_half_is_warming_up(k: int) -> None:
    one = One()
    assert one.says(windows=k) == "warming_up"
    assert not one.values


def test_the_first_window_is_never_averaged_and_its_slot_follows() -> None:
    one = One()
    assert one.says(kind="first", windows=1, seq=1, timestamp="2026-11-24 12:05:00") == "first"
    assert one.says(seq=2, windows=11) == "waiting"
    assert one.values == {SLOT: [23.5]}


def test_a_slot_that_is_computed_takes_nothing_more() -> None:
    one = One()
    assert one.says(closed=SLOT) == "late"
    assert one.says(closed=SLOT) == "late"
    assert not one.values


def test_a_second_value_for_a_slot_is_refused() -> None:
    one = One()
    assert one.says(seq=5) == "waiting"
    assert one.says(seq=6) == "slot_back"
    assert one.says(seq=1, ledger_id=B) == "slot_back"
    assert one.values == {SLOT: [23.5]}


def test_numbers_go_forward_within_a_ledger_and_slots_never_back() -> None:
    one = One()
    assert one.says(seq=5, ledger_id=A) == "waiting"
    assert one.says(seq=5, ledger_id=A, slot=SLOT + HOUR) == "seq_back"
    assert one.says(seq=4, ledger_id=A, slot=SLOT + HOUR) == "seq_back"
    assert one.says(seq=6, ledger_id=A, slot=SLOT - HOUR) == "slot_back"
    assert one.says(seq=6, ledger_id=A, slot=SLOT + HOUR) == "waiting"
    assert one.says(seq=1, ledger_id=B, slot=SLOT + 2 * HOUR) == "waiting"
    # an earlier ledger is remembered: a restored backup cannot release its numbers again
    assert one.says(seq=6, ledger_id=A, slot=SLOT + 3 * HOUR) == "seq_back"
    assert one.says(seq=7, ledger_id=A, slot=SLOT + 3 * HOUR) == "waiting"


def test_a_slot_never_goes_back_even_when_the_newest_gave_no_value() -> None:
    one = One()
    assert one.says(seq=5, slot=SLOT + HOUR, windows=3) == "warming_up"
    assert one.says(seq=6, slot=SLOT) == "slot_back"
    assert not one.values


def test_endless_ledgers_do_not_grow_the_store() -> None:
    one = One()
    for number in range(20):
        one.says(seq=1, ledger_id=f"{number:015x}" + "0" * 17, slot=SLOT + number * HOUR)
    assert len(one.store.older[0]) == OLDER_LEDGERS


def test_what_is_due_in_the_future_is_refused_and_leaves_no_trace() -> None:
    one = One()
    assert one.says(slot=SLOT + 10 * HOUR, now=SLOT) == "future"
    assert one.says() == "waiting"


def test_old_files_count_once_a_slot() -> None:
    one = One(policy.make(("legacy",), ()))
    first = b'{"cpu": 10.0, "timestamp": "2026-11-24 12:10:00"}'
    second = b'{"cpu": 90.0, "timestamp": "2026-11-24 12:10:30"}'
    following = b'{"cpu": 30.0, "timestamp": "2026-11-24 13:00:30"}'
    assert [one.says(first), one.says(second), one.says(following)] == ["waiting"] * 3
    assert one.values == {SLOT: [10.0], SLOT + HOUR: [30.0]}


def test_whatever_a_datasite_writes_it_has_one_value_a_slot() -> None:
    seed = 7
    rng = random.Random(seed)
    for _ in range(30):
        one = One()
        for _ in range(40):
            one.says(
                seq=rng.randrange(1, 6),
                slot=SLOT + HOUR * rng.randrange(4),
                windows=rng.choice((3, 6, 12)),
                ledger_id=rng.choice((A, B)),
                closed=SLOT + HOUR * rng.randrange(-1, 2),
            )
        assert all(len(waiting.row) == 1 for waiting in one.pending.values()), seed
