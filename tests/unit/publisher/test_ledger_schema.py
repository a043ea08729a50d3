"""The ledger's file: made, opened, brought forward; damaged, newer, or no ledger at all."""

from __future__ import annotations

import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from cpu_publisher import ledger_schema
from cpu_publisher.errors import LedgerError
from cpu_publisher.ledger import Identity, Ledger

if TYPE_CHECKING:
    from pathlib import Path

META = {"ledger_id": "0f" * 16, "phase_ppm": 250_000, "day_ppm": 7, "mode": "container", "follows": ""}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / ledger_schema.LEDGER_NAME
    ledger_schema.create(path, META)
    return path


def test_a_new_ledger_is_its_owners_alone_and_knows_what_it_was_born_with(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ledger = Ledger(path)
    assert ledger.identity == Identity("0f" * 16, 250_000, 7, "container")
    assert ledger.rows() == []
    assert (ledger.last(), ledger.last_stamp(), ledger.newest_body()) == (None, None, None)
    ledger.close()


def test_its_settings_survive_a_power_cut(path: Path) -> None:
    db = ledger_schema.connect(path)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("truncate",)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert db.execute("PRAGMA foreign_keys").fetchone() == (1,)
    db.close()


def test_no_column_of_it_can_hold_a_mean(path: Path) -> None:
    db = ledger_schema.connect(path)
    columns = {
        f"{table}.{row[1]}"
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for row in db.execute(f"PRAGMA table_info({table})")
    }
    db.close()
    assert {c for c in columns if c.startswith("windows.")} == {
        f"windows.{name}" for name in ("seq", "started_at_ms", "boot_ms", "span_ms", "boot_id")
    }
    assert not [c for c in columns if "mean" in c or "raw" in c]


def test_a_file_without_a_schema_is_a_missing_ledger(tmp_path: Path, path: Path) -> None:
    assert ledger_schema.is_missing(tmp_path / "none")
    (tmp_path / "empty").touch()
    assert ledger_schema.is_missing(tmp_path / "empty")
    assert not ledger_schema.is_missing(path)
    assert not ledger_schema.is_missing(path, read_only=True)
    (tmp_path / "garbage").write_bytes(b"not a ledger at all" * 100)
    assert not ledger_schema.is_missing(tmp_path / "garbage"), "something is there: it is not replaced"


def test_a_ledger_of_version_1_is_brought_forward(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    second = "ALTER TABLE releases ADD COLUMN cohort TEXT NOT NULL DEFAULT 'none';"
    monkeypatch.setattr(ledger_schema, "MIGRATIONS", (*ledger_schema.MIGRATIONS, second))
    before = path.read_bytes()
    Ledger(path, read_only=True).close()
    assert path.read_bytes() == before, "reading migrates nothing"
    ledger = Ledger(path)
    assert ledger._db.execute("PRAGMA user_version").fetchone() == (2,)
    assert "cohort" in {row[1] for row in ledger._db.execute("PRAGMA table_info(releases)")}
    assert ledger.identity.ledger_id == META["ledger_id"]
    ledger.close()
    Ledger(path).close()


def test_a_migration_that_fails_leaves_the_old_version(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = "CREATE TABLE half (a); ALTER TABLE nothing ADD COLUMN b;"
    with monkeypatch.context() as context:
        context.setattr(ledger_schema, "MIGRATIONS", (*ledger_schema.MIGRATIONS, broken))
        with pytest.raises(LedgerError, match="nothing"):
            Ledger(path)
    ledger = Ledger(path)
    assert not ledger._db.execute("SELECT * FROM sqlite_master WHERE name = 'half'").fetchall()
    ledger.close()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_ledger_of_a_later_version_is_left_alone(path: Path, *, read_only: bool) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 9")
    db.close()
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="schema 9, this publisher knows 1: update it") as error:
        Ledger(path, read_only=read_only)
    assert error.value.code == "ledger_newer"
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("damage", ["garbage", "zeros", "truncated", "other", "no identity"])
def test_what_is_no_sound_ledger_is_called_corrupt(path: Path, damage: str, *, read_only: bool) -> None:
    good = path.read_bytes()
    if damage == "garbage":
        path.write_bytes(b"\x17" * len(good))
    elif damage == "zeros":
        path.write_bytes(good[:4_096] + b"\0" * 8_192 + good[12_288:])
    elif damage == "truncated":
        path.write_bytes(good[: len(good) // 2])
    else:
        db = sqlite3.connect(path)
        db.execute("DROP TABLE meta" if damage == "other" else "DELETE FROM meta WHERE key = 'follows'")
        db.commit()
        db.close()
    with pytest.raises(LedgerError) as error:
        Ledger(path, read_only=read_only)
    assert error.value.code == ("ledger_unusable" if damage == "other" else "ledger_corrupt")
    assert str(path) in str(error.value)
