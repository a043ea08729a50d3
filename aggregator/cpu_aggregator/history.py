"""The results of all slots, in SQLite: each in one durable transaction, so that kill -9 loses or doubles none.

A rollback journal and not WAL: the state folder may be a mount whose shared memory does not cross a virtual machine.
journal_mode=TRUNCATE with synchronous=FULL: DELETE with FULL leaves the folder unsynced after the journal's unlink.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

from cpu_aggregator.errors import HistoryError
from cpu_aggregator.series import HOUR_SECONDS, thin
from cpu_aggregator.view import Estimate, Point

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1
DAY_SECONDS = 86_400
_BUSY_SECONDS = 5.0  # another `once` or `export` may be at it
# One result per slot is the tables' own law. Estimate columns are null where fewer than the minimum were counted.
_TABLES = "".join(
    f"CREATE TABLE {name} (slot INTEGER PRIMARY KEY, slot_seconds INTEGER NOT NULL, n INTEGER NOT NULL,"
    " headline REAL, plain REAL, median REAL, noise_pp REAL, total_pp REAL, smoothed REAL, smoothed_pp REAL,"
    " reasons TEXT NOT NULL) STRICT;"
    for name in ("result", "hourly")  # hourly: means over an hour's results, kept for good
)
_TABLES += "CREATE TABLE seen (id INTEGER PRIMARY KEY CHECK (id = 1), store BLOB NOT NULL) STRICT;"
_COLUMNS = "slot, slot_seconds, n, headline, plain, median, noise_pp, total_pp, smoothed, smoothed_pp, reasons"
_MARKS = ", ".join("?" * (_COLUMNS.count(",") + 1))


class History:
    """One file, one connection, usable from several threads.

    Args:
        path: the file; made when missing. Its folder must exist.

    Raises:
        HistoryError: not a history of this version, damaged, or the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=TRUNCATE")
            self._db.execute("PRAGMA synchronous=FULL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._db.executescript(f"BEGIN IMMEDIATE;{_TABLES}PRAGMA user_version={SCHEMA};COMMIT")
            elif version != SCHEMA:
                raise HistoryError(f"{path} is a history of version {version}; this program knows {SCHEMA}")
        except sqlite3.Error as error:
            raise self._error("open", error) from None

    def add(self, point: Point, store: bytes) -> None:
        """One slot's result and what was seen of each datasite, together or not at all.

        Raises:
            HistoryError: the slot has a result already, or the disk refuses.
        """
        with self._lock:
            self._transaction(
                (f"INSERT INTO result ({_COLUMNS}) VALUES ({_MARKS})", _row(point)),  # noqa: S608 - own constants
                ("INSERT OR REPLACE INTO seen VALUES (1, ?)", (store,)),
            )

    def store(self) -> bytes | None:
        """What `add` was given last."""
        rows = self._read("SELECT store FROM seen", ())
        return rows[0][0] if rows else None

    def last(self, *, estimated: bool = False) -> Point | None:
        """The newest slot, or the newest one with an estimate."""
        where = "WHERE headline IS NOT NULL" if estimated else ""
        rows = self._read(f"SELECT {_COLUMNS} FROM result {where} ORDER BY slot DESC LIMIT 1", ())  # noqa: S608 - own constants
        return _point(rows[0]) if rows else None

    def results(self, limit: int) -> tuple[Point, ...]:
        """The newest slots with an estimate, at most `limit`, oldest first."""
        query = f"SELECT {_COLUMNS} FROM result WHERE headline IS NOT NULL ORDER BY slot DESC LIMIT ?"  # noqa: S608 - own constants
        return tuple(_point(row) for row in reversed(self._read(query, (limit,))))

    def points(self, start: float, end: float) -> tuple[Point, ...]:
        """Slots that start in [start, end], oldest first: hourly means where single results are gone."""
        rows = self._read(
            f"SELECT {_COLUMNS} FROM hourly WHERE slot BETWEEN ?1 AND ?2"  # noqa: S608 - own constants
            f" AND slot < coalesce((SELECT min(slot) FROM result), slot + 1)"
            f" UNION ALL SELECT {_COLUMNS} FROM result WHERE slot BETWEEN ?1 AND ?2 ORDER BY slot",
            (int(start), int(end)),
        )
        return tuple(_point(row) for row in rows)

    def first(self) -> int | None:
        """Start of the oldest slot that is kept; None for an empty history."""
        query = "SELECT min(slot) FROM (SELECT min(slot) AS slot FROM hourly UNION ALL SELECT min(slot) FROM result)"
        slot: int | None = self._read(query, ())[0][0]
        return slot

    def prune(self, now: float, retention_days: int) -> int:
        """Results older than that become hourly means, which stay for good. Returns how many single ones went.

        Slots of an hour or more stay as they are, in the hourly table.
        """
        before = int(now) - retention_days * DAY_SECONDS
        before -= before % DAY_SECONDS  # whole days: an hour is never cut in two
        old = [_point(row) for row in self._read(f"SELECT {_COLUMNS} FROM result WHERE slot < ?", (before,))]  # noqa: S608 - own constants
        if not old:
            return 0
        insert = f"INSERT OR IGNORE INTO hourly ({_COLUMNS}) VALUES ({_MARKS})"  # noqa: S608 - own constants
        steps: list[tuple[str, tuple[Any, ...]]] = [(insert, _row(p)) for p in thin(old, HOUR_SECONDS)]
        with self._lock:
            self._transaction(*steps, ("DELETE FROM result WHERE slot < ?", (before,)))
        return len(old)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _transaction(self, *steps: tuple[str, tuple[Any, ...]]) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for statement, values in steps:
                self._db.execute(statement, values)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise self._error("write", error) from None

    def _read(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        try:
            with self._lock:
                return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._error("read", error) from None

    def _error(self, what: str, error: sqlite3.Error) -> HistoryError:
        return HistoryError(
            f"cannot {what} the history {self._path} ({error}); free disk space or give this user the folder; a damaged"
            " file can be moved away: a new one is made, the results so far stay in the old"
        )


def _row(p: Point) -> tuple[Any, ...]:
    e = p.estimate
    values = (
        (None,) * 7 if e is None else (e.headline, e.plain, e.median, e.noise_pp, e.total_pp, e.smoothed, e.smoothed_pp)
    )
    return (p.slot, p.span_seconds, p.n, *values, json.dumps(dict(p.reasons)))


def _point(row: Any) -> Point:  # noqa: ANN401 - sqlite3 gives tuples of anything
    slot, span, n, headline, *rest, reasons = row
    return Point(slot, span, n, None if headline is None else Estimate(headline, *rest), json.loads(reasons))
