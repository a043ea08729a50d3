"""What is remembered of each datasite between rounds: some 200 bytes each, in arrays beside one table of names.

Never a value: those live in `Pending` until their slot's result is computed. What must outlive a restart (which
release of which ledger was the last, and which slot already has a value) goes through `dump` and `load`.
"""

from __future__ import annotations

import json
from array import array

from cpu_aggregator.reasons import NUMBER

ABSENT = 255  # no file; not a reason code
NO_SLOT = -1
OLDER_LEDGERS = 4  # earlier ledgers of one datasite that are remembered: a reinstall now and then
_FORMAT = 1
WAITING, COUNTED = NUMBER["waiting"], NUMBER["counted"]
# column -> its value in a new row
_COLUMNS = {
    "key": 0,
    "place": 0,
    "code": ABSENT,
    "slot": NO_SLOT,
    "seq": 0,
    "ledger": 0,
    "valued": NO_SLOT,
    "other": 0,
    "other_scale": 0,
}
_KEPT = ("slot", "seq", "ledger", "valued")


class Store:
    """Columns; row i is the datasite with `index[name] == i`, in the table's order.

    Attributes:
        index: folder name -> row.
        key: what the file's stat was when it was read (a hash); 0: read it again.
        place: which of the tree's places the file was in.
        code: number of the reason code, or ABSENT.
        slot, seq, ledger: of the newest release that was believed; NO_SLOT before the first.
        valued: the slot of the last value that was taken.
        other, other_scale: number of the preset's name + 1 that alone kept the file out (0: none) and its scale (pp)
            if it could be averaged under a wider policy.
        older: row -> {earlier ledger: its last seq}.
    """

    def __init__(self) -> None:
        self.index: dict[bytes, int] = {}
        self.key = array("q")
        self.place = array("B")
        self.code = array("B")
        self.slot = array("q")
        self.seq = array("q")
        self.valued = array("q")
        self.other = array("B")
        self.other_scale = array("f")
        self.ledger = array("q")
        self.older: dict[int, dict[int, int]] = {}

    def add(self, names: list[bytes]) -> None:
        """Rows for new datasites."""
        rows = len(self.index)
        self.index.update((name, rows + number) for number, name in enumerate(names))
        for name, value in _COLUMNS.items():
            column = getattr(self, name)
            column.extend(array(column.typecode, [value]) * len(names))

    def believe(self, row: int, ledger: int, seq: int, slot: int) -> None:
        """Remember this release as the newest, and the ledger before it among the older ones."""
        if self.ledger[row] != ledger:
            if self.slot[row] != NO_SLOT:
                older = self.older.setdefault(row, {})
                older[self.ledger[row]] = self.seq[row]
                while len(older) > OLDER_LEDGERS:
                    del older[next(iter(older))]
            self.ledger[row] = ledger
        self.seq[row] = seq
        self.slot[row] = slot

    def without(self, gone: set[int]) -> tuple[Store, dict[int, int]]:
        """A store without those rows, and old row -> new row of the others."""
        fresh, moved = Store(), {}
        kept = [(name, row) for name, row in self.index.items() if row not in gone]
        fresh.add([name for name, _ in kept])
        for new, (_, row) in enumerate(kept):
            moved[row] = new
            for column in _COLUMNS:
                getattr(fresh, column)[new] = getattr(self, column)[row]
            if row in self.older:
                fresh.older[new] = self.older[row]
        return fresh, moved

    def dump(self) -> bytes:
        """What must outlive a restart, as bytes for `load`."""
        names = b"\0".join(self.index)
        head = {"format": _FORMAT, "rows": len(self.index), "names": len(names), "older": self.older}
        columns = (getattr(self, name).tobytes() for name in _KEPT)
        return b"".join((json.dumps(head).encode(), b"\n", names, *columns))

    @classmethod
    def load(cls, data: bytes, closed: int) -> Store:
        """The store of `dump`; files are read again. A value taken for a slot after `closed` has to come again."""
        store = cls()
        line, _, rest = data.partition(b"\n")
        head = json.loads(line)
        if head["format"] != _FORMAT:
            return store
        if head["rows"]:
            store.add(rest[: head["names"]].split(b"\0"))
        at, width = head["names"], 8 * head["rows"]
        for name in _KEPT:
            setattr(store, name, array("q", rest[at : at + width]))
            at += width
        store.older = {int(row): {int(k): seq for k, seq in ledgers.items()} for row, ledgers in head["older"].items()}
        for row, slot in enumerate(store.valued):
            if slot > closed:
                store.valued[row] = NO_SLOT
        return store


class Pending:
    """Values of one slot that wait for its result: 15 bytes each.

    Attributes:
        row: rows of the store, each at most once.
        cpu: published values, percent.
        windows: k of each.
        preset: number in the policy of each.
    """

    def __init__(self) -> None:
        self.row = array("i")
        self.cpu = array("d")
        self.windows = array("H")
        self.preset = array("B")

    def add(self, row: int, cpu: float, windows: int, preset: int) -> None:
        """Take one value."""
        self.row.append(row)
        self.cpu.append(cpu)
        self.windows.append(windows)
        self.preset.append(preset)
