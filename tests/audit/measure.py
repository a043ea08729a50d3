"""What the audit measures: draws and published values, taken from the publisher's own modules.

`python -m pytest tests/audit` judges them, `tests/audit/report.py` writes them down.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

from opendp.domains import atom_domain, vector_domain
from opendp.measurements import make_laplace
from opendp.metrics import l1_distance
from tests.audit import oracle

from cpu_publisher import body, budget
from cpu_publisher.presets import PRESETS

HOUR = PRESETS["hour"]
K = HOUR.windows_per_slot
MECHANISM = budget.release_mechanism(HOUR, K)
OTHERS = 5_000 * (K - 1)  # the other windows of the slot, fixed
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
from cpu_publisher.noise import mechanism
seeded = random.Random(1)
draw = (lambda: mechanism(10_000, 1.0).draw(0)) if sys.argv[1] == "opendp" else (lambda: seeded.randrange(10**9))
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
