"""One look at every datasite: reads what may have changed, judges it. All that other people wrote comes in here."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from cpu_aggregator.errors import BodyRefusedError
from cpu_aggregator.judge import judge
from cpu_aggregator.policy import NAMES
from cpu_aggregator.reasons import CODES, NUMBER
from cpu_aggregator.store import ABSENT, Pending, Store
from cpu_aggregator.tree import PLACES

if TYPE_CHECKING:
    from cpu_aggregator.body import Reader
    from cpu_aggregator.tree import Tree

_RACY_NS = 1_000_000_000  # a file changed that recently may change again within the same tick of its time stamps
_MOST_GONE = 1_000  # rows of vanished datasites that are kept before the store is packed
_CHUNK = 256  # files read before they are judged: 200 kB
_TORN = (NUMBER["empty"], NUMBER["json"])


class Scanner:
    """Keeps `store` and `pending` up to date with the tree.

    Attributes:
        store: what is remembered of each datasite.
        pending: slot start -> values that wait for its result.
        reads: files looked at since the start, by number of the reason code.
    """

    def __init__(self, tree: Tree, reader: Reader, store: Store) -> None:
        self.store = store
        self.pending: dict[int, Pending] = {}
        self.reads = [0] * len(CODES)
        self._tree = tree
        self._reader = reader

    def scan(self, *, now: float, newest: int, closed: int) -> list[bytes]:
        """Look at every datasite once. Returns those whose file was empty or half-written: worth another look.

        Args:
            now: unix seconds.
            newest: start of the newest slot that has ended: who has released it is not expected to change soon.
            closed: start of the newest slot whose result is computed.

        Raises:
            TreeError: the folder cannot be read; everything is as it was.
        """
        names = self._tree.datasites()
        store, index = self.store, self.store.index
        store.add([name for name in names if name not in index])
        keys, slots, places = store.key, store.slot, store.place
        changed = []
        torn: list[bytes] = []
        for name in names:
            row = index[name]
            key = keys[row]
            # Not expected to change: a stat tells, at half the price of opening.
            if key and slots[row] >= newest and self._tree.key(name + PLACES[places[row]]) == key:
                continue
            raw = self._fetch(name, row, now)
            if raw is not None:
                changed.append((name, row, raw))
                if len(changed) == _CHUNK:
                    torn += self._take(changed, now, closed)
                    changed.clear()
        torn += self._take(changed, now, closed)
        if len(names) < len(index):
            self._vanished(set(names))
        return torn

    def look_again(self, names: list[bytes], *, now: float, closed: int) -> None:
        """Read those once more."""
        rows = [(name, self.store.index[name]) for name in names]
        fetched = [(name, row, self._fetch(name, row, now)) for name, row in rows]
        self._take([(name, row, raw) for name, row, raw in fetched if raw is not None], now, closed)

    def _fetch(self, name: bytes, row: int, now: float) -> bytes | None:
        """Content of this datasite's file; None when it is unchanged, absent or refused as it lies there."""
        store = self.store
        code = ABSENT
        for place, below in enumerate(PLACES):
            try:
                key, changed_ns, raw = self._tree.fetch(name + below, store.key[row])
            except (FileNotFoundError, NotADirectoryError):
                continue
            except BodyRefusedError as error:
                code = NUMBER[error.reason]
            except OSError as error:
                code = NUMBER["link" if error.errno == errno.ELOOP else "unreadable"]
            else:
                if raw is not None:
                    store.key[row] = 0 if changed_ns > now * 1e9 - _RACY_NS else key
                    store.place[row] = place
                return raw
            self.reads[code] += 1
            break
        store.key[row] = store.other[row] = 0
        store.code[row] = code
        return None

    def _take(self, changed: list[tuple[bytes, int, bytes]], now: float, closed: int) -> list[bytes]:
        """Judge those contents. Returns the names of torn ones.

        Apart from `_fetch` and in chunks: a fifth faster than file by file, as the processor's caches like it.
        """
        store, read = self.store, self._reader.read
        torn = []
        for name, row, raw in changed:
            store.other[row] = 0
            try:
                code = judge(store, self.pending, row, read(raw), now=now, closed=closed)
            except BodyRefusedError as error:
                code = NUMBER[error.reason]
                if error.preset:
                    store.other[row] = 1 + NAMES.index(error.preset)
                    store.other_scale[row] = error.scale_pp
                if code in _TORN and not store.key[row]:
                    torn.append(name)
            store.code[row] = code
            self.reads[code] += 1
        return torn

    def _vanished(self, names: set[bytes]) -> None:
        """Mark datasites that are gone; when they are many, give their rows back."""
        store = self.store
        gone = {row for name, row in store.index.items() if name not in names}
        for row in gone:
            store.code[row], store.key[row] = ABSENT, 0
        if len(gone) > max(_MOST_GONE, len(store.index) // 2):
            awaited = {row for waiting in self.pending.values() for row in waiting.row}
            self.store, moved = store.without(gone - awaited)
            for waiting in self.pending.values():
                for at, row in enumerate(waiting.row):
                    waiting.row[at] = moved[row]
