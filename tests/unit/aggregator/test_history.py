"""The history: one result per slot, durable, pruned to hourly means, and alive after kill -9."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.aggregator.sites import HOUR, SLOT

from cpu_aggregator.errors import HistoryError
from cpu_aggregator.history import History
from cpu_aggregator.series import thin, thinned
from cpu_aggregator.view import Estimate, Point

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parents[3] / "aggregator"


def point(number: int, *, span: int = HOUR, value: float = 20.0, sure: bool = True) -> Point:
    estimate = Estimate(value, value + 1, value + 2, 7.0, 9.0, value, 3.0) if sure else None
    return Point(SLOT + number * span, span, 12 if sure else 3, estimate, {"counted": 12})


@pytest.fixture
def path() -> Iterator[Path]:
    """In memory where there is such a folder: nothing here cuts the power, and a busy disk would only slow it down."""
    memory = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder) / "history.sqlite3"


def test_what_is_kept_comes_back(path: Path) -> None:
    history = History(path)
    history.add(point(0), b"one")
    history.add(point(1, sure=False), b"two")
    history.close()
    again = History(path)
    assert again.last() == point(1, sure=False)
    assert again.last(estimated=True) == point(0)
    assert again.store() == b"two"
    assert again.points(SLOT, SLOT + HOUR) == (point(0), point(1, sure=False))
    assert again.results(360) == (point(0),)
    again.close()


def test_a_slot_has_one_result(path: Path) -> None:
    history = History(path)
    history.add(point(0), b"one")
    with pytest.raises(HistoryError, match="history"):
        history.add(point(0, value=50), b"two")
    assert history.last() == point(0)
    assert history.store() == b"one"  # together or not at all
    history.close()


def test_old_slots_become_hours_and_stay(path: Path) -> None:
    history = History(path)
    for number in range(2 * 24 * 3):
        history.add(point(number, span=1_800, value=float(number % 2)), b"")
    assert history.prune(SLOT + 92 * 86_400, 90) == 2 * 24 + 2 * 12  # whole days: it began at noon
    points = history.points(SLOT - HOUR, SLOT + 3 * 86_400)
    hours = [p for p in points if p.span_seconds == HOUR]
    assert len(hours) == 24 + 12
    assert hours[0].slot == SLOT
    assert hours[0].estimate is not None
    assert hours[0].estimate.headline == pytest.approx(0.5)
    assert [p.slot for p in points] == sorted({p.slot for p in points})
    assert history.prune(SLOT + 92 * 86_400, 90) == 0
    history.close()


def test_slots_of_an_hour_stay_as_they_are(path: Path) -> None:
    history = History(path)
    history.add(point(0), b"")
    history.prune(SLOT + 200 * 86_400, 90)
    assert history.points(SLOT, SLOT) == (point(0),)
    history.close()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be looked at" * 40, b"\0" * 4_096])
def test_a_damaged_file_says_what_to_do(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(HistoryError, match="moved away"):
        History(path)


def test_a_history_of_another_version_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(HistoryError, match="version 99"):
        History(path)


def test_a_full_disk_keeps_what_was_there(path: Path) -> None:
    history = History(path)
    history.add(point(0), b"x")
    pages = history._db.execute("PRAGMA page_count").fetchone()[0]
    history._db.execute(f"PRAGMA max_page_count={pages}")  # SQLite's own full disk
    with pytest.raises(HistoryError, match="free disk space"):
        history.add(point(1), b"y" * 100_000)
    assert history.last() == point(0)
    history._db.execute("PRAGMA max_page_count=1000000")
    history.add(point(1), b"y" * 100_000)
    assert history.last() == point(1)
    history.close()


WRITER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from cpu_aggregator.history import History
from cpu_aggregator.view import Estimate, Point
def say(text):
    os.write(1, f"{text}\\n".encode())
for _ in sys.stdin:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        say("dead")
        continue
    say(os.getpid())
    history = History(Path(sys.argv[2]))
    last = history.last()
    number = 0 if last is None else last.slot // 3600 + 1
    while True:
        point = Point(number * 3600, 3600, 10, Estimate(*[float(number)] * 7), {"counted": number})
        history.add(point, str(number).encode() * 2000)
        say(number)
        number += 1
"""


def test_fifty_kills_lose_nothing_that_was_said_to_be_kept(path: Path) -> None:
    """A process adds results and says each number after it is kept; SIGKILL at a random moment, fifty times."""
    seed = 50
    rng = random.Random(seed)
    said = -1
    command = [sys.executable, "-S", "-c", WRITER, str(PACKAGE), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        for _ in range(50):
            parent.stdin.write("\n")
            parent.stdin.flush()
            writer = int(parent.stdout.readline())
            for _ in range(rng.randrange(4)):
                said = int(parent.stdout.readline())
            time.sleep(rng.uniform(0, 0.004))  # not a wait: any moment of the next transaction
            os.kill(writer, signal.SIGKILL)
            while (line := parent.stdout.readline()) != "dead\n":
                said = int(line)
            history = History(path)
            newest = history.last()
            reached = -1 if newest is None else newest.slot // HOUR
            assert said <= reached <= said + 1, seed  # kept and not yet said: at most the one in hand
            kept = history.points(0, reached * HOUR)
            assert [p.slot // HOUR for p in kept] == list(range(reached + 1)), seed
            assert all(p.estimate and p.estimate.headline == p.slot // HOUR == p.reasons["counted"] for p in kept)
            assert history.store() == (None if newest is None else str(reached).encode() * 2_000)
            history.close()
            said = max(said, reached)
        parent.stdin.close()
    assert said > 10


def test_thinning_means_values_and_half_widths_and_keeps_gaps() -> None:
    points = [point(0, value=10), point(1, value=20), point(2, sure=False), point(3, sure=False)]
    two = thin(points, 2 * HOUR)
    assert [(p.slot, p.span_seconds, p.n) for p in two] == [(SLOT, 2 * HOUR, 12), (SLOT + 2 * HOUR, 2 * HOUR, 3)]
    assert two[0].estimate == Estimate(15, 16, 17, 7, 9, 15, 3)
    assert two[1].estimate is None


def test_thinned_has_few_points_and_zero_means_all() -> None:
    points = [point(number) for number in range(1_000)]
    assert len(thinned(points, 0)) == 1_000
    assert 250 <= len(thinned(points, 360)) <= 361
    assert thinned(points[:5], 360) == tuple(points[:5])
