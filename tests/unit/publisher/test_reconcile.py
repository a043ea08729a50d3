"""Which ledger may be used: each way in which it and the public file can disagree, and the owner's way out of it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.unit.publisher.sim import Host, no_noise, quick_folder

from cpu_publisher import reconcile
from cpu_publisher.ledger import CARRIED, Ledger
from cpu_publisher.ledger_schema import LEDGER_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DAY = 86_400


@pytest.fixture
def host() -> Iterator[Host]:
    with no_noise(), quick_folder() as root:
        host = Host(root)
        yield host
        host.check()
        host.stop()


@pytest.fixture
def running(host: Host) -> Host:
    """Two releases, and some windows in the pool."""
    host.run(3_600 + 1_500)
    assert host.read()["seq"] == 2
    assert host.view().pooled_windows == 5
    return host


def lose_ledger(host: Host) -> None:
    host.stop()
    for path in host.private.glob(f"{LEDGER_NAME}*"):
        path.unlink()


def public(host: Host, **changes: object) -> bytes:
    document = {**host.read(), **changes}
    return json.dumps(document).encode()


def test_a_fresh_start_owes_nothing(host: Host) -> None:
    host.tick()
    assert host.codes() == []
    assert host.view().spent_micro == 0


def test_a_lost_ledger_beside_its_file_is_a_day_spent(running: Host) -> None:
    old = running.read()
    lose_ledger(running)
    running.open()
    running.tick()
    assert running.codes() == ["ledger_missing"]
    assert running.view().spent_micro == running.view().cap_micro
    assert running.dropped() == {"other_ledger": 5}
    now = running.clock.utc // 1_000
    running.run(400)
    assert running.read() == old, "the last good file stays as it was"
    assert running.codes() == ["budget_exhausted", "ledger_missing"]
    view = running.view()
    assert view.state == "budget_exhausted"
    assert view.resumes_slot == now // 3_600 * 3_600 + DAY
    running.to(view.resumes_slot + 1_500)  # asleep
    running.run(600)
    assert running.read()["kind"] == "first", "resumes by itself"
    assert running.read()["slot"] == view.resumes_slot
    assert running.read()["ledger_id"] != old["ledger_id"]
    assert running.codes() == ["ledger_missing"]


def test_a_lost_ledger_beside_the_old_apps_file_owes_nothing_and_says_whose_file_it_is(host: Host) -> None:
    host.public.write_text('{"cpu": 12.5, "timestamp": "2026-11-24 11:59:58"}')
    host.engine.tick()
    assert host.codes() == ["public_file_foreign"]
    assert "stop the old app" in host.view().findings[0].message
    assert not host.view().fatal
    assert host.view().spent_micro == 0
    host._seen = host.public.read_bytes()
    host.window()
    host.go(11_000)
    host.engine.tick()
    assert host.read()["kind"] == "first"


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"x"', b"\xff", b'{"cpu": 3}', b"[" * 60_000])
def test_a_lost_ledger_beside_an_unreadable_file_is_a_day_spent(host: Host, body: bytes) -> None:
    host.public.write_bytes(body)
    host.engine.tick()
    assert host.codes() == ["ledger_missing", "public_file_foreign"]
    assert host.view().spent_micro == host.view().cap_micro


@pytest.mark.parametrize("seq", [True, "7", None, 1.5, 10**30])
def test_a_number_that_is_none_of_ours_is_ahead(running: Host, seq: object) -> None:
    running.stop()
    running.public.write_bytes(public(running, seq=seq))
    running.open()
    running.engine.tick()
    assert running.codes()[0] == "ledger_behind"


def restore_backup(host: Host) -> None:
    backup = host.root / "backup"
    shutil.copytree(host.private, backup)
    host.run(3_600)
    host.stop()
    shutil.rmtree(host.private)
    backup.rename(host.private)


def corrupt(host: Host) -> None:
    host.stop()
    path = host.private / LEDGER_NAME
    path.write_bytes(b"\x17" * path.stat().st_size)


def edited(host: Host, **changes: object) -> None:
    host.stop()
    host.public.write_bytes(public(host, **changes))


CASES: dict[str, Callable[[Host], None]] = {
    "ledger_behind": restore_backup,
    "ledger_corrupt": corrupt,
    "ledger_forked": lambda host: edited(host, nonce="00" * 16),
    "ledger_other": lambda host: edited(host, ledger_id="00" * 16),
}


@pytest.mark.parametrize("code", CASES)
def test_closed_until_the_owner_says_so(running: Host, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    CASES[code](running)
    stands = running.public.read_bytes()
    running.open()
    for _ in range(2):
        running.engine.tick()
        assert running.codes()[0] == code
        assert running.view().state == "closed"
        assert f"cpu-publisher ledger accept {code}" in running.view().findings[0].message
        assert "journal" not in running.view().findings[0].message
    assert running.engine.tick() == 30
    assert running.public.read_bytes() == stands
    wrong = next(one for one in CASES if one != code)
    assert running.cli("ledger", "accept", wrong) == 2
    assert f"closed by {code}, not by {wrong}" in capsys.readouterr().err
    assert running.cli("ledger", "accept", code) == 0, "the lock is free while it is closed"
    assert "a whole day's budget counted as spent" in capsys.readouterr().out
    assert not (running.private / "pool.json").exists()
    running.engine.tick()
    assert running.codes() == []
    assert [row.kind for row in running.ledger.rows()] == [CARRIED]
    assert list(running.private.glob(f"{LEDGER_NAME}.aside-*" if code != "ledger_corrupt" else "*.corrupt-*"))
    running.run(600)
    assert running.public.read_bytes() == stands
    assert running.codes() == ["budget_exhausted"]
    running.to((running.view().resumes_slot or 0) + 3_000)
    running.run(600)
    assert running.read()["kind"] == "first"


def test_a_second_kind_of_publisher_is_refused_until_the_owner_moves(running: Host) -> None:
    ledger_id = running.ledger.identity.ledger_id
    running.restart(ISOLATION="off")
    running.engine.tick()
    assert running.codes()[0] == "ledger_other_mode"
    assert running.cli("ledger", "accept", "ledger_other_mode") == 0
    running.tick()
    assert running.codes() == ["isolation_off"]
    assert running.ledger.identity.ledger_id == ledger_id, "nothing is unknown: the ledger stays"
    assert not [row for row in running.ledger.rows() if row.kind == CARRIED]
    running.restart(ISOLATION="on")
    running.engine.tick()
    assert running.codes()[0] == "ledger_other_mode"


def test_a_clock_behind_the_ledger_is_told_and_releases_nothing(running: Host) -> None:
    running.clock.utc -= 2 * DAY * 1_000
    running.run(3_700)
    assert "clock_behind_ledger" in running.codes()
    message = next(f.message for f in running.view().findings if f.code == "clock_behind_ledger")
    assert "cpu-publisher ledger accept clock_behind_ledger" in message
    assert "2026-11-24 12:00:00 UTC" in message
    assert running.read()["seq"] == 2
    assert running.cli("ledger", "accept", "clock_behind_ledger") == 0, "while it runs: closed, it holds no lock"
    running.run(400)
    assert running.codes() == ["budget_exhausted"]


def test_a_clock_that_was_set_right_again_goes_on(running: Host) -> None:
    running.clock.utc -= 2 * DAY * 1_000
    running.tick()
    running.clock.utc += 2 * DAY * 1_000
    running.run(3_600)
    assert running.read()["seq"] == 3
    assert running.codes() == []


def test_a_ledger_is_put_in_its_place_complete_or_not_at_all(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.public.write_text('{"cpu": 1, "ledger_id": "x"}')
    move = reconcile._move
    for fails_at in (1, 2, 3):
        left = [fails_at]

        def dies(path: Path, target: Path | None, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise SystemExit
            move(path, target)

        with monkeypatch.context() as context:
            context.setattr(reconcile, "_move", dies)
            with pytest.raises(SystemExit):
                host.engine.tick()
        host.stop()
        assert not (host.private / LEDGER_NAME).exists()
        host.open()
    host.engine.tick()
    assert [row.kind for row in host.ledger.rows()] == [CARRIED], "the day stays spent"


def test_what_a_ledger_is_born_with(host: Host) -> None:
    host.phase_ppm = 123_456
    host.tick()
    ledger = Ledger(host.private / LEDGER_NAME, read_only=True)
    assert ledger.identity.phase_ppm == 123_456
    assert ledger.identity.mode == "container"
    assert len(ledger.identity.ledger_id) == 32
    ledger.close()
