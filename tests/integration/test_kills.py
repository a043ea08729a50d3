"""Both containers killed by turns at random moments: no slot released twice, no window lost without a reason or twice.

8 slots of 5 s in `make test`; `make soak` runs 60 (CPUTRACKER_SOAK_SLOTS).
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.contract import strict_reader

if TYPE_CHECKING:
    from tests.integration.pair import Pair

SLOTS = int(os.environ.get("CPUTRACKER_SOAK_SLOTS", "8"))
SLOT_SECONDS = 5


def test_kills_by_turns_release_no_slot_and_no_window_twice(own_pair: Pair) -> None:
    pair, seed = own_pair, random.randrange(1 << 32)
    sys.stdout.write(f"seed {seed}\n")
    moments = random.Random(seed)
    end = time.monotonic() + SLOTS * SLOT_SECONDS
    killed: Counter[str] = Counter()
    torn = 0
    while time.monotonic() < end:
        service = ("collector", "publisher")[killed.total() % 2]
        pid = pair.kill(service)
        killed[service] += 1
        pair.until(f"{service} is back", lambda: pair.host_pid(service) not in (0, pid))  # noqa: B023 - awaited here
        quiet = time.monotonic() + moments.uniform(1, 1.6 * SLOT_SECONDS)
        while time.monotonic() < quiet:  # read as any reader may, at any moment
            try:
                json.loads(pair.public.read_bytes())
            except ValueError:
                torn += 1
            time.sleep(0.002)
    seq = (pair.body() or {"seq": 0})["seq"]
    pair.until("an undisturbed release", lambda: pair.released(seq + 2))

    rows = pair.ledger()["releases"]
    strict_reader.read(pair.public)
    assert torn == 0
    assert min(killed.values()) >= 2, killed
    assert max(Counter((row["slot"], row["kind"]) for row in rows).values()) == 1
    kinds = Counter(row["kind"] for row in rows)
    assert kinds["first"] == 1
    assert kinds["slot"] >= SLOTS // 2, "kills cost windows of a slot, not most slots"
    assert [row["slot"] for row in rows] == sorted(row["slot"] for row in rows)
    windows = [tuple(window) for row in rows for window in row["windows"]]
    assert len(set(windows)) == len(windows)
    # Every window that the owner's history knows as released is in exactly that row; the pool holds only later ones.
    history = [json.loads(line) for line in (pair.private / "history.jsonl").read_text().splitlines()]
    known = {row["seq"]: [start for start, _ in row["windows"]] for row in rows}
    for line in history:
        assert [start for start, _ in line["windows"]] == known[line["seq"]]
    pooled = json.loads((pair.private / "pool.json").read_bytes())["windows"]
    assert all(window[0] > max(start for start, _ in windows) for window in pooled)
