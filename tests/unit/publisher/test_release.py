"""One release, one transaction, on the disk before anyone sees it."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.publisher.sim import START, FakeClock, Host, no_noise

from cpu_publisher import body, budget, ledger_schema
from cpu_publisher.ledger import CARRIED, Ledger, Row, counts
from cpu_publisher.noise import Mechanism
from cpu_publisher.pool import Pooled, Stamp
from cpu_publisher.presets import PRESETS
from cpu_publisher.release import Refused, Terms, draft, release, resumes_slot, spent_micro

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
HOUR = PRESETS["hour"]
TERMS = Terms(HOUR, budget.default_cap_micro(HOUR))
META = {"ledger_id": "0f" * 16, "phase_ppm": 0, "day_ppm": 0, "mode": "container", "follows": ""}
NONCE = "a1" * 16


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    path = tmp_path / ledger_schema.LEDGER_NAME
    ledger_schema.create(path, META)
    ledger = Ledger(path)
    yield ledger
    ledger.close()


def pooled(k: int = 12, slot: int = START, mean: int = 1_500) -> list[Pooled]:
    boot = 1_000_000 + 1_000 * (slot - START)
    return [Pooled(Stamp(1_000 * slot + 300_000 * i, boot + 300_000 * i, 5_003, "boot 1"), mean) for i in range(k)]


def drafted(windows: list[Pooled], slot: int = START, terms: Terms = TERMS, jump_ms: int = 0) -> Row:
    due_ms = 1_000 * (slot + 3_600) + 10_000
    clock = FakeClock(1_000 * START)
    clock.go(due_ms - clock.utc)
    clock.boot -= jump_ms
    return draft(terms, windows, slot=slot, kind="slot", due_ms=due_ms, clock=clock)


def test_noise_is_drawn_once_on_the_sum(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[float, int]] = []

    def draw(mechanism: Mechanism, total: int) -> int:
        drawn.append((mechanism.scale, total))
        return total + 777

    monkeypatch.setattr(Mechanism, "draw", draw)
    windows = pooled()
    row = release(ledger, TERMS, drafted(windows), windows, NONCE)
    assert isinstance(row, Row)
    assert drawn == [(budget.release_mechanism(HOUR, 12).scale, 18_000)]
    assert drawn[0][0] == pytest.approx(10_000, rel=1e-6)
    assert (row.seq, row.noisy_sum, row.spend_micro) == (1, 18_777, 12_000_000)
    newest = ledger.newest_body()
    assert newest is not None
    assert b'"cpu": %r' % body.value(18_777, 12) == newest[2].splitlines()[1].strip().rstrip(b",")
    again = release(ledger, TERMS, drafted(windows), windows, "b2" * 16)
    assert again == row
    assert len(drawn) == 1, "a row that is there is never drawn again"
    assert ledger.newest_body() == newest


def test_a_draw_that_fails_records_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mechanism, "draw", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        release(ledger, TERMS, drafted(pooled()), pooled(), NONCE)
    assert ledger.rows() == []


def test_more_windows_than_a_slot_has_are_never_released() -> None:
    for k in (0, 13):
        with pytest.raises(ValueError, match=f"cannot release {k}"):
            drafted(pooled(k))


def test_the_cap_refuses_and_says_when_it_will_not(ledger: Ledger) -> None:
    terms = Terms(HOUR, 2 * budget.spend_micro(HOUR, 12))
    for number in range(2):
        slot = START + 3_600 * number
        assert isinstance(
            release(ledger, terms, drafted(pooled(slot=slot), slot, terms), pooled(slot=slot), NONCE), Row
        )
    slot = START + 7_200
    assert release(ledger, terms, drafted(pooled(slot=slot), slot), pooled(slot=slot), NONCE) == Refused(START + 86_400)
    assert len(ledger.rows()) == 2
    slot = START + 86_400
    assert isinstance(release(ledger, terms, drafted(pooled(slot=slot), slot), pooled(slot=slot), NONCE), Row)


def test_after_a_jump_of_the_clock_it_resumes_when_a_day_has_really_passed(ledger: Ledger) -> None:
    """Two days forward free nothing: 23 hours later by CLOCK_BOOTTIME, within one minute, it begins again."""
    terms = Terms(HOUR, budget.spend_micro(HOUR, 12))
    first = drafted(pooled())
    assert isinstance(release(ledger, terms, first, pooled(), NONCE), Row)
    slot = START + 3_600 + 2 * 86_400
    windows = pooled(slot=slot)
    row = drafted(windows, slot, terms, jump_ms=2 * 86_400_000)
    assert release(ledger, terms, row, windows, NONCE) == Refused(slot + 86_400 - 3_600)


@pytest.mark.parametrize("name", PRESETS)
def test_the_default_cap_fits_24_hours_of_slots_of_its_preset_to_the_last(name: str) -> None:
    """The 24 h of slots that end with any one at the preset's own cadence, each due on time."""
    preset = PRESETS[name]
    full, length = budget.spend_micro(preset, preset.windows_per_slot), preset.slot_seconds
    sample = drafted(pooled(1))
    at = {"slot_seconds": length, "spend_micro": full, "boot_id": "boot 1"}
    common = {field: getattr(sample, field) for field in Row.__slots__} | at
    rows = [
        Row(**{**common, "slot": START + i * length, "boot_ms": 1_000 * i * length})
        for i in range(-90_000 // length, 0)
    ]
    counting = [r for r in rows if counts(r, START, length, "boot 1", 0)]
    assert len(counting) == preset.slots_per_day - 1
    assert spent_micro(counting, 0) + full == budget.default_cap_micro(preset)


def test_carried_spend_is_a_whole_cap_whatever_the_cap_is_now() -> None:
    one = drafted(pooled())
    carried = Row(**{**{name: getattr(one, name) for name in Row.__slots__}, "kind": CARRIED, "spend_micro": 5})
    assert spent_micro([one, carried], 300_000_000) == 12_000_000 + 300_000_000
    assert resumes_slot([carried], TERMS, drafted(pooled(slot=START + 3_600), START + 3_600)) == START + 86_400


@pytest.mark.parametrize(("jumped_ms", "ago_ms"), [(0, 40_000), (1_000_000, 0), (-1_000_000, 40_000)])
def test_a_slot_made_due_by_a_jump_counts_from_when_it_really_was(jumped_ms: int, ago_ms: int) -> None:
    """Noticed 40 s late by UTC. If a jump brought the due time, the row may not seem older than it is."""
    windows = pooled(1)
    due_ms = 1_000 * (START + 3_600) + 10_000
    clock = FakeClock(1_000 * START)
    clock.go(due_ms + 40_000 - clock.utc - jumped_ms)
    clock.utc += jumped_ms
    row = draft(TERMS, windows, slot=START, kind="slot", due_ms=due_ms, clock=clock)
    assert row.boot_ms == clock.boot - ago_ms


def contents(host: Host) -> dict[str, bytes]:
    names = [path for path in host.private.iterdir() if path.name not in ("lock", "ledger.sqlite3-journal")]
    return {str(path): path.read_bytes() for path in (host.public, *names)}


def test_a_full_disk_leaves_ledger_file_and_pool_as_they_were(tmp_path: Path) -> None:
    with no_noise():
        host = Host(tmp_path)
        host.run(3_605)
        host.go(10_000)
        before = contents(host)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, hard))  # bytes; Python ignores SIGXFSZ
        try:
            host.engine.tick()
            assert host.codes() == ["ledger_unusable"]
            assert "free space" in host.view().findings[0].message
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert contents(host) == before
        host.tick()
        assert host.codes() == []
        assert host.read()["seq"] == 2
        host.check()
        host.stop()


CHILD = """
import os, sys
from pathlib import Path
from tests.unit.publisher.sim import Host
host = Host(Path(sys.argv[1]))
host.tick(); host.window(); host.tick(); host.go(30_000)
os.write(1, b"due"); host.engine.tick(); os.write(1, b"done")
"""


def test_the_spend_is_on_the_disk_before_the_value_can_be_seen(tmp_path: Path) -> None:
    """By the system calls of a real release. Without ptrace this cannot be shown, so the test fails."""
    trace = tmp_path / "trace"
    calls = "fsync,fdatasync,rename,renameat,renameat2,ftruncate,write,pwrite64,unlink,unlinkat"
    root = tmp_path / "host"
    root.mkdir()
    done = subprocess.run(
        ["strace", "-f", "-y", "-qq", "-o", str(trace), "-e", f"trace={calls}", sys.executable, "-c", CHILD, str(root)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'publisher'}:{ROOT / 'collector'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"strace could not trace a release (is ptrace allowed here?): {done.stderr}"
    assert done.stdout == "duedone"
    text = re.sub(r"\.[0-9a-f]{16}\.tmp", ".tmp", trace.read_text())
    text = text[text.index('"due"') : text.index('"done"')]
    ledger, datasite = f"{root}/private/cpu_tracker", f"{root}/datasites/alice@example.com/app_data/cpu_tracker"
    steps = [
        (r"pwrite64\(\d+<LEDGER/ledger.sqlite3-journal>", "the old pages are kept"),
        (r"f(data)?sync\(\d+<LEDGER/ledger.sqlite3-journal>", "and synced"),
        (r"f(data)?sync\(\d+<LEDGER>\)", "with the journal's name"),
        (r"pwrite64\(\d+<LEDGER/ledger.sqlite3>", "the row is written"),
        (r"f(data)?sync\(\d+<LEDGER/ledger.sqlite3>", "and synced"),
        (r"ftruncate\(\d+<LEDGER/ledger.sqlite3-journal>, 0\)", "committed"),
        (r"f(data)?sync\(\d+<LEDGER/ledger.sqlite3-journal>", "durably"),
        (r"write\(\d+<SITE/\.cpu_tracker\.json\.tmp>", "only now the value leaves the process"),
        (r"fsync\(\d+<SITE/\.cpu_tracker\.json\.tmp>", "whole"),
        (r'rename(at2?)?\(.*"cpu_tracker\.json"', "and is seen"),
        (r"fsync\(\d+<SITE>\)", "for good"),
    ]
    at = 0
    for pattern, why in steps:
        found = re.compile(pattern.replace("LEDGER", re.escape(ledger)).replace("SITE", re.escape(datasite))).search(
            text, at
        )
        assert found, f"not {why}: {pattern}"
        at = found.end()
    seen = re.search(r'rename(at2?)?\(.*"cpu_tracker\.json"', text)
    assert seen is not None
    assert f"{ledger}/ledger.sqlite3>" not in text[seen.start() :], "the ledger is written after the value can be seen"
    first = text.index("cpu_tracker.json.tmp>, ")
    assert first > text.rindex("ftruncate"), "the value is in a synced folder before its spend is committed"
