"""A simulated participant: the real engine on real files, a collector that keeps its schedule, and a true time.

What a computer shows the publisher (a UTC clock that steps, CLOCK_BOOTTIME that never does, reboots, sleep) is apart
from what really happened, so that a test can hold one against the other. The noise is taken out, so that each noisy
sum must be the sum of its windows to the last hundredth of a percent.
"""

from __future__ import annotations

import json
import random
import secrets
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from tests.contract import strict_reader

from cpu_publisher import budget, cli, commands
from cpu_publisher.datasite import Datasite
from cpu_publisher.engine import Engine, terms_of
from cpu_publisher.errors import FolderError, LedgerError
from cpu_publisher.folder import Folder
from cpu_publisher.ledger import CARRIED, Ledger, Row
from cpu_publisher.noise import Mechanism
from cpu_publisher.presets import DAY_SECONDS
from cpu_publisher.private import PrivateFolder
from cpu_publisher.reconcile import Birth
from cpu_publisher.settings import Settings, read
from cpu_publisher.slots import slot_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cpu_publisher.pool import Stamp
    from cpu_publisher.view import View

EMAIL = "alice@example.com"
START = 1_795_521_600  # 2026-11-24 12:00:00 UTC: slots of every length but the two longest start here
OFFSET_MS = 20_000  # where in a sample interval the collector starts (a twelfth of it, if that is less)
HOUR_MS = 3_600_000
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a random folder in it


class Crash(SystemExit):
    """The process is gone; what is on disk stays."""


class FakeClock:
    """Moves when it is told to; UTC can be stepped alone."""

    def __init__(self, utc_ms: int) -> None:
        self.utc = utc_ms
        self.boot = 1_000_000
        self.boots = 1

    def go(self, ms: int) -> None:
        self.utc += ms
        self.boot += ms

    def reboot(self) -> None:
        self.boots += 1
        self.boot = 0

    def utc_ms(self) -> int:
        return self.utc

    def boot_ms(self) -> int:
        return self.boot

    def boot_id(self) -> str:
        return f"boot {self.boots}"


@dataclass
class Host:
    """One participant in a folder of its own, its publisher running.

    Attributes:
        root: an empty folder.
        environ: settings without their prefix.
        rng: spans and means of windows.
        phase_ppm, day_ppm: what the ledger is born with.
        real: (boot id, boot_ms) -> true start, true end, mean of each window that was measured.
        rows: (ledger id, seq) -> release with its windows, as first seen.
        counts: (name, reason) -> how often, over all lives.
        handed: lines handed to the publisher.
    """

    root: Path
    environ: dict[str, str] = field(default_factory=dict)
    rng: random.Random = field(default_factory=lambda: random.Random(1))
    phase_ppm: int = 0
    day_ppm: int = 500_000
    start: int = START
    true_ms: int = 0
    handed: int = 0
    real: dict[tuple[str, int], tuple[int, int, int]] = field(default_factory=dict)
    rows: dict[tuple[str, int], tuple[Row, tuple[Stamp, ...]]] = field(default_factory=dict)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.datasite = self.root / "datasites" / EMAIL
        self.private = self.root / "private" / "cpu_tracker"
        self.public = self.datasite / "app_data" / "cpu_tracker" / "cpu_tracker.json"
        for folder in (self.public.parent, self.private):
            folder.mkdir(parents=True, exist_ok=True)
        self.clock = FakeClock(1_000 * self.start)
        self._seen = b""
        self._last_boot: int | None = None
        self._measuring: tuple[int, int, int, int] | None = None  # utc, boot, true start, span
        self.open()

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "EMAIL": EMAIL,
            "DATASITE_DIR": str(self.datasite),
            "PRIVATE_DIR": str(self.private),
            "HEARTBEAT": str(self.root / "run" / "heartbeat"),
            "HISTORY_DAYS": "0",
            **self.environ,
        }
        return {f"CPUTRACKER_{name}": text for name, text in own.items()}

    @property
    def settings(self) -> Settings:
        return read(self.environment)

    def birth(self) -> Birth:
        return Birth(
            self.settings.mode,
            lambda n: self.phase_ppm if n > 1_000_000 else self.day_ppm,
            lambda: secrets.token_hex(16),
        )

    # the process

    def open(self) -> None:
        settings = self.settings
        self.preset, self.terms = settings.preset, terms_of(settings)
        self.engine = Engine(settings, self.clock, self.birth())

    def stop(self) -> None:
        """End the process. Closing gives descriptors back, as the kernel would, and writes nothing."""
        for name, reasons in self.engine._counters.snapshot().items():
            for reason, count in reasons.items():
                self.counts[name, reason] = self.counts.get((name, reason), 0) + count
        self.engine.close()

    def restart(self, **environ: str) -> None:
        self.stop()
        self.environ |= environ
        self.open()

    def reboot(self, off_ms: int = 60_000) -> None:
        self.stop()
        self._measuring = self._last_boot = None
        self.go(off_ms)
        self.clock.reboot()
        self.go(self.rng.randrange(1_000, 20_000))
        self.open()

    def pause(self, *, paused: bool = True) -> None:
        PrivateFolder(self.private).set_paused(paused)

    def cli(self, *words: str) -> int:
        """A command of the owner, at this host's time."""
        with mock.patch.object(commands, "SystemClock", return_value=self.clock):
            return cli.main(words, self.environment)

    # time

    def go(self, ms: int) -> None:
        """All clocks go on."""
        assert ms >= 0
        self.true_ms += ms
        self.clock.go(ms)

    def to(self, utc_seconds: float) -> None:
        self.go(round(1_000 * utc_seconds) - self.clock.utc)

    def sleep(self, ms: int) -> None:
        """Suspend: a window that was being measured is not handed on."""
        self._measuring = None
        self.go(ms)

    # the collector

    def line(self, utc: int, boot: int, span: int, mean: int, **other: object) -> bytes:
        p = self.preset
        record = {
            "v": 1,
            "started_at_ms": utc,
            "boot_ms": boot,
            "span_ms": span,
            "n": p.n,
            "interval_ms": p.interval_ms,
            "lower": p.lower,
            "upper": p.upper,
            "mean": mean,
        }
        return json.dumps({**record, **other}).encode() + b"\n"

    def window(self, mean: int | None = None, span: int | None = None) -> None:
        """Measure one window now and hand it on at once, whatever the collector's schedule says."""
        self._begin(span)
        assert self._measuring
        self.go(self._measuring[3])
        self._hand_on(mean)

    def _begin(self, span: int | None = None) -> None:
        p = self.preset
        span = span or self.rng.randint(p.n * p.interval_ms, p.longest_span_ms)
        self._measuring = (self.clock.utc, self.clock.boot, self.true_ms, span)
        self._last_boot = self.clock.boot

    def _hand_on(self, mean: int | None = None) -> None:
        assert self._measuring
        utc, boot, true, span = self._measuring
        self._measuring = None
        mean = self.rng.randint(self.preset.lower, self.preset.upper) if mean is None else mean
        self.real[self.clock.boot_id(), boot] = (true, true + span, mean)
        self.handed += 1
        self.engine.accept(self.line(utc, boot, span, mean))

    def _until_begin(self) -> int:
        """Ms until the collector's next start: at its offset by UTC, never sooner than a sample interval by boot."""
        sample = 1_000 * self.preset.sample_seconds
        wait = (min(OFFSET_MS, sample // 12) - self.clock.utc) % sample
        return wait if self._last_boot is None else max(wait, self._last_boot + sample - self.clock.boot)

    # the main loop

    def run(self, seconds: float) -> None:
        """Let the collector and the publisher's loop run on."""
        end, idle = self.true_ms + round(1_000 * seconds), 0
        while self.true_ms < end:
            wait = -(-round(1_000_000 * self.engine.tick()) // 1_000)
            self.look()
            doing = self._measuring
            collector = doing[1] + doing[3] - self.clock.boot if doing else self._until_begin()
            step = min(wait, max(0, collector), end - self.true_ms)
            idle = 0 if step else idle + 1
            assert idle < 5, "the main loop spins"
            self.go(step)
            if step == max(0, collector):
                self._begin() if doing is None else self._hand_on()
        self.engine.tick()
        self.look()

    def tick(self) -> None:
        self.engine.tick()
        self.look()

    # what can be seen

    def view(self) -> View:
        return self.engine.view()

    def count(self, name: str, reason: str) -> int:
        return self.counts.get((name, reason), 0) + self.view().counters[name].get(reason, 0)

    def dropped(self) -> dict[str, int]:
        now = self.view().counters["windows_dropped"]
        before = {reason: n for (name, reason), n in self.counts.items() if name == "windows_dropped"}
        return {reason: before.get(reason, 0) + now.get(reason, 0) for reason in {*before, *now}}

    def codes(self) -> list[str]:
        return [finding.code for finding in self.view().findings]

    def read(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.public.read_bytes())
        return document

    @property
    def ledger(self) -> Ledger:
        """The open ledger."""
        assert self.engine._session
        return self.engine._session.ledger

    def look(self) -> None:
        """Note what is in the ledger, and hold the public file against it."""
        if self.engine._session is None:
            return
        name = self.ledger.identity.ledger_id
        newest = self.ledger._db.execute("SELECT MAX(seq) FROM releases").fetchone()[0]
        if newest and (name, newest) not in self.rows:
            seen = max((seq for ledger_id, seq in self.rows if ledger_id == name), default=0)
            for row in self.ledger._rows("WHERE seq > ? ORDER BY seq", (seen,)):
                self.rows[name, row.seq] = (row, self.ledger.stamps(row.seq))
        body = self.public.read_bytes() if self.public.exists() else b""
        if body != self._seen:
            self._read(body, name)

    def _read(self, body: bytes, ledger_id: str) -> None:
        """Whatever stands in the public file is whole, ours, recorded, and never of an earlier release."""
        assert body, "the public file is gone"
        document, before = strict_reader.parse(body), json.loads(self._seen or b"{}")
        if document["ledger_id"] == ledger_id:
            assert self.ledger.has_body(document["seq"], body)
            assert before.get("ledger_id") != ledger_id or document["seq"] >= before["seq"]
            assert self.public.stat().st_mtime_ns // 10**9 == strict_reader._unix(document["timestamp"])
        self._seen = body

    def check(self) -> None:
        """What must hold of everything that was ever released."""
        rows = [row for row, _ in self.rows.values()]
        stamps = [(row, stamp) for row, windows in self.rows.values() for stamp in windows]
        assert len({stamp for _, stamp in stamps}) == len(stamps), "a window in two releases"
        for row, windows in self.rows.values():
            means = [self.real[s.boot_id, s.boot_ms][2] for s in windows]
            assert row.kind == CARRIED or row.noisy_sum == sum(means), "not the sum of its windows"
            assert all(slot_of(s.started_at_ms, row.slot_seconds) == row.slot for s in windows)
        true = sorted(self.real[s.boot_id, s.boot_ms][:2] for _, s in stamps)
        gaps = [later[0] - earlier[1] for earlier, later in pairwise(true)]
        assert all(gap >= self.preset.covers_ms for gap in gaps), f"covered stretch broken: {min(gaps)} ms"
        intervals = [s.started_at_ms // 1_000 // self.preset.sample_seconds for _, s in stamps]
        assert len(set(intervals)) == len(intervals), "two windows of one sample interval"
        for ledger_id in {name for name, _ in self.rows}:
            own = [row for (name, _), (row, _) in self.rows.items() if name == ledger_id]
            assert len({(row.slot, row.kind) for row in own}) == len(own)
            for row in own:
                self._check_cap(row, [r for r in own if r.seq <= row.seq])
        assert all(r.spend_micro == budget.spend_micro(self.preset, r.k) for r in rows if r.kind != CARRIED)

    def _check_cap(self, row: Row, until: list[Row]) -> None:
        day = [r.spend_micro for r in until if row.slot + row.slot_seconds - DAY_SECONDS <= r.slot]
        assert sum(day) <= self.terms.cap_micro, "over the cap of 24 h of slots"

    def check_all_accounted(self) -> None:
        """Without crashes: each window handed on is in one release, in the pool, or counted with a reason."""
        released = sum(len(windows) for _, windows in self.rows.values())
        rejected = sum(self.view().counters["records_rejected"].values())
        rejected += sum(n for (name, _), n in self.counts.items() if name == "records_rejected")
        pool = self.private / "pool.json"  # not the view's count: while the publisher is closed they only wait there
        pooled = len(json.loads(pool.read_bytes())["windows"]) if pool.exists() else 0
        assert self.handed == released + pooled + sum(self.dropped().values()) + rejected


@contextmanager
def no_noise() -> Iterator[None]:
    with mock.patch.object(Mechanism, "draw", lambda _self, total: total):
        yield


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in which an fsync costs nothing, where there is one."""
    with tempfile.TemporaryDirectory(dir=_SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None) as name:
        yield Path(name)


class Fuse:
    """Burns at the n-th of the next I/O steps: the disk fails or the process dies, before or after it took effect.

    Attributes:
        left: steps until then; 0 or less: it burnt.
    """

    def __init__(self, steps: int, error: BaseException, *, after: bool) -> None:
        self.left = steps
        self._error = error
        self._after = after

    def _step(self, *, done: bool) -> None:
        if self.left == 0 and done is self._after:
            self.left = -1
            raise self._error

    def _wrap(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - stands in for any of them
            self.left -= 1
            mine = self.left == 0
            self._step(done=False)
            result = real(*args, **kwargs)
            if mine:
                self.left = 0
                self._step(done=True)
            return result

        return call

    @contextmanager
    def lit(self) -> Iterator[Fuse]:
        real = Ledger.transaction

        @contextmanager
        def transaction(ledger: Ledger) -> Iterator[None]:
            self.left -= 1
            mine = self.left == 0
            with real(ledger):
                yield
                self._step(done=False)  # all of it was done, none of it committed
            if mine:
                self.left = 0
                self._step(done=True)

        with (
            mock.patch.object(Folder, "write", self._wrap(Folder.write)),
            mock.patch.object(Folder, "remove", self._wrap(Folder.remove)),
            mock.patch.object(Datasite, "publish", self._wrap(Datasite.publish)),
            mock.patch.object(Ledger, "transaction", transaction),
        ):
            yield self


DISK = (FolderError("no space"), LedgerError("ledger_unusable", "no space"), Crash(1))
