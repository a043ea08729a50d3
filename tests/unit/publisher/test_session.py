"""From lines to releases: first, slot, missed, paused, refused, crashed, and what never may be seen."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING

import pytest
from tests.unit.publisher.sim import DISK, START, Crash, Fuse, Host, no_noise, quick_folder

from cpu_publisher import health, web
from cpu_publisher.noise import Mechanism
from cpu_publisher.presets import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOUR = 3_600


@pytest.fixture
def make() -> Iterator[Callable[..., Host]]:
    hosts: list[Host] = []

    def host(start: int = START, **environ: str) -> Host:
        hosts.append(Host(root / str(len(hosts)), environ, start=start))
        return hosts[-1]

    with no_noise(), quick_folder() as root:
        yield host
        for one in hosts:
            one.look()
            one.check()
            one.stop()


@pytest.fixture
def host(make: Callable[..., Host]) -> Host:
    return make()


def test_the_first_window_goes_out_alone_and_the_rest_of_its_slot_follows(host: Host) -> None:
    host.phase_ppm = 1_000_000
    host.run(40)
    first = host.read()
    assert (first["kind"], first["windows"], first["seq"]) == ("first", 1, 1)
    assert first["timestamp"] == "2026-11-24 12:00:30", "its start and the delay, without the phase"
    host.run(HOUR)
    slot = host.read()
    assert (slot["kind"], slot["windows"], slot["seq"], slot["slot"]) == ("slot", 11, 2, first["slot"])
    assert slot["timestamp"] == "2026-11-24 13:00:40", "end, delay and phase"
    host.run(HOUR)
    assert host.read()["windows"] == 12
    host.check_all_accounted()
    assert host.dropped() == {}


def test_of_a_participant_day_first_is_the_only_release_of_its_slot(make: Callable[..., Host]) -> None:
    host = make(PRESET="day")
    host.run(900)
    assert host.read()["kind"] == "first"
    host.run(6 * HOUR)
    assert host.read()["seq"] == 1
    assert set(host.dropped()) == {"first_only"}
    host.run(6 * HOUR - 880)
    assert (host.read()["seq"], host.read()["windows"]) == (2, 72)
    host.check_all_accounted()


def test_day_sampled_releases_one_window_a_day(make: Callable[..., Host]) -> None:
    host = make(PRESET="day-sampled")  # its interval begins at noon
    host.run(900)
    assert host.read()["kind"] == "first"
    for day in (1, 2):
        host.to(START + DAY_SECONDS * day - 700)
        host.run(1_400)
        assert host.view().pooled_windows == 1
        host.to(START + DAY_SECONDS * day + 12 * HOUR + 11)
        host.tick()
        assert (host.read()["seq"], host.read()["kind"], host.read()["windows"]) == (1 + day, "slot", 1)
        assert host.read()["guarantee"]["epsilon_24h_spent"] == pytest.approx(1)
    assert set(host.dropped()) == {"not_todays_interval"}


def test_a_slot_missed_by_one_is_released_once_in_its_own_name(host: Host) -> None:
    host.run(2 * HOUR - 300)
    host.sleep(1_000 * 2_400)
    host.tick()
    late = host.read()
    assert (late["slot"], late["timestamp"], late["seq"]) == (START + HOUR, "2026-11-24 14:00:10", 3)
    assert host.public.stat().st_mtime == START + 2 * HOUR + 10
    assert late["guarantee"]["epsilon_24h_spent"] == pytest.approx(12 + 11)
    host.tick()
    assert host.count("releases", "slot") == 2


def test_a_slot_missed_by_more_is_dropped(host: Host) -> None:
    host.run(2 * HOUR - 300)
    host.sleep(1_000 * 2 * HOUR)
    host.tick()
    assert host.read()["seq"] == 2
    assert host.dropped() == {"slot_missed": 11}
    host.check_all_accounted()


def test_a_slot_without_a_window_is_counted_and_a_refused_one_is_not(make: Callable[..., Host]) -> None:
    host = make(CAP_EPSILON="12")
    host.run(2 * HOUR + 60)
    assert host.count("releases_refused", "cap") == 1
    assert host.count("slots_empty", "no_window") == 0
    host.restart()
    host.tick()
    host.to(START + 4 * HOUR + 60)
    host.tick()
    assert host.dropped()["slot_missed"] == 1, "that of 14:00"
    assert host.count("slots_empty", "no_window") == 1, "that of 15:00"


def test_paused_nothing_new_is_published_and_the_pool_is_dropped(host: Host) -> None:
    host.run(HOUR + 1_500)
    before = host.read()
    host.pause()
    host.run(600)
    paused = host.read()
    changed = {key for key in before if before[key] != paused[key]}
    assert changed == {"status", "nonce"}
    assert paused["status"] == "paused"
    assert host.public.stat().st_mtime == START + HOUR + 10
    assert host.view().state == "paused"
    assert host.view().pooled_windows == 0
    assert set(host.dropped()) == {"paused"}
    stands = host.public.read_bytes()
    host.restart()
    host.run(2 * HOUR)
    assert host.public.read_bytes() == stands
    assert host.count("slots_empty", "no_window") == 0
    host.pause(paused=False)
    host.tick()
    assert host.read()["status"] == "active"
    assert host.read()["seq"] == before["seq"]
    host.run(HOUR)
    assert host.read()["seq"] == before["seq"] + 1
    host.check_all_accounted()


def test_a_pause_before_anything_was_published_publishes_nothing(host: Host) -> None:
    host.pause()
    host.run(HOUR + 60)
    assert not host.public.exists()
    host.pause(paused=False)
    host.run(400)
    assert host.read()["kind"] == "first"


def test_the_cap_refuses_says_until_when_and_resumes_by_itself(make: Callable[..., Host]) -> None:
    host = make(CAP_EPSILON="24")
    host.run(2 * HOUR + 5)
    host.run(2 * HOUR)  # 1 + 11 + 12 spent: the slot of 14:00 is refused
    body = host.read()
    assert (body["seq"], body["slot"], body["status"]) == (3, START + HOUR, "budget_exhausted")
    assert body["timestamp"] == "2026-11-24 14:00:10"
    assert host.public.stat().st_mtime == START + 2 * HOUR + 10
    assert body["resumes_slot"] == START + DAY_SECONDS
    assert host.view().state == "budget_exhausted"
    assert host.view().resumes_slot == START + DAY_SECONDS
    assert "budget_exhausted" in host.codes()
    assert set(host.dropped()) == {"budget"}
    host.restart()
    host.tick()
    assert host.view().state == "budget_exhausted", "a restart forgets nothing"
    assert host.read() == body
    host.to(START + DAY_SECONDS - 1_800)
    host._measuring = None
    host.run(HOUR + 1_900)
    assert (host.read()["slot"], host.read()["status"]) == (START + DAY_SECONDS, "active")
    assert host.codes() == []


def test_a_jump_of_two_days_frees_nothing(make: Callable[..., Host]) -> None:
    host = make(CAP_EPSILON="12")
    host.run(HOUR + 60)
    assert host.read()["seq"] == 2
    host.clock.utc += 2_000 * DAY_SECONDS
    host.run(HOUR)
    assert host.read()["seq"] == 2
    resumes = host.view().resumes_slot
    assert resumes == START + 3 * DAY_SECONDS + 0, "24 hours after 13:00:10, not at once"
    host.to(resumes - 600)
    host._measuring = None
    host.run(HOUR + 700)
    assert host.read()["seq"] == 3
    assert host.read()["slot"] == resumes


@pytest.mark.parametrize("error", DISK, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("after", [False, True])
def test_a_fault_at_any_step_of_a_release_changes_nothing_of_it(
    make: Callable[..., Host], error: BaseException, *, after: bool
) -> None:
    """Every I/O step of a release, each before and after its effect: one draw, one value, one spend, nothing lost."""
    steps = 0
    for step in range(1, 30):
        host = make(start=START + 3_000)
        host.run(540)
        host.to(START + HOUR + 11)
        fuse = Fuse(step, error, after=after)
        try:
            with fuse.lit():
                host.engine.tick()
        except Crash:
            host.stop()
            host.open()
        if fuse.left > 0:
            break
        steps = step
        host.look()
        drawn = {key: row for key, (row, _) in host.rows.items() if row.kind == "slot"}
        host.tick()
        if drawn:
            assert host.public.stat().st_mtime == START + HOUR + 10
        host.to(START + HOUR + 40)
        host.tick()
        host.restart()
        host.tick()
        assert [row.seq for row, _ in host.rows.values()] == [1, 2]
        assert (host.read()["seq"], host.read()["windows"]) == (2, 1)
        assert host.view().pooled_windows == 0
        assert json.loads((host.private / "cpu_tracker.json").read_bytes())["windows"] == 1
        assert host.codes() == []
    assert steps >= 5


def test_the_bytes_after_a_crash_between_commit_and_publish_are_those_of_the_ledger(host: Host) -> None:
    host.run(HOUR - 60)
    host.to(START + HOUR + 11)
    with pytest.raises(Crash), Fuse(2, Crash(1), after=False).lit():
        host.engine.tick()
    newest = host.ledger.newest_body()
    assert newest is not None
    assert host.public.read_bytes() != newest[2]
    assert newest[0] == 2
    host.stop()
    host.open()
    host.to(START + HOUR + 1_000)
    host.tick()
    assert host.public.read_bytes() == newest[2]
    assert host.public.stat().st_mtime == START + HOUR + 10


def test_after_a_restart_the_last_accepted_is_still_the_last(host: Host) -> None:
    host.run(HOUR + 340)
    host.restart()
    host.tick()
    host.window()
    host.tick()
    assert host.dropped() == {"interval_taken": 1}
    host.to(START + HOUR + 600)
    host.window()  # 274 s after the pool's last one
    assert host.dropped()["too_soon"] == 1


def test_after_a_lost_pool_the_last_accepted_is_the_ledgers(host: Host) -> None:
    host.to(START + 3_400)
    host.run(20)
    host.window()
    host.to(START + HOUR + 11)
    host.tick()
    assert host.read()["seq"] == 1 or host.read()["windows"] == 1
    released = host.ledger.last_stamp()
    assert released is not None
    host.stop()
    (host.private / "pool.json").unlink()
    host.open()
    host.tick()
    host.window()
    assert host.dropped()["too_soon"] == 1
    host.go(300_000)
    host.window()
    assert host.view().pooled_windows == 1


def test_after_a_change_to_longer_slots_what_was_released_is_not_released_again(make: Callable[..., Host]) -> None:
    host = make(PRESET="window")
    host.run(430)
    assert host.read()["slot"] == START
    host.run(600)
    host.restart(PRESET="hour")
    host.run(HOUR - 430 - 600 + 60)
    assert host.read()["slot"] == START + 600, "the hour of 12:00 holds slots that were released"
    assert set(host.dropped()) <= {"slot_released", "other_settings", "interval_taken"}
    assert host.dropped()["slot_released"] >= 8
    host.run(HOUR)
    assert (host.read()["slot"], host.read()["windows"]) == (START + HOUR, 12)


def test_a_record_of_another_boot_or_of_nobody_is_rejected(host: Host) -> None:
    host.tick()
    utc, boot = host.clock.utc, host.clock.boot
    host.go(5_100)
    for wrong in (boot + 7_000, boot - 1_000_000, boot - 316_000):
        host.engine.accept(host.line(utc, wrong, 5_000, 1))
    assert host.count("records_rejected", "boot_clock") == 3
    host.engine.accept(b"hello\n")
    host.engine.accept(host.line(utc, boot, 5_000, 10_001))
    host.engine.accept(host.line(utc, boot, 5_000, 5, upper=9_000))
    assert {r for r, n in host.view().counters["records_rejected"].items() if n} == {
        "boot_clock",
        "not_json",
        "mean",
        "settings",
    }
    assert host.view().collector_age_seconds is None
    assert host.view().pooled_windows == 0


def test_no_raw_mean_is_anywhere_but_in_the_private_folder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(Mechanism, "draw", lambda *_: 12_345)
    host = Host(tmp_path)
    host.tick()
    canaries = [8_731, 9_113, 8_647]
    exposed: list[str] = []
    for mean in canaries:
        host.window(mean)
        assert host.engine._session
        exposed.append(repr((host.engine._session.pool.windows, vars(host.engine._session))))
        with Fuse(1, DISK[0], after=False).lit():
            host.engine.tick()
        host.go(300_000)
        host.engine.tick()
    host.engine.accept(host.line(host.clock.utc, host.clock.boot, 9_999, canaries[0]))
    host.to(START + HOUR + 11)
    host.engine.tick()
    assert host.read()["windows"] == 2
    view = host.view()
    exposed += [caplog.text, repr(view), health.ready(view).body, health.collector(view).body]
    exposed += [web.create_app(host.view, ()).test_client().get(path).text for path in ("/", "/metrics")]
    exposed += [repr(host.ledger.rows()), "".join(host.ledger._db.iterdump())]
    exposed += [path.read_text() for path in host.datasite.rglob("*") if path.is_file()]
    kept = "".join(path.read_text("latin-1") for path in host.private.glob("*.json*"))
    host.stop()
    raw = [*canaries, (canaries[1] + canaries[2]) / 2, sum(canaries[1:]), *(mean / 100 for mean in canaries), 88.8]
    for value in raw:
        token = re.compile(rf"(?<![\w.]){value:.10g}(?!\w)")
        assert not [text for text in exposed if token.search(text)], value
    assert "88.8" in kept


@pytest.mark.parametrize("preset", ["hour", "day"])
def test_three_days_at_its_own_cadence_are_never_refused(make: Callable[..., Host], preset: str) -> None:
    host = make(PRESET=preset)
    host.tick()
    for number in range(3 * 288):
        host.to(START + 300 * number + 20)
        host.window()
        if host.ledger.last() is None or (number * 300) % host.preset.slot_seconds == 0:
            host.go(11_000)
            host.tick()
    assert host.count("releases_refused", "cap") == 0
    assert host.count("slots_empty", "no_window") == 0
    assert set(host.dropped()) <= {"first_only"}
    assert len(host.rows) == {"hour": 1 + 71, "day": 1 + 10}[preset]
    host.check_all_accounted()
