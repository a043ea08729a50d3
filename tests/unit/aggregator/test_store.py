"""What is remembered between rounds and across restarts."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from cpu_aggregator.store import ABSENT, NO_SLOT, Pending, Store

if TYPE_CHECKING:
    from array import array


def filled(names: int = 5) -> Store:
    store = Store()
    store.add([f"user{number}\n<b>@example.com".encode() for number in range(names)])
    for row in range(names):
        store.believe(row, ledger=1_000 + row, seq=row + 1, slot=3_600 * row)
        store.valued[row] = 3_600 * row
    store.believe(2, ledger=77, seq=1, slot=9_000)
    return store


def test_a_restart_keeps_releases_and_ledgers_and_reads_files_again() -> None:
    store = filled()
    again = Store.load(store.dump(), closed=3_600 * 10)
    for name in ("slot", "seq", "ledger", "valued"):
        assert getattr(again, name) == getattr(store, name)
    assert again.index == store.index
    assert again.older == {2: {1_002: 3}}
    assert set(again.key) == {0}
    assert set(again.code) == {ABSENT}


def test_a_value_whose_slot_is_not_computed_has_to_come_again() -> None:
    again = Store.load(filled().dump(), closed=3_600)
    assert list(again.valued) == [0, 3_600, NO_SLOT, NO_SLOT, NO_SLOT]


def test_an_empty_store_survives_too() -> None:
    assert Store.load(Store().dump(), closed=0).index == {}


def test_packing_keeps_what_the_others_had() -> None:
    store = filled()
    packed, moved = store.without({0, 3})
    assert moved == {1: 0, 2: 1, 4: 2}
    assert [packed.seq[new] for new in moved.values()] == [store.seq[old] for old in moved]
    assert packed.older == {1: {1_002: 3}}
    assert list(packed.index.values()) == [0, 1, 2]


def test_a_hundred_thousand_rows_stay_within_three_hundred_bytes_each() -> None:
    """By the sizes of the columns; the bench measures the whole with tracemalloc."""
    store, waiting = Store(), Pending()
    columns: list[array[int] | array[float]] = [store.key, store.place, store.code, store.slot, store.seq, store.ledger]
    columns += [store.valued, store.other, store.other_scale]
    arrays = [*columns, waiting.row, waiting.cpu, waiting.windows, waiting.preset]
    name, row, table = 33 + 40, 28, 24 * 3 // 2 + 16
    assert sum(column.itemsize for column in arrays) * 9 // 8 + name + row + table < 300


def test_dump_of_many_is_the_same_after_a_round_trip() -> None:
    rng = random.Random(3)
    store = Store()
    store.add([f"{rng.getrandbits(64):x}@example.com".encode() for _ in range(500)])
    for row in range(500):
        store.believe(row, rng.getrandbits(60), rng.randrange(1, 99), 3_600 * rng.randrange(9))
    assert Store.load(store.dump(), 0).dump() == store.dump()
