"""Whole rounds over a real tree: one result a slot, at its time, of exactly that slot, whatever happens around."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
from tests.unit.aggregator.sites import HOUR, PLACE, SLOT, FakeClock, put, raw

from cpu_aggregator import settings
from cpu_aggregator.aggregator import Aggregator, load_store
from cpu_aggregator.body import Reader
from cpu_aggregator.errors import HistoryError
from cpu_aggregator.export import to_csv, view_json
from cpu_aggregator.history import History
from cpu_aggregator.scan import Scanner
from cpu_aggregator.snapshot import snapshot
from cpu_aggregator.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = 86_400
DUE = SLOT + HOUR + 120.0


class Network:
    """A tree, an aggregator over it, and the clock of both."""

    def __init__(self, folder: Path, **given: str) -> None:
        self.root, self.public, self.state = (folder / name for name in ("datasites", "public", "state"))
        for path in (self.root, self.public, self.state):
            path.mkdir(exist_ok=True)
        paths = {"DATASITES_DIR": self.root, "PUBLIC_DIR": self.public, "STATE_DIR": self.state}
        values = {**{name: str(path) for name, path in paths.items()}, **given}
        self.settings = settings.read({f"CPUTRACKER_{name}": value for name, value in values.items()})
        self.clock = FakeClock(DUE)
        self.paused: list[float] = []
        self.history = History(self.state / "history.sqlite3")
        self.start()

    def start(self) -> None:
        """As after a start of the program."""
        scanner = Scanner(Tree(self.root), Reader(self.settings.policy), load_store(self.history))
        self.aggregator = Aggregator(self.settings, scanner, self.history, self.clock, self.paused.append)

    def publish(self, count: int, slot: int = SLOT, *, first: int = 0, **changes: object) -> None:
        """`count` participants release for `slot`; their value is their number."""
        for number in range(first, first + count):
            content = raw(cpu=float(number), slot=slot, seq=1 + slot // HOUR, ledger_id=f"{number:032x}", **changes)
            put(self.root, f"u{number:03}@example.com", content)

    def round(self, now: float) -> None:
        self.clock.now = now
        self.aggregator.round(lambda _: f"<page at {now}>")

    @property
    def out(self) -> dict[str, object]:
        """What is published."""
        return dict(json.loads((self.public / "cpu_tracker.json").read_bytes()))


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    one = Network(tmp_path)
    yield one
    one.history.close()


def test_a_slot_is_computed_once_when_it_has_settled(network: Network) -> None:
    network.publish(12)
    network.round(DUE - 1)
    assert network.aggregator.newest is None
    assert snapshot(network.aggregator, DAY).reasons == {"waiting": 12}
    network.round(DUE)
    view = snapshot(network.aggregator, DAY)
    assert view.state == "live"
    assert view.result is not None
    assert view.result.estimate is not None
    assert (view.result.slot, view.result.n, view.result.estimate.plain) == (SLOT, 12, 5.5)
    assert view.reasons == {"counted": 12}
    assert (view.known, view.active) == (12, 12)
    assert view.next_due == DUE + HOUR
    network.publish(3, first=12)
    network.round(DUE + 30)
    late = snapshot(network.aggregator, DAY)
    assert late.result == view.result
    assert late.reasons == {"counted": 12, "late": 3}
    assert late.history == (view.result,)


def test_only_values_of_exactly_that_slot_count(network: Network) -> None:
    network.publish(10)
    network.publish(5, SLOT - HOUR, first=10)
    network.publish(5, SLOT + HOUR, first=20)  # their clocks are ahead by more than we believe
    network.round(DUE)
    view = snapshot(network.aggregator, DAY)
    assert view.result is not None
    assert view.result.n == 10
    assert view.reasons == {"counted": 10, "late": 5, "future": 5}


def test_no_mean_below_the_minimum_and_the_slot_is_over_all_the_same(network: Network) -> None:
    network.publish(9)
    network.round(DUE)
    view = snapshot(network.aggregator, DAY)
    assert view.state == "too_few"
    assert view.result is None
    assert view.newest is not None
    assert (view.newest.n, view.newest.estimate) == (9, None)
    assert list(network.public.iterdir()) == []
    network.publish(5, first=9)
    network.round(DUE + 60)
    assert network.history.points(0, DUE) == (view.newest,)


def test_a_stale_participant_and_a_stale_network(network: Network) -> None:
    network.publish(12)
    network.round(DUE)
    network.publish(11, SLOT + HOUR)
    network.round(DUE + HOUR)
    assert snapshot(network.aggregator, DAY).reasons == {"counted": 12}  # one of them for the slot before
    network.round(SLOT + HOUR + 2.5 * HOUR + 1)
    view = snapshot(network.aggregator, DAY)
    assert view.reasons == {"counted": 11, "stale": 1}
    assert (view.state, view.active) == ("live", 11)
    network.round(SLOT + 2 * HOUR + 2.5 * HOUR + 121)
    view = snapshot(network.aggregator, DAY)
    assert (view.state, view.active, view.reasons) == ("stale", 0, {"stale": 12})
    assert view.result is not None


def test_an_empty_network(network: Network) -> None:
    network.round(DUE)
    view = snapshot(network.aggregator, DAY)
    assert (view.state, view.known, view.findings) == ("empty", 0, ())
    assert network.history.last() is None


def test_a_missing_tree_is_a_finding_and_goes_away(network: Network) -> None:
    network.root.rename(network.root.with_name("away"))
    network.round(DUE)
    assert [f.code for f in snapshot(network.aggregator, DAY).fatal] == ["datasites_unreadable"]
    network.root.with_name("away").rename(network.root)
    network.publish(10)
    network.round(DUE + 30)
    view = snapshot(network.aggregator, DAY)
    assert view.findings == ()
    assert view.result is not None  # the slot had not been computed


def test_old_readers_find_their_items_and_ours_stand_beside(network: Network) -> None:
    network.publish(12)
    network.round(DUE)
    network.publish(12, SLOT + HOUR)
    network.round(DUE + HOUR)
    out = network.out
    assert out["items"] == [
        {"cpu": 5.5, "timestamp": "2026-11-24 13:00:00"},
        {"cpu": 5.5, "timestamp": "2026-11-24 14:00:00"},
    ]
    assert "peers" not in out
    assert (out["n"], out["slot"], out["policy"]) == (12, SLOT + HOUR, ["hour"])
    assert (network.public / "cpu_tracker.html").read_text() == f"<page at {DUE + HOUR}>"
    assert {path.name for path in network.public.iterdir()} == {"cpu_tracker.json", "cpu_tracker.html"}
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in network.public.iterdir())


def test_peers_only_if_asked_for(tmp_path: Path) -> None:
    network = Network(tmp_path, PUBLISH_PEERS="on", MIN_PARTICIPANTS="2")
    network.publish(2)
    network.publish(1, first=2, windows=3)
    network.round(DUE)
    assert network.out["peers"] == ["u000@example.com", "u001@example.com"]
    assert len(snapshot(network.aggregator, DAY, public=True).datasites) == 3
    network.history.close()


def test_names_are_not_in_the_public_page_unless_asked_for(network: Network) -> None:
    network.publish(2)
    network.round(DUE)
    assert len(snapshot(network.aggregator, DAY).datasites) == 2
    assert snapshot(network.aggregator, DAY, public=True).datasites == ()


def test_a_result_is_published_once_and_a_restart_does_not_touch_it(network: Network) -> None:
    network.publish(12)
    network.round(DUE)
    before = {path.name: path.stat().st_mtime_ns for path in network.public.iterdir()}
    network.round(DUE + 30)
    network.start()
    network.round(DUE + 60)
    assert {path.name: path.stat().st_mtime_ns for path in network.public.iterdir()} == before
    assert snapshot(network.aggregator, DAY).reasons == {"counted": 12}


def test_a_crash_between_keeping_and_publishing_is_made_good(network: Network) -> None:
    network.publish(12)
    network.public.chmod(0o555)
    network.public.rename(network.public.with_name("away"))
    network.round(DUE)
    assert [f.code for f in snapshot(network.aggregator, DAY).fatal] == ["publish_failed"]
    network.public.with_name("away").rename(network.public)
    network.public.chmod(0o755)
    network.start()
    network.round(DUE + 30)
    assert network.out["n"] == 12
    assert snapshot(network.aggregator, DAY).findings == ()


def test_a_restart_before_the_slot_is_due_loses_no_value(network: Network) -> None:
    network.publish(12)
    network.round(DUE)
    network.publish(12, SLOT + HOUR)
    network.round(DUE + HOUR - 60)
    network.start()
    network.round(DUE + HOUR)
    assert network.aggregator.newest is not None
    assert (network.aggregator.newest.slot, network.aggregator.newest.n) == (SLOT + HOUR, 12)


def test_replay_is_seen_across_a_restart(network: Network) -> None:
    network.publish(12)
    network.round(DUE)
    network.start()
    put(network.root, "u000@example.com", raw(slot=SLOT + HOUR, seq=1 + SLOT // HOUR, ledger_id="0" * 32))
    network.round(DUE + HOUR - 60)
    assert snapshot(network.aggregator, DAY).reasons == {"counted": 11, "seq_back": 1}


def test_a_history_that_cannot_be_written_keeps_the_values_until_it_can(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.publish(12)
    pages = network.history._db.execute("PRAGMA page_count").fetchone()[0]
    network.history._db.execute(f"PRAGMA max_page_count={pages}")
    monkeypatch.setattr(type(network.aggregator.scanner.store), "dump", lambda _: b"x" * 100_000)
    network.round(DUE)
    assert [f.code for f in snapshot(network.aggregator, DAY).fatal] == ["history_failed"]
    assert list(network.public.iterdir()) == []
    network.publish(3, first=12)
    network.history._db.execute("PRAGMA max_page_count=1000000")
    network.round(DUE + 30)
    assert network.aggregator.newest is not None
    assert network.aggregator.newest.n == 12  # the three came after its time
    assert snapshot(network.aggregator, DAY).findings == ()
    assert network.out["n"] == 12


def test_a_torn_file_gets_a_second_look_in_the_same_round(network: Network) -> None:
    network.publish(10)
    torn = network.root / "u000@example.com" / PLACE
    good = torn.read_bytes()
    torn.write_bytes(good[:300])
    network.aggregator._pause = lambda _: torn.write_bytes(good)
    network.round(DUE)
    assert network.aggregator.newest is not None
    assert network.aggregator.newest.n == 10


@pytest.mark.parametrize("jump", [10 * DAY, 400 * DAY, -10 * DAY, -3 * HOUR])
def test_a_clock_that_jumps_and_comes_back_neither_doubles_nor_reorders(network: Network, jump: float) -> None:
    network.publish(12)
    network.round(DUE)
    network.round(DUE + 60 + jump)
    network.publish(12, SLOT + HOUR)
    network.round(DUE + HOUR)
    network.round(DUE + HOUR + 60)
    points = network.history.points(0, 2**40)
    assert [(p.slot, p.n) for p in points] == [(SLOT, 12), (SLOT + HOUR, 12)]
    assert snapshot(network.aggregator, DAY).findings == ()


def test_a_clock_behind_the_newest_result_is_said(network: Network) -> None:
    network.publish(12)
    network.round(DUE)
    network.round(DUE - DAY)
    assert [f.code for f in snapshot(network.aggregator, DAY).findings] == ["clock_back"]


def test_random_schedules_keep_the_laws(tmp_path: Path) -> None:
    """Restarts, jumps, joins and rewrites: results strictly forward, one a slot, nobody counted twice in one."""
    seed = 11
    rng = random.Random(seed)
    network = Network(tmp_path, MIN_PARTICIPANTS="1")
    now = DUE
    for _ in range(120):
        now += rng.choice((30, 30, 600, 1_800, 3_600, -1_200, -4_000))
        slot = int(now // HOUR) * HOUR - HOUR
        for number in rng.sample(range(5), 3):
            put(
                network.root,
                f"u{number}@example.com",
                raw(slot=slot + HOUR * rng.randrange(-1, 2), seq=rng.randrange(1, 400), ledger_id=f"{number:032x}"),
            )
        if rng.random() < 0.1:
            network.start()
        before = network.history.last()
        network.round(now)
        after = network.history.last()
        assert before is None or (after is not None and after.slot >= before.slot), seed
        if after != before:
            assert after is not None
            assert after.n <= 5, seed
            assert after.end + 120 <= now, seed
    slots = [p.slot for p in network.history.points(0, 2**40)]
    assert len(slots) > 5
    assert slots == sorted(set(slots))
    network.history.close()


def test_several_slots_wait_when_they_are_shorter_than_the_settle_time(tmp_path: Path) -> None:
    custom = {
        "unit": "window",
        "epsilon": 1,
        "sample_seconds": 10,
        "slot_seconds": 20,
        "n": 10,
        "interval_ms": 100,
        "lower": 0,
        "upper": 100,
    }
    network = Network(
        tmp_path, POLICY="custom", POLICY_CUSTOM=json.dumps([custom]), MIN_PARTICIPANTS="1", SETTLE_SECONDS="60"
    )
    for number in range(6):
        slot = SLOT + 20 * number
        content = raw(
            slot=slot,
            slot_seconds=20,
            windows=2,
            preset="custom",
            seq=number + 1,
            timestamp=f"2026-11-24 12:{(20 * number + 21) // 60:02}:{(20 * number + 21) % 60:02}",
            noise={"mechanism": "discrete_laplace", "scale_pp": 50.0, "granularity_pp": 0.005},
            guarantee={
                "unit": "window",
                "covers_seconds": 7,
                "sensitivity_pp": 50.0,
                "epsilon": 1.0,
                "delta": 0,
                "epsilon_24h_spent": 2.0,
                "epsilon_24h_cap": 99.0,
            },
            sampling={"n": 10, "interval_ms": 100, "lower": 0, "upper": 10_000},
        )
        put(network.root, "u@example.com", content)
        network.round(slot + 25.0)
    assert [p.slot for p in network.history.points(0, 2**40)] == [SLOT, SLOT + 20, SLOT + 40]
    network.history.close()


def test_what_a_wider_policy_would_add_is_said(network: Network) -> None:
    network.publish(10)
    put(network.root, "old@example.com", b'{"cpu": 4.5, "timestamp": "2026-11-24 13:00:30"}')
    put(
        network.root,
        "own@example.com",
        raw(preset="custom", noise={"mechanism": "discrete_laplace", "scale_pp": 100.0, "granularity_pp": 0.01 / 12}),
    )
    network.round(DUE)
    wider = {w.preset: w for w in snapshot(network.aggregator, DAY).wider}
    assert set(wider) == {"legacy", "custom"}
    result = network.aggregator.result
    assert result is not None
    assert result.estimate is not None
    coarse, fine = wider["custom"].noise_pp, wider["legacy"].noise_pp
    assert coarse is not None
    assert fine is not None
    assert fine < result.estimate.noise_pp < coarse  # one coarse value makes the whole band coarse


def test_exports_hold_what_the_page_shows_and_hostile_names_stay_inert(network: Network) -> None:
    name = '<script>alert("x")</script>\n@example.com'.replace("/", "_")
    put(network.root, name, raw())
    network.publish(12)
    network.round(DUE)
    view = snapshot(network.aggregator, DAY)
    document = json.loads(view_json(view))
    assert document["reasons"] == {"counted": 13}
    assert name in {site["name"] for site in document["datasites"]}
    lines = to_csv(view.history).split("\r\n")
    assert len(lines) == 3
    assert dict(zip(lines[0].split(","), lines[1].split(","), strict=True))["reason_counted"] == "13"
    assert "script" not in to_csv(view.history)


def test_trouble_with_old_results_does_not_stop_new_ones(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise HistoryError("the disk is full")

    monkeypatch.setattr(network.history, "prune", refuse)
    network.publish(12)
    network.round(DUE)
    assert [f.code for f in snapshot(network.aggregator, DAY).findings] == ["history_failed"]
    network.publish(12, SLOT + HOUR)
    network.round(DUE + HOUR)
    monkeypatch.undo()
    network.round(DUE + HOUR + 30)
    assert [p.slot for p in network.history.points(0, 2**40)] == [SLOT, SLOT + HOUR]
    assert snapshot(network.aggregator, DAY).findings == ()
