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
LEDGER_BYTES = 16
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
    "valued": NO_SLOT,
    "other": 0,
    "other_scale": 0,
}


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
        self.ledger = bytearray()
        self.older: dict[int, dict[bytes, int]] = {}

    def add(self, name: bytes) -> int:
        """Row for a new datasite."""
        row = self.index[name] = len(self.index)
        for column, value in _COLUMNS.items():
            getattr(self, column).append(value)
        self.ledger += bytes(LEDGER_BYTES)
        return row

    def ledger_of(self, row: int) -> bytes:
        """Name of the ledger of the newest release."""
        return bytes(self.ledger[row * LEDGER_BYTES : (row + 1) * LEDGER_BYTES])

    def set_ledger(self, row: int, ledger: bytes) -> None:
        """Remember `ledger`, and the one before it among the older ones."""
        before = self.ledger_of(row)
        if before == ledger:
            return
        if self.slot[row] != NO_SLOT:
            older = self.older.setdefault(row, {})
            older[before] = self.seq[row]
            while len(older) > OLDER_LEDGERS:
                del older[next(iter(older))]
        self.ledger[row * LEDGER_BYTES : (row + 1) * LEDGER_BYTES] = ledger

    def without(self, gone: set[int]) -> tuple[Store, dict[int, int]]:
        """A store without those rows, and old row -> new row of the others."""
        fresh, moved = Store(), {}
        for name, row in self.index.items():
            if row in gone:
                continue
            new = moved[row] = fresh.add(name)
            for column in _COLUMNS:
                getattr(fresh, column)[new] = getattr(self, column)[row]
            fresh.ledger[new * LEDGER_BYTES :] = self.ledger_of(row)
            if row in self.older:
                fresh.older[new] = self.older[row]
        return fresh, moved

    def dump(self) -> bytes:
        """What must outlive a restart, as bytes for `load`."""
        names = b"\0".join(self.index)
        older = {str(row): {k.hex(): seq for k, seq in ledgers.items()} for row, ledgers in self.older.items()}
        head = {"format": _FORMAT, "rows": len(self.index), "names": len(names), "older": older}
        columns = (self.slot.tobytes(), self.seq.tobytes(), self.valued.tobytes(), bytes(self.ledger))
        return b"".join((json.dumps(head).encode(), b"\n", names, *columns))

    @classmethod
    def load(cls, data: bytes, closed: int) -> Store:
        """The store of `dump`; files are read again. A value taken for a slot after `closed` has to come again."""
        store = cls()
        line, _, rest = data.partition(b"\n")
        head = json.loads(line)
        if head["format"] != _FORMAT:
            return store
        for name in rest[: head["names"]].split(b"\0") if head["rows"] else ():
            store.add(name)
        at, width = head["names"], 8 * head["rows"]
        for column in (store.slot, store.seq, store.valued):
            column[:] = array("q", rest[at : at + width])
            at += width
        store.ledger[:] = rest[at:]
        store.older = {
            int(row): {bytes.fromhex(k): seq for k, seq in ledgers.items()} for row, ledgers in head["older"].items()
        }
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
