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
from tests.integration.witness import Witness, in_pool

if TYPE_CHECKING:
    from tests.integration.pair import Pair

SLOTS = int(os.environ.get("CPUTRACKER_SOAK_SLOTS", "8"))
SLOT_SECONDS = 5


def test_kills_by_turns_release_no_slot_and_no_window_twice(own_pair: Pair) -> None:
    pair, seed = own_pair, random.randrange(1 << 32)
    sys.stdout.write(f"seed {seed}\n")
    with Witness(pair) as witness:
        killed, torn = _kill_by_turns(pair, random.Random(seed))
        seq = (pair.body() or {"seq": 0})["seq"]
        pair.until("an undisturbed release", lambda: pair.released(seq + 2))
    assert torn == 0
    assert min(killed.values()) >= 2, killed
    strict_reader.read(pair.public)
    pair.container("publisher").stop()  # so that ledger, pool and history stand still beside one another
    ledger = json.loads(pair.compose("run", "--rm", "--no-deps", "-T", "publisher", "ledger", "export").stdout)
    _one_release_a_slot(ledger["releases"])
    _every_window_accounted_for(pair, ledger["releases"], witness)


def _kill_by_turns(pair: Pair, moments: random.Random) -> tuple[Counter[str], int]:
    """Kill, await the restart, read the public file as any reader may; returns kills and torn reads."""
    killed: Counter[str] = Counter()
    torn, end = 0, time.monotonic() + SLOTS * SLOT_SECONDS
    while time.monotonic() < end:
        service = ("collector", "publisher")[killed.total() % 2]
        pid = pair.kill(service)
        killed[service] += 1
        pair.until(f"{service} is back", lambda: pair.host_pid(service) not in (0, pid))  # noqa: B023 - awaited here
        quiet = time.monotonic() + moments.uniform(1, 1.6 * SLOT_SECONDS)
        while time.monotonic() < quiet:
            try:
                json.loads(pair.public.read_bytes())
            except ValueError:
                torn += 1
            time.sleep(0.002)
    return killed, torn


def _one_release_a_slot(rows: list[dict[str, object]]) -> None:
    """At most one of each slot; the first slot: `first` and its own."""
    assert max(Counter((row["slot"], row["kind"]) for row in rows).values()) == 1
    kinds = Counter(row["kind"] for row in rows)
    assert kinds["first"] == 1
    assert kinds["slot"] >= SLOTS // 2, "kills cost windows of a slot, not most slots"
    assert [row["slot"] for row in rows] == sorted(row["slot"] for row in rows)  # type: ignore[type-var] # integers


def _every_window_accounted_for(pair: Pair, rows: list[dict[str, object]], witness: Witness) -> None:
    """Each window that was seen in the pool is in exactly one release, still pooled, or counted as dropped."""
    released = {row["seq"]: [start for start, _ in row["windows"]] for row in rows}  # type: ignore[attr-defined] # pairs
    starts = [start for windows in released.values() for start in windows]
    assert len(set(starts)) == len(starts)
    later = {start for start in starts if start >= witness.since_ms}
    assert len(later - witness.pooled) <= len(later) / 10, "the witness saw too little of the pool to be believed"
    left = in_pool(pair)
    assert not left & set(starts)
    lost = witness.pooled - set(starts) - left
    assert len(lost) <= witness.drops, f"{len(lost)} windows vanished, {witness.dropped} are accounted for"
    # The owner's history has every release, with exactly its windows: what a crash left unwritten was made up for.
    lines = [json.loads(line) for line in (pair.private / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["seq"] for line in lines} == set(released)
    for line in lines:
        assert [start for start, _ in line["windows"]] == released[line["seq"]]
