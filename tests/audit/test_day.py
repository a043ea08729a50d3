"""A day of 288 windows in compressed time for each preset, and random schedules with a fault at any step.

The collector keeps its schedule; clocks step, the host sleeps and reboots, the process is restarted and crashes, the
pool is lost and a backup of the private folder comes back. What must hold of the releases: sim.Host.check.
"""

from __future__ import annotations

import random
import secrets
import shutil
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.publisher.sim import DISK, HOUR_MS, Crash, Fuse, Host, no_noise, quick_folder

from cpu_publisher.datasite import Datasite
from cpu_publisher.presets import PRESETS

CLOSED = ("ledger_behind", "ledger_other", "ledger_forked", "clock_behind_ledger")


def step_clock(host: Host, rng: random.Random) -> None:
    reach = rng.choice([2_000, 10 * 60_000, 3 * HOUR_MS, 50 * HOUR_MS])
    host.clock.utc += rng.randrange(-reach, reach)


def crash(host: Host, rng: random.Random) -> None:
    """The next steps of whatever comes, until one fails."""
    error = rng.choice(DISK)
    try:
        with Fuse(rng.randrange(1, 25), error, after=rng.random() < 0.5).lit():
            host.run(rng.randrange(1, 3 * host.preset.sample_seconds))
    except Crash:
        host._measuring = None
        host.stop()
        host.open()
    host.look()


def lose_pool(host: Host, _: random.Random) -> None:
    host.stop()
    (host.private / "pool.json").unlink(missing_ok=True)
    host.open()


def restore_backup(host: Host, rng: random.Random) -> None:
    """A copy of now is lived on from, later."""
    backup = host.root / "backup"
    host.stop()
    shutil.copytree(host.private, backup)
    host.open()
    host.run(rng.randrange(1, 2 * host.preset.slot_seconds))
    host.stop()
    shutil.rmtree(host.private)
    backup.rename(host.private)
    host.open()


def accept(host: Host, _: random.Random) -> None:
    """What the owner does when it is closed."""
    host.engine.tick()
    for code in set(host.codes()) & set(CLOSED):
        host.stop()
        assert host.cli("ledger", "accept", code) == 0
        host.open()


def pause(host: Host, rng: random.Random) -> None:
    host.pause()
    host.run(rng.randrange(1, host.preset.slot_seconds))
    host.pause(paused=False)


EVENTS = {
    "clock steps": step_clock,
    "sleeps": lambda host, rng: host.sleep(rng.randrange(1, 3 * HOUR_MS)),
    "reboots": lambda host, rng: host.reboot(rng.randrange(1_000, HOUR_MS)),
    "restarts": lambda host, _: host.restart(),
    "crashes": crash,
    "loses its pool": lose_pool,
    "gets a backup back": restore_backup,
    "accepts": accept,
    "pauses": pause,
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_day_of_288_windows(name: str) -> None:
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    rng = random.Random(seed)
    sample = PRESETS[name].sample_seconds
    with no_noise(), quick_folder() as root, mock.patch.object(Datasite, "inspect", return_value=()):
        host = Host(root, {"PRESET": name}, rng, rng.randrange(1_000_001), rng.randrange(1_000_000))
        handed = 0
        while handed < 288:
            host.run(sample * rng.randrange(8, 40))
            if name != "day-sampled" or rng.random() < 0.3:  # a day must pass for one window of it
                what = rng.choice(["clock steps", "restarts", "crashes", "crashes", "sleeps", "reboots", "accepts"])
                EVENTS[what](host, rng)
            handed = host.handed
        host.look()
        host.check()
        host.stop()
        assert host.rows or name == "day-sampled"


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(
    name=st.sampled_from([*PRESETS]),
    events=st.lists(st.sampled_from([*EVENTS]), max_size=6),
    cap=st.sampled_from(["", "24"]),
    seed=st.integers(0, 2**32),
)
def test_whatever_happens_to_a_host(name: str, events: list[str], cap: str, seed: int) -> None:
    rng = random.Random(seed)
    if cap and PRESETS[name].unit == "reading":
        cap = "250"
    with no_noise(), quick_folder() as root, mock.patch.object(Datasite, "inspect", return_value=()):
        host = Host(root, {"PRESET": name, "CAP_EPSILON": cap}, rng, rng.randrange(1_000_001), rng.randrange(1_000_000))
        longest = 3 * max(host.preset.sample_seconds, host.preset.slot_seconds // 12)
        for what in events:
            host.run(rng.randrange(1, longest))
            EVENTS[what](host, rng)
        host.run(longest)
        host.check()
        if not {"crashes", "loses its pool", "gets a backup back", "accepts", "reboots", "sleeps"} & {*events}:
            host.check_all_accounted()
        host.stop()
