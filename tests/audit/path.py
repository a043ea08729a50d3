"""A publisher's whole way without its threads: wire line, decoder, pool, ledger, public file, all by the real modules.

Time is simulated: window i of slot j starts where the collector would start it.
"""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from cpu_publisher import budget, reconcile
from cpu_publisher.counters import Counters
from cpu_publisher.datasite import Datasite
from cpu_publisher.private import PrivateFolder
from cpu_publisher.release import Terms
from cpu_publisher.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpu_publisher.presets import Preset
    from cpu_publisher.view import Finding

EMAIL = "alice@example.com"
START = 1_795_521_600  # a slot of every length starts here
DELAY_MS = 1_000
SPAN_MS = 5_003
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a random folder in it; thousands of fsyncs cost nothing there


class SimulatedClock:
    """Moves when it is told to.

    Attributes:
        now_ms: unix time. May be stepped.
        booted_ms: what the unix time was at the boot if it never stepped; boot_ms counts from it.
        name: the boot id.
    """

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.since_boot_ms = 1_000_000
        self.name = "boot 1"

    def to(self, utc_ms: int) -> None:
        """Both clocks go on to this moment."""
        self.since_boot_ms += utc_ms - self.now_ms
        self.now_ms = utc_ms

    def utc_ms(self) -> int:
        return self.now_ms

    def boot_ms(self) -> int:
        return self.since_boot_ms

    def boot_id(self) -> str:
        return self.name


class QuickDatasite(Datasite):
    """The datasite without the check of permissions before each release: that has tests of its own and takes 25 ms."""

    def inspect(self) -> tuple[Finding, ...]:
        return ()


class Host:
    """One participant in a folder of its own. As a context it is open, and gone afterwards."""

    def __init__(self, preset: Preset, cap_micro: int | None = None, *, on_disk: bool = False) -> None:
        self.preset = preset
        self.root = Path(tempfile.mkdtemp(dir=_SHARED_MEMORY if _SHARED_MEMORY.is_dir() and not on_disk else None))
        self.datasite = self.root / "datasites" / EMAIL
        self.public = self.datasite / "app_data" / "cpu_tracker" / "cpu_tracker.json"
        self.public.parent.mkdir(parents=True)
        self.private = self.root / "private" / "cpu_tracker"
        self.private.mkdir(parents=True)
        self.clock = SimulatedClock(1_000 * START)
        self.terms = Terms(preset, cap_micro or budget.default_cap_micro(preset))
        self.counters = Counters()

    def open(self) -> None:
        """Start the publisher: lock, ledger, pool."""
        self._private = PrivateFolder(self.private)
        self._lock = self._private.lock()
        self._datasite = QuickDatasite(self.datasite, email=EMAIL, aggregators=("a@example.org",), layout="datasites")
        birth = reconcile.Birth("container", lambda _: 0, lambda: secrets.token_hex(16))
        ledger, _ = reconcile.open_ledger(self.private, self._datasite.read_public(), self.terms, self.clock, birth)
        self.session = Session(
            terms=self.terms,
            delay_ms=DELAY_MS,
            history_days=0,
            clock=self.clock,
            token=lambda: secrets.token_hex(16),
            private=self._private,
            datasite=self._datasite,
            ledger=ledger,
            counters=self.counters,
        )

    def stop(self) -> None:
        """Stop the publisher; what is on disk stays."""
        self.session.close()
        self._datasite.close()
        self._lock.release()
        self._private.folder.close()

    def remove(self) -> None:
        """Nothing of this host stays."""
        shutil.rmtree(self.root)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.remove()

    def line(self, started_ms: int, mean: int, span_ms: int = SPAN_MS) -> bytes:
        """What the collector hands on for a window that started then."""
        record = {
            "v": 1,
            "started_at_ms": started_ms,
            "boot_ms": self.clock.boot_ms() - (self.clock.utc_ms() - started_ms),
            "span_ms": span_ms,
            "n": self.preset.n,
            "interval_ms": self.preset.interval_ms,
            "lower": self.preset.lower,
            "upper": self.preset.upper,
            "mean": mean,
        }
        return json.dumps(record).encode() + b"\n"

    def take(self, started_ms: int, mean: int) -> None:
        """Let time go on to the end of a window and hand it on (hundredths of a percent)."""
        self.clock.to(started_ms + SPAN_MS)
        self.session.accept(self.line(started_ms, mean))

    def slot(self, number: int, means: Sequence[int]) -> dict[str, Any]:
        """Take one window a mean in slot `number` (the first of a host is 0), release it, read the public file."""
        start = START + number * self.preset.slot_seconds
        for i, mean in enumerate(means):
            self.take(1_000 * (start + i * self.preset.sample_seconds + 20), mean)
            if number == 0:
                self.session.tick()  # the first window of a ledger goes out alone
        self.clock.to(1_000 * (start + self.preset.slot_seconds) + DELAY_MS)
        self.session.tick()
        return self.read()

    def read(self) -> dict[str, Any]:
        """The public file."""
        document: dict[str, Any] = json.loads(self.public.read_bytes())
        return document

    def set_paused(self, *, paused: bool) -> None:
        """What the owner's `pause` and `resume` do."""
        self._private.set_paused(paused)
