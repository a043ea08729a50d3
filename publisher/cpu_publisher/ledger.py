"""The ledger: the durable record of releases, of ε spent, and of every body that was ever made visible.

SQLite with a rollback journal: locks and WAL do not cross the VM of Docker Desktop. `journal_mode=TRUNCATE` with
`synchronous=FULL`, because DELETE with FULL leaves the folder unsynced after the journal's unlink (by strace), so that
a power cut could take back a spend already published.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpu_publisher import ledger_schema
from cpu_publisher.errors import LedgerError
from cpu_publisher.pool import Stamp
from cpu_publisher.presets import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FOLLOWS = "follows"  # meta: SHA-256 of the public file that was there when the ledger was made
CARRIED = "carried"  # kind of the row that stands for spend we cannot know: it counts as a whole cap
BODY_DAYS = 30
ROW_DAYS = 400
STEP_TOLERANCE_MS = 60_000  # what UTC may be corrected by in 24 h without counting as a forward jump
BOOT_HORIZON_MS = 1_000 * DAY_SECONDS - STEP_TOLERANCE_MS


@dataclass(frozen=True, slots=True)
class Identity:
    """What a ledger was born with.

    Attributes:
        ledger_id: 128 random bits in hex.
        phase_ppm: the host's phase as a share of its largest value, in millionths.
        day_ppm: which sample interval of a day is the one accepted (day-sampled), as a share of the day.
        mode: `container` or `app`: which kind of publisher keeps this ledger.
    """

    ledger_id: str
    phase_ppm: int
    day_ppm: int
    mode: str


@dataclass(frozen=True, slots=True)
class Row:
    """One release, or a carried spend. Never a raw mean.

    Attributes:
        seq: its number from 1; 0 before it is recorded.
        slot, slot_seconds: the slot it releases.
        kind: `slot`, `first` or `carried`.
        mode: how the noisy value leaves the machine; `local`: as the public file.
        k: windows pooled.
        noisy_sum: sum of the window means with noise, hundredths of a percent; None for carried or after retention.
        scale: b of the noise on the sum.
        spend_micro: micro-ε at full range, rounded up; in ε it is also k·Δ / scale, what Rényi accounting needs.
        unit, preset, epsilon: the setting in force.
        due_ms: unix time at which it was due.
        boot_id, boot_ms: this boot, and CLOCK_BOOTTIME at the due time.
    """

    seq: int
    slot: int
    slot_seconds: int
    kind: str
    mode: str
    k: int
    noisy_sum: int | None
    scale: float
    spend_micro: int
    unit: str
    preset: str
    epsilon: float
    due_ms: int
    boot_id: str
    boot_ms: int


def counts(row: Row, slot: int, slot_seconds: int, boot_id: str, boot_ms: int) -> bool:
    """Whether `row` counts against the cap for a release of `slot` that is due at `boot_ms` of this boot.

    It does if its slot reaches into the 24 h of slots that end with that one (slots may differ in length), or if it was
    due less than 24 h of CLOCK_BOOTTIME before, so that a forward jump of the clock frees no budget.
    """
    by_utc = row.slot + row.slot_seconds > slot + slot_seconds - DAY_SECONDS
    return by_utc or (row.boot_id == boot_id and row.boot_ms > boot_ms - BOOT_HORIZON_MS)


_COLUMNS = tuple(Row.__slots__)
# Rows past their time; the newest one and whatever a body still belongs to stay.
_GONE = (
    "SELECT seq FROM releases WHERE slot < ? AND seq NOT IN (SELECT seq FROM bodies)"
    " AND seq < (SELECT MAX(seq) FROM releases) AND NOT (boot_id = ? AND boot_ms > ?)"
)


class Ledger:
    """An open ledger file. Its holder has the private folder's lock; calls are serialised by the session."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open an existing ledger; `read_only` beside a running publisher.

        Raises:
            LedgerError: `ledger_corrupt`, `ledger_newer`, `ledger_unusable`, with what to do.
        """
        self._db = ledger_schema.connect(path, read_only=read_only)
        meta = ledger_schema.read_meta(self._db, path)
        try:
            self.identity = Identity(**{name: meta[name] for name in Identity.__slots__})
            self.follows: str = meta[FOLLOWS]
        except KeyError as error:
            self.close()
            raise LedgerError("ledger_corrupt", f"{path} lacks {error}: it is no ledger") from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One durable transaction: all of it on disk when the block ends, none of it after an error."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            message = f"the ledger cannot be written: {error}; free space or mend the private folder"
            raise LedgerError("ledger_unusable", message) from error
        except sqlite3.IntegrityError as error:
            raise LedgerError("ledger_conflict", f"refused by the ledger, a second release: {error}") from error
        except sqlite3.DatabaseError as error:
            raise LedgerError("ledger_corrupt", f"the ledger is damaged: {error}") from error
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def find(self, slot: int, kind: str) -> Row | None:
        """The row of this slot and kind."""
        return self._one("WHERE slot = ? AND kind = ?", (slot, kind))

    def last(self) -> Row | None:
        """The newest release (carried rows are none)."""
        return self._one("WHERE kind != ? ORDER BY seq DESC LIMIT 1", (CARRIED,))

    def rows(self, since_slot: int = 0) -> list[Row]:
        """Rows whose slot starts at or after `since_slot`, oldest first."""
        return self._rows("WHERE slot >= ? ORDER BY seq", (since_slot,))

    def last_stamp(self) -> Stamp | None:
        """The last window of the ledger's newest row that has one."""
        found = self._db.execute(
            "SELECT started_at_ms, boot_ms, span_ms, boot_id FROM windows ORDER BY seq DESC, started_at_ms DESC LIMIT 1"
        ).fetchone()
        return Stamp(*found) if found else None

    def stamps(self, seq: int) -> tuple[Stamp, ...]:
        """The windows of a release, oldest first."""
        query = "SELECT started_at_ms, boot_ms, span_ms, boot_id FROM windows WHERE seq = ? ORDER BY started_at_ms"
        return tuple(Stamp(*row) for row in self._db.execute(query, (seq,)))

    def in_horizon(self, slot: int, slot_seconds: int, boot_id: str, boot_ms: int) -> list[Row]:
        """Rows that count against the cap for a release of `slot`, oldest first: what `counts` says, in SQL."""
        return self._rows(
            "WHERE slot + slot_seconds > ? OR (boot_id = ? AND boot_ms > ?) ORDER BY seq",
            (slot + slot_seconds - DAY_SECONDS, boot_id, boot_ms - BOOT_HORIZON_MS),
        )

    def insert(self, row: Row, stamps: Sequence[Stamp]) -> int:
        """Record a release with the stamps of its windows, inside a transaction. Returns its seq."""
        columns = [name for name in _COLUMNS if name != "seq"]
        query = f"INSERT INTO releases ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - own column names
        seq = self._db.execute(query, [getattr(row, name) for name in columns]).lastrowid
        assert seq is not None  # noqa: S101 - sqlite3 always sets it after an INSERT
        self._db.executemany(
            "INSERT INTO windows (seq, started_at_ms, boot_ms, span_ms, boot_id) VALUES (?, ?, ?, ?, ?)",
            [(seq, s.started_at_ms, s.boot_ms, s.span_ms, s.boot_id) for s in stamps],
        )
        return seq

    def insert_body(self, seq: int, status: str, body: bytes) -> None:
        """Record a body before it is visible, inside a transaction."""
        self._db.execute("INSERT INTO bodies (seq, status, body) VALUES (?, ?, ?)", (seq, status, body))

    def newest_body(self) -> tuple[int, str, bytes] | None:
        """Seq, status and bytes of what the public file must hold."""
        found = self._db.execute("SELECT seq, status, body FROM bodies ORDER BY id DESC LIMIT 1").fetchone()
        return (found[0], found[1], bytes(found[2])) if found else None

    def has_body(self, seq: int, body: bytes) -> bool:
        """Whether these bytes are one of ours."""
        return bool(self._db.execute("SELECT 1 FROM bodies WHERE seq = ? AND body = ?", (seq, body)).fetchone())

    def forget(self, newest: Row) -> None:
        """Retention: bodies and noisy values 30 days, slots and ε 400, before the slot of `newest`.

        The newest body always stays, and so does what still counts by CLOCK_BOOTTIME: a clock that jumps forward by
        more than 400 days frees no budget either.
        """
        bodies = newest.slot - BODY_DAYS * DAY_SECONDS
        self._db.execute("UPDATE releases SET noisy_sum = NULL WHERE slot < ?", (bodies,))
        self._db.execute(
            "DELETE FROM bodies WHERE id < (SELECT MAX(id) FROM bodies)"
            " AND seq IN (SELECT seq FROM releases WHERE slot < ?)",
            (bodies,),
        )
        rows = (newest.slot - ROW_DAYS * DAY_SECONDS, newest.boot_id, newest.boot_ms - BOOT_HORIZON_MS)
        self._db.execute(f"DELETE FROM windows WHERE seq IN ({_GONE})", rows)  # noqa: S608 - own text
        self._db.execute(f"DELETE FROM releases WHERE seq IN ({_GONE})", rows)  # noqa: S608 - own text

    def set_mode(self, mode: str) -> None:
        """The owner moved from one kind of publisher to the other."""
        with self.transaction():
            self._db.execute("UPDATE meta SET value = ? WHERE key = 'mode'", (mode,))

    def _one(self, where: str, values: Sequence[object]) -> Row | None:
        found = self._rows(where, values)
        return found[0] if found else None

    def _rows(self, where: str, values: Sequence[object]) -> list[Row]:
        query = f"SELECT {', '.join(_COLUMNS)} FROM releases {where}"  # noqa: S608 - own column names and clauses
        try:
            return [Row(*row) for row in self._db.execute(query, values)]
        except sqlite3.DatabaseError as error:
            raise LedgerError("ledger_unusable", f"the ledger cannot be read: {error}; nothing is released") from error
