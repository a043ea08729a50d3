"""What one round of the aggregator costs, against the old leader's loop and a bare read of the same tree.

    python bench/aggregator.py [--sizes 1000 10000 100000] [--repeats 3] [--json] [--check]

Makes a tree of that many datasites in a temporary folder (as the publisher writes them, spread over 30 s of due times),
then times in one process, warm, the best of the repeats, as CPU time (user and system) of this process:

- bare: scandir, open, read of each file with Python's own open, and nothing else;
- calls: the same by os.open, os.read, os.close: the least that Python can do;
- old: the old leader's loop as facts are known of it (one folder at a time, pathlib, json.load, strptime), on the same
  values in the folder it looks in;
- round: everything of ours when each file has changed since the round before: list, open without following links,
  read, check, judge, average, keep, publish;
- again: the next round, in which no file changed.

Memory is what tracemalloc sees the store and the values waiting keep, per datasite.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import tracemalloc
from array import array
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "aggregator"))

from cpu_aggregator import settings
from cpu_aggregator.aggregator import Aggregator
from cpu_aggregator.body import Reader
from cpu_aggregator.history import History
from cpu_aggregator.scan import Scanner
from cpu_aggregator.store import Store
from cpu_aggregator.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

SLOT = int(time.time()) // 3_600 * 3_600
NOW = SLOT + 3_600 + 121.0  # later than any file's own times: one changed just now would be read twice
TARGET_OLD, TARGET_BARE, TARGET_BYTES = 6.0, 1.8, 300


class FixedClock:
    """A moment: the slot of every file has just become due."""

    def utc(self) -> float:
        """Unix seconds."""
        return NOW

    def steady(self) -> float:
        """Seconds."""
        return time.perf_counter()


def body(rng: random.Random) -> bytes:
    """One public file as the publisher writes it: preset hour, all windows."""
    k = 12
    noise = rng.expovariate(1) - rng.expovariate(1)
    due = datetime.fromtimestamp(SLOT + 3_610 + rng.randrange(30), UTC)
    document = {
        "cpu": round(round(100 * k * (rng.uniform(0, 100) + 8.333 * noise)) / (100 * k), 6),
        "timestamp": f"{due:%Y-%m-%d %H:%M:%S}",
        "schema": 1,
        "status": "active",
        "resumes_slot": None,
        "slot": SLOT,
        "slot_seconds": 3_600,
        "kind": "slot",
        "windows": k,
        "preset": "hour",
        "seq": rng.randrange(1, 9_000),
        "ledger_id": f"{rng.getrandbits(128):032x}",
        "noise": {"mechanism": "discrete_laplace", "scale_pp": 100 / k, "granularity_pp": 0.01 / k},
        "guarantee": {
            "unit": "window",
            "covers_seconds": 291,
            "sensitivity_pp": 100 / k,
            "epsilon": 1.0,
            "delta": 0,
            "epsilon_24h_spent": float(rng.randrange(12, 289, 12)),
            "epsilon_24h_cap": 288.0,
        },
        "sampling": {"n": 50, "interval_ms": 100, "lower": 0, "upper": 10_000},
        "nonce": f"{rng.getrandbits(128):032x}",
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def make_tree(root: Path, size: int, rng: random.Random) -> None:
    """`size` datasites, each with our file and, for the old loop, its own."""
    for number in range(size):
        site = root / "datasites" / f"user{number:06d}@example.com"
        ours, old = site / "app_data" / "cpu_tracker", site / "api_data" / "cpu_tracker"
        ours.mkdir(parents=True)
        old.mkdir(parents=True)
        content = body(rng)
        (ours / "cpu_tracker.json").write_bytes(content)
        fields = json.loads(content)
        two = {"cpu": round(fields["cpu"], 2), "timestamp": fields["timestamp"]}
        (old / "cpu_tracker.json").write_text(json.dumps(two, indent=4), encoding="ascii")


def bare(root: Path) -> int:
    """Scandir, open, read."""
    total = 0
    for entry in os.scandir(root / "datasites"):
        with open(f"{entry.path}/app_data/cpu_tracker/cpu_tracker.json", "rb") as file:  # noqa: PTH123 - the barest way
            total += len(file.read())
    return total


def system_calls(root: Path) -> int:
    """The same with nothing between us and the system calls."""
    total = 0
    for entry in os.scandir(root / "datasites"):
        fd = os.open(f"{entry.path}/app_data/cpu_tracker/cpu_tracker.json", os.O_RDONLY)
        total += len(os.read(fd, 4_096))
        os.close(fd)
    return total


def old_leader(root: Path) -> float:
    """The old leader's loop, restated: every folder that exists and has the file, younger than 60 s, averaged."""
    datasites = root / "datasites"
    now = datetime(1970, 1, 1) + timedelta(seconds=SLOT + 3_641)  # noqa: DTZ001 - naive, as it does
    peers = [entry.name for entry in datasites.iterdir() if entry.is_dir()]
    values = []
    for peer in peers:
        tracker: Path = datasites / peer / "api_data" / "cpu_tracker" / "cpu_tracker.json"
        if not tracker.exists():
            continue
        with tracker.open() as file:
            try:
                data = json.load(file)
            except json.JSONDecodeError:
                continue
        stamp = datetime.strptime(data["timestamp"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - naive, as it does
        if now - stamp < timedelta(minutes=1):
            values.append(float(data["cpu"]))
    return sum(values) / len(values)


def aggregator(root: Path) -> Aggregator:
    """Ours, as if it had seen each datasite's release of the slot before."""
    state = Path(tempfile.mkdtemp(dir=root))
    (state / "public").mkdir()
    given = {
        "CPUTRACKER_DATASITES_DIR": str(root),
        "CPUTRACKER_STATE_DIR": str(state),
        "CPUTRACKER_PUBLIC_DIR": str(state / "public"),
    }
    chosen = settings.read(given)
    scanner = Scanner(Tree(chosen.datasites_dir), Reader(chosen.policy), Store())
    scanner.scan(now=NOW, newest=SLOT, closed=SLOT - 3_600)
    store, rows = scanner.store, len(scanner.store.index)
    store.slot[:] = array("q", [SLOT - 3_600]) * rows
    store.valued[:] = array("q", [SLOT - 3_600]) * rows
    store.seq[:] = array("q", [0]) * rows
    store.key[:] = array("q", [0]) * rows
    scanner.pending.clear()
    return Aggregator(chosen, scanner, History(state / "history.sqlite3"), FixedClock(), time.sleep)


def best(work: Callable[[], object], repeats: int) -> float:
    """Shortest of some runs, seconds."""
    times = []
    for _ in range(repeats):
        gc.collect()
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def bytes_each(root: Path, size: int) -> float:
    """What a round leaves in memory, before the slot is computed (values still waiting), per datasite."""
    gc.collect()
    tracemalloc.start()
    one = aggregator(root)
    one.scanner.scan(now=NOW, newest=SLOT, closed=SLOT - 3_600)
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept / size


def measure(size: int, repeats: int, seed: int) -> dict[str, float]:
    """All figures of one size; times in microseconds per datasite."""
    folder = Path(tempfile.mkdtemp(prefix="cpu-aggregator-bench-"))
    try:
        make_tree(folder, size, random.Random(seed))
        fresh = [aggregator(folder) for _ in range(repeats)]
        waiting = iter(fresh)
        each = 1e6 / size
        figures = {
            "datasites": size,
            "bare_us": best(lambda: bare(folder), repeats) * each,
            "calls_us": best(lambda: system_calls(folder), repeats) * each,
            "old_us": best(lambda: old_leader(folder), repeats) * each,
            "round_us": best(lambda: next(waiting).round(), repeats) * each,
            "again_us": best(fresh[0].round, repeats) * each,
            "bytes_each": bytes_each(folder, size),
            "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024,
        }
        if fresh[0].newest is None or fresh[0].newest.n != size:
            raise SystemExit(f"the round counted {fresh[0].newest}, not {size}")
    finally:
        shutil.rmtree(folder)
    figures["old_over_round"] = figures["old_us"] / figures["round_us"]
    figures["round_over_bare"] = figures["round_us"] / figures["bare_us"]
    return figures


def main() -> int:
    """Print the table, and which targets are missed."""
    parser = argparse.ArgumentParser(description="Cost of one round of the aggregator.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target of the largest size is missed")
    arguments = parser.parse_args()
    rows = [measure(size, arguments.repeats, arguments.seed) for size in arguments.sizes]
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        names = ("bare_us", "calls_us", "old_us", "round_us", "again_us", "old_over_round", "round_over_bare")
        print(f"{'datasites':>9}", *(f"{name:>15}" for name in names), f"{'bytes_each':>10} {'peak_rss_mb':>11}")
        for r in rows:
            figures = (f"{r[name]:15.2f}" for name in names)
            print(f"{r['datasites']:9.0f}", *figures, f"{r['bytes_each']:10.0f} {r['peak_rss_mb']:11.0f}")
    last = rows[-1]
    missed = [
        text
        for text, holds in (
            (f"at least {TARGET_OLD:g} times faster than the old leader", last["old_over_round"] >= TARGET_OLD),
            (f"at most {TARGET_BARE:g} times the bare read", last["round_over_bare"] <= TARGET_BARE),
            (f"at most {TARGET_BYTES} bytes of state each", last["bytes_each"] <= TARGET_BYTES),
        )
        if not holds
    ]
    for text in missed:
        print(f"missed at {last['datasites']:.0f} datasites: {text}", file=sys.stderr)
    return 1 if missed and arguments.check else 0


if __name__ == "__main__":
    raise SystemExit(main())
