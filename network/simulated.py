# ruff: noqa: INP001 - a program that is mounted into the publisher's image, no package
"""The demo's other participants: the real publisher, many times in one process, fed with made-up days. Demo only.

Each has its own datasite, ledger, noise and phase; what is simulated is the CPU load, the collector that would have
measured it, and the way through SyftBox: their files are written where the aggregator's client would have put them.
Runs in the publisher's image with the same privacy settings as the pair: `simulated.py COUNT`.
"""

from __future__ import annotations

import logging
import math
import os
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cpu_publisher.app import birth_of
from cpu_publisher.clock import SystemClock
from cpu_publisher.engine import Engine
from cpu_publisher.settings import PREFIX, read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cpu_publisher.presets import Preset

DATASITES = Path("/datasites")
PRIVATE = Path("/private")
DAY_SECONDS = 240.0  # a made-up day goes by in four minutes
TURN_SECONDS = 0.05
CALM, BUSY, SPREAD = 8.0, 45.0, 12.0  # percent of CPU: at night, added at noon, and from window to window


@dataclass
class Participant:
    """One of them.

    Attributes:
        engine: the publisher.
        level: percent of CPU at a moment (unix seconds).
        next_sample, next_tick: unix seconds.
    """

    engine: Engine
    level: Callable[[float], float]
    next_sample: float = 0.0
    next_tick: float = 0.0


def day(rng: random.Random) -> Callable[[float], float]:
    """A person's days: calm nights, a busy noon of their own, and some noise of the day."""
    noon, calm, busy = rng.gauss(0, 0.08), rng.uniform(0.3, 1.7) * CALM, rng.uniform(0.3, 1.7) * BUSY

    def level(now: float) -> float:
        sun = max(0.0, math.cos(2 * math.pi * (now / DAY_SECONDS - noon)))
        return calm + busy * sun + rng.gauss(0, SPREAD)

    return level


def line(preset: Preset, level: float, utc_ms: int, boot_ms: int) -> bytes:
    """Wire record v1 of a window that ends at this moment."""
    span = preset.n * preset.interval_ms
    mean = round(min(max(100 * level, preset.lower), preset.upper))
    return (
        f'{{"v":1,"started_at_ms":{utc_ms - span},"boot_ms":{boot_ms - span},"span_ms":{span},"n":{preset.n},'
        f'"interval_ms":{preset.interval_ms},"lower":{preset.lower},"upper":{preset.upper},"mean":{mean}}}\n'
    ).encode()


def make(number: int, environ: Mapping[str, str], clock: SystemClock) -> Participant:
    """A participant with its folders."""
    email = f"simulated-{number:02}@example.com"
    datasite, private = DATASITES / email, PRIVATE / email.partition("@")[0]
    (datasite / "app_data" / "cpu_tracker").mkdir(parents=True, exist_ok=True)
    private.mkdir(mode=0o700, exist_ok=True)
    own = {"EMAIL": email, "DATASITE_DIR": str(datasite), "PRIVATE_DIR": str(private)}
    settings = read({**environ, **{PREFIX + name: text for name, text in own.items()}})
    return Participant(Engine(settings, clock, birth_of(settings)), day(random.Random(number)))  # noqa: S311 - made up


def main(count: int) -> None:
    """Run them until the container is stopped."""
    logging.basicConfig(level="WARNING", format="%(levelname)s %(name)s %(message)s")
    os.umask(0o022)
    environ = {name: text for name, text in os.environ.items() if name.startswith(PREFIX)}
    preset, clock = read(environ).preset, SystemClock()
    everybody = [make(number, environ, clock) for number in range(1, count + 1)]
    sys.stdout.write(f"{count} simulated participants\n")
    sys.stdout.flush()
    for number, one in enumerate(everybody):  # each at its own place in the sample interval, like real ones
        window = preset.longest_span_ms / 1_000
        place = window + number / count * (preset.sample_seconds - 2 * window) / 2
        one.next_sample = (time.time() // preset.sample_seconds + 1) * preset.sample_seconds + place
    while True:
        for one in everybody:
            turn(one, preset, clock)
        time.sleep(TURN_SECONDS)


def turn(one: Participant, preset: Preset, clock: SystemClock) -> None:
    """What is due for one of them."""
    now = time.time()
    if now >= one.next_sample:
        one.engine.accept(line(preset, one.level(now), clock.utc_ms(), clock.boot_ms()))
        one.next_sample += preset.sample_seconds * (1 + (now - one.next_sample) // preset.sample_seconds)
        one.next_tick = now
    if now >= one.next_tick:
        one.next_tick = now + one.engine.tick()


if __name__ == "__main__":
    main(int(sys.argv[1]))
