"""kill -9 of a publisher process at random moments, and what every reader and the ledger saw meanwhile.

The process is the real session on real files; only its clock is simulated, so that it releases as fast as it can. It is
forked, not started, because a hundred starts of Python would take longer than everything that is tested here.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import shutil
import signal
import struct
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.audit.path import DELAY_MS, START, Host

from cpu_publisher import body, budget, ledger
from cpu_publisher.errors import PublisherError
from cpu_publisher.ledger import BODY_DAYS
from cpu_publisher.ledger_schema import LEDGER_NAME
from cpu_publisher.presets import DAY_SECONDS, PRESETS, customise

if TYPE_CHECKING:
    from cpu_publisher.ledger import Row
    from cpu_publisher.pool import Stamp

PRESET = customise(PRESETS["hour"], slot_seconds=900)  # three windows: a kill often leaves a pool behind
LONGEST_LIFE = 0.2  # seconds; some ten releases


def truth(started_ms: int) -> int:
    """The raw mean of the window that starts then: known to the test, different for each."""
    return started_ms // 1_000 * 7_919 % 10_001


@dataclass
class Seen:
    """What was seen over all lives.

    Attributes:
        kills: how many.
        reads: how often the public file was read.
        torn: reads that were no whole document.
        renoised: releases whose value was seen to change.
        unrecorded: values in the public file that the ledger did not have after the kill.
        repeated: windows that are in more than one release.
        closed: lives that ended by themselves, because the publisher refused what it found.
        noise: published minus true sum, hundredths of a percent, of each release whose value the ledger still keeps.
    """

    kills: int = 0
    reads: int = 0
    torn: int = 0
    renoised: int = 0
    unrecorded: int = 0
    repeated: int = 0
    closed: int = 0
    noise: list[int] = field(default_factory=list)
    values: dict[tuple[str, int], float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Nothing re-noised, nothing published without a record, nothing torn, no window twice, never closed."""
        return not (self.torn or self.renoised or self.unrecorded or self.repeated or self.closed)

    @property
    def detail(self) -> str:
        """The numbers in words."""
        return (
            f"{self.kills:,} kills, {self.reads:,} reads, {len(self.values):,} releases seen,"
            f" {len(self.noise):,} recorded: {self.renoised} re-noised,"
            f" {self.unrecorded} published without a record, {self.torn} torn reads,"
            f" {self.repeated} windows used twice, {self.closed} refused by the publisher itself"
        )

    def look(self, document: dict[str, Any]) -> None:
        """One read of the public file."""
        name = (document["ledger_id"], document["seq"])
        self.renoised += self.values.setdefault(name, document["cpu"]) != document["cpu"]


def killed(kills: int, seed: int) -> Seen:
    """Start, kill, look, start again."""
    rng = random.Random(seed)
    seen = Seen()
    for k in range(1, PRESET.windows_per_slot + 1):
        budget.spend_micro(PRESET, k)  # calibrated once, inherited by every life
    host = Host(PRESET, on_disk=True)
    try:
        with mmap.mmap(-1, 8) as clock:
            clock[:] = struct.pack("q", 1_000 * START)
            while seen.kills < kills and not seen.closed:
                child = os.fork()
                if child == 0:
                    _live(host, clock)
                _watch(host, seen, time.monotonic() + rng.uniform(0, LONGEST_LIFE))
                os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
                seen.kills += 1
                seen.closed += not os.WIFSIGNALED(status)
                _compare(host, seen)
        _account(host, seen)
    finally:
        host.remove()
    return seen


def _live(host: Host, clock: mmap.mmap) -> None:
    """The publisher's life: from where the last one's clock stood, until it is killed."""
    try:
        host.clock.to(struct.unpack("q", clock[:])[0])
        host.open()
        sample_ms = 1_000 * PRESET.sample_seconds
        while True:
            begin_ms = sample_ms * (host.clock.utc_ms() // sample_ms + 1)
            host.clock.to(begin_ms + DELAY_MS)
            host.session.tick()  # a slot that ended here is due
            host.take(begin_ms + 20_000, truth(begin_ms + 20_000))
            clock[:] = struct.pack("q", host.clock.utc_ms())
            host.session.tick()  # the first window of all is due
    except PublisherError:
        pass  # the parent sees that it ended by itself
    except Exception:
        traceback.print_exc()
        raise
    finally:
        os._exit(3)


def _watch(host: Host, seen: Seen, until: float) -> None:
    while time.monotonic() < until:
        _read(host, seen)


def _read(host: Host, seen: Seen) -> bytes | None:
    try:
        data = host.public.read_bytes()
    except FileNotFoundError:
        return None
    seen.reads += 1
    try:
        seen.look(json.loads(data))
    except (ValueError, KeyError):
        seen.torn += 1
    return data


def _copy(host: Host) -> tuple[ledger.Ledger, Path]:
    """The ledger as the kill left it, opened from a copy: opening it would mend it before the publisher can."""
    scratch = Path(tempfile.mkdtemp(dir=host.root))
    for name in (LEDGER_NAME, f"{LEDGER_NAME}-journal"):
        if (host.private / name).exists():
            shutil.copy(host.private / name, scratch)
    return ledger.Ledger(scratch / LEDGER_NAME), scratch


def _compare(host: Host, seen: Seen) -> None:
    data = _read(host, seen)
    if data is None:
        return
    records, scratch = _copy(host)
    seen.unrecorded += not records.has_body(json.loads(data)["seq"], data)
    records.close()
    shutil.rmtree(scratch)


def _account(host: Host, seen: Seen) -> None:
    records, _ = _copy(host)
    used: set[Stamp] = set()
    rows = records.rows()
    for row in rows:
        stamps = records.stamps(row.seq)
        seen.repeated += sum(stamp in used for stamp in stamps)
        used.update(stamps)
        forgotten = row.slot < rows[-1].slot - BODY_DAYS * DAY_SECONDS  # a thousand lives are two simulated months
        assert (row.noisy_sum is None) == forgotten, f"retention: {row}"
        if row.noisy_sum is None:
            continue
        seen.noise.append(row.noisy_sum - sum(truth(stamp.started_at_ms) for stamp in stamps))
        name = (records.identity.ledger_id, row.seq)
        seen.renoised += seen.values.get(name, _value(row)) != _value(row)
    records.close()


def _value(row: Row) -> float:
    assert row.noisy_sum is not None
    return body.value(row.noisy_sum, row.k)
