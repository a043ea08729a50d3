"""What the audit measures: draws and published values, taken from the publisher's own modules.

`python -m pytest tests/audit` judges them, `tests/audit/report.py` writes them down.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from opendp.domains import atom_domain, vector_domain
from opendp.measurements import make_laplace
from opendp.metrics import l1_distance
from tests.audit import oracle
from tests.audit.path import Host

from cpu_publisher import body, budget
from cpu_publisher.presets import PRESETS

if TYPE_CHECKING:
    from cpu_publisher.presets import Preset

HOUR = PRESETS["hour"]
K = HOUR.windows_per_slot
MECHANISM = budget.release_mechanism(HOUR, K)
FIXED = 5_000  # a window that does not matter here
OTHERS = FIXED * (K - 1)
THRESHOLD = (OTHERS + HOUR.delta) / (100 * K)  # the best event: P(busy) = 1/2, P(idle) = e^-1 / 2


class Draws(Protocol):
    """What adds noise to a sum."""

    def draw(self, total: int) -> int:
        """`total` with noise."""


def vector_draws(count: int) -> list[int]:
    """The same integer mechanism on a vector: 13 times as fast, same sampler, same map."""
    measurement: Any = make_laplace(vector_domain(atom_domain(T="i64")), l1_distance(T="i64"), scale=MECHANISM.scale)
    assert measurement.map(HOUR.delta) == MECHANISM.epsilon
    draws: list[int] = measurement([0] * count)
    return draws


def exact_draws(count: int) -> list[int]:
    """The independent sampler at the same scale."""
    return [oracle.discrete_laplace(round(MECHANISM.scale)) for _ in range(count)]


def published(count: int, mean: int, mechanism: Draws = MECHANISM) -> list[float]:
    """What would be published with one window of the slot at `mean`, by the scalar path."""
    return [body.value(mechanism.draw(OTHERS + mean), K) for _ in range(count)]


def on_lattice(value: float) -> bool:
    return value == round(round(value * 100 * K) / (100 * K), body.DECIMALS)


_FORK = """
import json, os, random, sys
from cpu_publisher import noise
if sys.argv[1] == "seeded":
    seeded = random.Random(1)
    noise.Mechanism.draw = lambda self, total: total + round(self.scale * seeded.gauss())
draw = lambda: noise.mechanism(10_000, 1.0).draw(0)
draw()
streams = []
for _ in range(2):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, json.dumps([draw() for _ in range(50)]).encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as pipe:
        streams.append(json.load(pipe))
    os.wait()
streams.append([draw() for _ in range(50)])
print(json.dumps(streams))
"""


def forked(source: str) -> list[list[int]]:
    """50 draws each of two children forked after a first draw, and of the parent."""
    publisher = Path(body.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-c", _FORK, source],
        env={"PYTHONPATH": str(publisher)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    streams: list[list[int]] = json.loads(run.stdout)
    return streams


@dataclass(frozen=True, slots=True)
class Run:
    """Releases through the whole path, each with one window decided by a coin and the others of its slot fixed.

    Attributes:
        preset: the setting.
        busy: the coins: was the window at the whole range (else at 0)?
        documents: the public file after each.
    """

    preset: Preset
    busy: tuple[bool, ...]
    documents: tuple[dict[str, Any], ...]

    @property
    def others(self) -> int:
        """Sum of the fixed windows."""
        return FIXED * (self.preset.windows_per_slot - 1)

    def sums(self) -> list[int]:
        """The noisy sums that the published values stand for."""
        return [round(d["cpu"] * budget.HUNDREDTHS * d["windows"]) for d in self.documents]

    def noise(self) -> list[int]:
        """Published minus true sum."""
        return [
            noisy - self.others - busy * self.preset.delta for noisy, busy in zip(self.sums(), self.busy, strict=True)
        ]

    def guesses(self) -> tuple[int, int]:
        """(right, made) of an observer who guesses where the evidence is strongest and abstains between."""
        made = [
            (noisy >= self.others + self.preset.delta, busy)
            for noisy, busy in zip(self.sums(), self.busy, strict=True)
            if not self.others < noisy < self.others + self.preset.delta
        ]
        return sum(guess == busy for guess, busy in made), len(made)


def run_path(preset: Preset, releases: int) -> Run:
    """`releases` slots of a new host, with a budget that never ends."""
    coins = tuple(bool(secrets.randbelow(2)) for _ in range(releases))
    k = preset.windows_per_slot
    documents = []
    with Host(preset, cap_micro=1_000_000_000_000) as host:
        host.slot(0, [FIXED] * k)  # the slot of the first release is another story
        for number, busy in enumerate(coins, start=1):
            means = [FIXED] * k
            means[secrets.randbelow(k)] = busy * preset.delta
            documents.append(host.slot(number, means))
    return Run(preset, coins, tuple(documents))
