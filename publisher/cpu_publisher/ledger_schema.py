"""The ledger's file: how it is made, opened, checked and brought to the newest schema.

`PRAGMA user_version` counts the migrations applied. A migration is added at the end of MIGRATIONS and never edited.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cpu_publisher.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LEDGER_NAME = "ledger.sqlite3"
_V1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE releases (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, slot INTEGER NOT NULL, slot_seconds INTEGER NOT NULL, kind TEXT NOT NULL,
    mode TEXT NOT NULL, k INTEGER NOT NULL, noisy_sum INTEGER, scale REAL NOT NULL,
    spend_micro INTEGER NOT NULL CHECK (spend_micro > 0), unit TEXT NOT NULL, preset TEXT NOT NULL,
    epsilon REAL NOT NULL, due_ms INTEGER NOT NULL, boot_id TEXT NOT NULL, boot_ms INTEGER NOT NULL,
    UNIQUE (slot, kind)
);
CREATE TABLE windows (
    seq INTEGER NOT NULL REFERENCES releases (seq), started_at_ms INTEGER NOT NULL, boot_ms INTEGER NOT NULL,
    span_ms INTEGER NOT NULL, boot_id TEXT NOT NULL, UNIQUE (boot_id, boot_ms)
);
CREATE INDEX windows_by_seq ON windows (seq, started_at_ms);
CREATE TABLE bodies (
    id INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL REFERENCES releases (seq), status TEXT NOT NULL,
    body BLOB NOT NULL
);
"""
MIGRATIONS: tuple[str, ...] = (_V1,)


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open an existing ledger, check all of it, and (unless only to be read) migrate it.

    Raises:
        LedgerError: `ledger_corrupt` (damaged), `ledger_newer` (of a later version), `ledger_unusable` (cannot open).
    """
    with _told(path):
        db = _open(path, read_only=read_only)
        try:
            _check(db, path)
            if not read_only:
                _migrate(db)
        except BaseException:
            db.close()
            raise
    return db


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """SQLite's errors in our words."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise LedgerError("ledger_unusable", f"{path} cannot be opened: {error}; check the private folder") from error
    except sqlite3.DatabaseError as error:
        raise LedgerError("ledger_corrupt", f"{path} is damaged: {error}") from error


def is_missing(path: Path, *, read_only: bool = False) -> bool:
    """Whether there is no ledger: no file, or one in which not even the schema was committed."""
    if not path.exists():
        return True
    try:
        db = _open(path, read_only=read_only)
        try:
            return not db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
        finally:
            db.close()
    except sqlite3.DatabaseError:
        return False  # something is there: connect() says what is wrong with it


def create(path: Path, meta: Mapping[str, object]) -> None:
    """Make a new ledger, in one transaction; the caller puts it in its place.

    Raises:
        LedgerError: `ledger_unusable`: it cannot be written.
    """
    try:
        db = _open(path)
        try:
            path.chmod(0o600)
            values = ", ".join(f"('{key}', {value!r})" for key, value in meta.items())
            db.executescript(
                f"BEGIN IMMEDIATE; {''.join(MIGRATIONS)} INSERT INTO meta VALUES {values};"  # noqa: S608 - own keys, hex and ints
                f" PRAGMA user_version = {len(MIGRATIONS)}; COMMIT;"
            )
        finally:
            db.close()
    except (sqlite3.DatabaseError, OSError) as error:
        raise LedgerError("ledger_unusable", f"{path} cannot be made: {error}; check space and owner") from error


def read_meta(db: sqlite3.Connection, path: Path) -> dict[str, Any]:
    """What the ledger was born with."""
    with _told(path):
        return dict(db.execute("SELECT key, value FROM meta"))


def _open(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    # Threads take turns under the engine's lock; autocommit, since transactions are begun by hand.
    name = f"{path.as_uri()}?mode={'ro' if read_only else 'rwc'}"
    db = sqlite3.connect(name, uri=True, isolation_level=None, check_same_thread=False, timeout=10)
    if not read_only:
        db.execute("PRAGMA journal_mode = TRUNCATE")
        db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA temp_store = MEMORY")  # the container has no /tmp to write to
    db.execute("PRAGMA trusted_schema = OFF")
    return db


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _check(db: sqlite3.Connection, path: Path) -> None:
    verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise LedgerError("ledger_corrupt", f"{path} is damaged: {verdict}")
    if (version := _version(db)) > len(MIGRATIONS):
        raise LedgerError(
            "ledger_newer", f"{path} is of schema {version}, this publisher knows {len(MIGRATIONS)}: update it"
        )


def _migrate(db: sqlite3.Connection) -> None:
    version = _version(db)
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")
