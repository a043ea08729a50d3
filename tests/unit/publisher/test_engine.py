"""The engine: opens, closes on any error, tries again, never spins, and says each reason."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest
from tests.unit.publisher.sim import START, Crash, Fuse, Host, no_noise, quick_folder

from cpu_publisher.datasite import Datasite
from cpu_publisher.engine import RETRY_MS, Engine
from cpu_publisher.errors import FolderError, LedgerError
from cpu_publisher.folder import Folder
from cpu_publisher.private import PrivateFolder
from cpu_publisher.session import Session
from cpu_publisher.view import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEAK = Finding("permissions_leak", "syftperm.yaml lets everyone read")


@pytest.fixture
def host() -> Iterator[Host]:
    with no_noise(), quick_folder() as root:
        host = Host(root)
        yield host
        host.stop()


@pytest.fixture
def leak(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    with monkeypatch.context() as context:
        context.setattr(Datasite, "inspect", lambda _: (LEAK,))
        yield context


def test_a_second_publisher_waits_for_the_first_and_touches_nothing_of_it(host: Host) -> None:
    host.tick()
    temp = host.private / ".pool.json.0123456789abcdef.tmp"
    temp.write_bytes(b"the first one is writing")
    second = Engine(host.settings, host.clock, host.birth())
    assert second.tick() == RETRY_MS / 1_000
    finding = second.view().findings[0]
    assert (finding.code, finding.fatal) == ("locked", True)
    assert f"pid {os.getpid()}" in finding.message
    assert temp.exists()
    host.stop()
    second.tick()
    assert second.view().findings == ()
    assert not temp.exists(), "swept by whoever holds the lock"
    second.close()
    host.open()


def test_closing_writes_nothing(host: Host) -> None:
    host.run(400)
    before = {path: path.read_bytes() for path in host.root.rglob("*") if path.is_file()}
    host.engine.close()
    assert {path: path.read_bytes() for path in host.root.rglob("*") if path.is_file()} == before
    host.engine.close()


def test_a_finding_that_stops_releases_does_not_make_the_loop_spin(host: Host, leak: pytest.MonkeyPatch) -> None:
    host.tick()
    host.window()
    host.go(60_000)
    assert host.engine.tick() == RETRY_MS / 1_000, "the first window is due, and may not go out"
    assert not host.public.exists()
    assert host.view().state == "closed"
    assert host.view().permissions_ok is False
    assert host.view().pooled_windows == 1
    leak.undo()
    host.tick()
    assert host.read()["timestamp"] == "2026-11-24 12:00:10", "its own due time, however late"


def test_what_becomes_due_during_a_look_is_not_overslept(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.run(3_500)
    host.to(START + 3_600 + 9.995)
    tick = Session.tick

    def slow(session: Session) -> None:
        tick(session)
        host.go(10)

    monkeypatch.setattr(Session, "tick", slow)
    assert host.engine.tick() == 0
    host.engine.tick()
    assert host.read()["seq"] == 2
    assert host.engine.tick() > 200


@pytest.mark.parametrize("status", ["a leak", "no leak"])
def test_the_mirror_never_publishes_past_a_leak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    host = Host(tmp_path, {"MIRROR": "on"})
    mirror = host.datasite / "api_data" / "cpu_tracker"
    mirror.mkdir(parents=True)
    host.tick()
    host.window()
    host.go(11_000)
    with pytest.raises(Crash), Fuse(2, Crash(1), after=False).lit():
        host.engine.tick()  # committed, not published
    host.restart()
    if status == "a leak":
        monkeypatch.setattr(Datasite, "inspect", lambda _: (LEAK,))
    host.engine.tick()
    assert (mirror / "cpu_tracker.json").exists() == host.public.exists() == (status == "no leak")
    assert host.engine.tick() <= 30
    host.stop()


def test_what_is_found_is_logged_once(host: Host, leak: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        host.engine.tick()
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.ERROR, "permissions_leak: syftperm.yaml lets everyone read")
    ]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FolderError("no"), "folder"),
        (LedgerError("ledger_behind", "x"), "ledger_behind"),
        (OSError(5, "I/O"), "folder"),
    ],
)
def test_an_error_closes_frees_the_lock_and_is_tried_again(
    host: Host, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    host.run(400)
    with monkeypatch.context() as context:
        context.setattr(Datasite, "inspect", lambda _: (_ for _ in ()).throw(error))
        assert host.engine.tick() == 30
        assert host.view().state == "closed"
        assert host.codes() == [code]
        PrivateFolder(host.private).lock().release()
    host.tick()
    assert host.codes() == []
    assert host.view().pooled_windows == 1


def test_while_closed_the_collector_is_not_blamed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.run(400)
    monkeypatch.setattr(Datasite, "read_public", lambda _: (_ for _ in ()).throw(FolderError("gone")))
    host.stop()
    host.open()
    for _ in range(4):
        host.go(295_000)
        host.window()
        host.engine.tick()
    assert host.codes() == ["folder"]
    assert host.count("windows_dropped", "closed") == 4
    host.engine.accept(b"nonsense\n")
    assert host.count("records_rejected", "not_json") == 1
    host.go(700_000)
    assert host.codes() == ["folder", "collector_silent"]


def test_a_full_disk_is_told_until_there_is_room(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool cannot be written: what is wrong stays known between two windows, and the collector is not blamed."""
    host.run(400)
    write = Folder.write

    def full(folder: Folder, name: str, *given: object, **more: object) -> None:
        if name == "pool.json":
            raise FolderError("the disk is full")
        write(folder, name, *given, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as context:
        context.setattr(Folder, "write", full)
        for _ in range(4):
            host.go(295_000)
            host.window()
            for _ in range(3):
                host.engine.tick()
                assert host.codes() == ["folder"]
    host.tick()
    assert host.codes() == []


def test_an_error_later_does_not_make_the_collector_silent(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.run(3_000)
    monkeypatch.setattr(Datasite, "inspect", lambda _: (_ for _ in ()).throw(FolderError("gone")))
    host.engine.tick()
    assert host.codes() == ["folder"]


def test_a_collector_out_of_reach_is_told_after_ten_seconds_and_forgiven_at_once(host: Host) -> None:
    host.tick()
    host.engine.trouble("absent")
    assert host.codes() == []
    host.go(10_000)
    host.engine.trouble("refused")
    assert host.codes() == ["collector_unreachable"]
    assert "(refused)" in host.view().findings[0].message
    host.window()
    assert host.codes() == []
    assert host.count("handoff_troubles", "absent") == 1


def test_a_silent_collector_is_told_after_two_sample_intervals(host: Host) -> None:
    host.run(100)
    host.go(615_000 - 100_000)
    assert host.codes() == []
    host.go(30_000)
    assert host.codes() == ["collector_silent"]
    assert host.view().fatal


@pytest.mark.parametrize("what", ["datasite", "private"])
def test_a_folder_that_is_missing_or_not_ours_is_told(host: Host, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    gone = host.public.parent if what == "datasite" else host.private
    gone.rename(host.root / "away")
    host.engine.tick()
    assert host.codes() == ["folder"]
    assert f"{gone} does not exist" in host.view().findings[0].message
    (host.root / "away").rename(gone)
    host.engine.tick()
    assert host.codes() == []
    uid = os.geteuid()
    host.stop()
    host.open()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    host.engine.tick()
    assert "chown" in host.view().findings[0].message
    monkeypatch.undo()


def test_the_newest_record_again_shows_that_the_collector_lives_unless_it_is_old(host: Host) -> None:
    """After a restart the collector hands its newest record on again: `make up` must not wait for the next one."""
    host.tick()
    line = host.line(host.clock.utc_ms() - 8_000, host.clock.boot_ms() - 8_000, 5_003, 1_234)
    host.engine.accept(line)
    host.restart()
    host.tick()
    assert host.view().collector_age_seconds is None
    host.engine.accept(line)
    assert host.view().collector_age_seconds == 0
    assert host.count("records_rejected", "not_newer") == 1
    host.restart()
    host.tick()
    host.clock.go(400_000)
    host.engine.accept(line)
    assert host.view().collector_age_seconds is None
