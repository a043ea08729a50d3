"""Faults that must be found: each breaks the program on purpose, and names the check that has to notice.

A mutant changes one thing for the time of one check. `test_mutants.py` demands that the check fails with it;
the check's own test demands that it passes without.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

from tests.audit import behaviour, checks
from tests.audit.kill import killed
from tests.audit.measure import forked, run_path

from cpu_collector import settings as collector_settings
from cpu_publisher import body, budget, ledger_schema, release
from cpu_publisher.ledger import Ledger
from cpu_publisher.noise import Mechanism, mechanism
from cpu_publisher.pool import Pool
from cpu_publisher.presets import PRESETS, Preset
from cpu_publisher.session import Session
from cpu_publisher.slots import slot_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from tests.audit.checks import Found

    from cpu_publisher.pool import Pooled

HOUR, WINDOW = PRESETS["hour"], PRESETS["window"]
FEW = 80  # releases: enough for a fault that nobody could overlook
MORE = 250  # for half the scale (8 standard errors), and where half of the observer's guesses are withheld
KILLS = 40
SEED = 7


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault.

    Attributes:
        name: what is wrong.
        noticed_by: the check, in words.
        broken: the fault as context.
        check: the check that must fail meanwhile.
    """

    name: str
    noticed_by: str
    broken: Callable[[], AbstractContextManager[Any]]
    check: Callable[[], Found]

    def found(self) -> Found:
        """What the check says of the broken program."""
        with self.broken():
            return self.check()


def _noise_of_files(preset: Preset, releases: int = FEW) -> Found:
    run = run_path(preset, releases)
    return checks.scale_and_shape(run.noise(), run.documents[0]["noise"]["scale_pp"] * 100 * preset.windows_per_slot)


def _one_run(preset: Preset) -> Found:
    return checks.one_run(*run_path(preset, MORE).guesses(), preset.epsilon, preset.name)


def _kill() -> Found:
    """Where a kill lands is chance: up to five rounds, until one has landed where the fault shows."""
    for seed in range(SEED, SEED + 5):
        seen = killed(KILLS, seed)
        if not seen.ok:
            break
    return checks.Found(ok=seen.ok, detail=seen.detail)


SLOW_COMMIT_SECONDS = 0.005  # a disk that takes its time: the moment between the fault and the commit can be hit
_draw = Mechanism.draw
_insert_body = Ledger.insert_body
_session = Session.__init__
_value = body.value


def _half_the_scale() -> AbstractContextManager[Any]:
    return mock.patch.object(
        Mechanism, "draw", lambda self, total: _draw(mechanism(self.d_in, 2 * self.epsilon), total)
    )


def _sensitivity_of_a_reading() -> AbstractContextManager[Any]:
    return mock.patch.object(Preset, "d_in", lambda self, _k: -(-self.delta // self.n))


def _no_noise() -> AbstractContextManager[Any]:
    return mock.patch.object(Mechanism, "draw", lambda _self, total: total)


def _noise_divided_first() -> AbstractContextManager[Any]:
    class Divided:
        """Noise for the mean, added to the sum."""

        def __init__(self, preset: Preset, k: int) -> None:
            self._mechanism = mechanism(preset.d_in(k), preset.epsilon)
            self.scale = self._mechanism.scale
            self._k = k

        def draw(self, total: int) -> int:
            return total + self._mechanism.draw(0) // self._k

    class Budget:
        release_mechanism = staticmethod(Divided)
        spend_micro = staticmethod(budget.spend_micro)

    return mock.patch.object(release, "budget", Budget)


def _clamped() -> AbstractContextManager[Any]:
    return mock.patch.object(body, "value", lambda noisy, k: min(100.0, max(0.0, _value(noisy, k))))


def _drawn_again_on_restart() -> AbstractContextManager[Any]:
    def start(session: Session, **given: Any) -> None:  # noqa: ANN401 - passed on
        _session(session, **given)
        newest, last = session.ledger.newest_body(), session.ledger.last()
        if newest and last:
            document = json.loads(newest[2])
            noise = budget.release_mechanism(given["terms"].preset, last.k).draw(0)
            document["cpu"] += _value(noise, last.k)
            with session.ledger.transaction():
                _insert_body(session.ledger, newest[0], newest[1], json.dumps(document).encode())

    return mock.patch.object(Session, "__init__", start)


def _published_before_the_commit() -> AbstractContextManager[Any]:
    publishers: dict[int, Callable[[bytes, int], None]] = {}

    def start(session: Session, **given: Any) -> None:  # noqa: ANN401 - passed on
        publishers[id(given["ledger"])] = given["datasite"].publish
        _session(session, **given)

    def insert(ledger: Ledger, seq: int, status: str, content: bytes) -> None:
        _insert_body(ledger, seq, status, content)
        publishers[id(ledger)](content, 0)
        time.sleep(SLOW_COMMIT_SECONDS)

    stack = ExitStack()
    stack.enter_context(mock.patch.object(Session, "__init__", start))
    stack.enter_context(mock.patch.object(Ledger, "insert_body", insert))
    return stack


def _a_window_in_two_releases() -> AbstractContextManager[Any]:
    """The last window of a slot stays in the pool and takes part in the next one; the ledger's own bar is down."""

    def of_slot(pool: Pool, slot: int) -> tuple[Pooled, ...]:
        length = pool._preset.slot_seconds
        own = tuple(p for p in pool.windows if slot_of(p.stamp.started_at_ms, length) == slot)
        before = tuple(p for p in pool.windows if slot_of(p.stamp.started_at_ms, length) == slot - length)
        return (*before[-1:], *own[len(before[-1:]) :]) if own else ()

    def remove(_pool: Pool, _gone: Iterable[Pooled]) -> int:
        return 0

    def load(pool: Pool) -> dict[str, int]:
        raw = pool._folder.read("pool.json", 1_000_000)
        pool.windows = tuple(pool._parse(raw)[1]) if raw else ()
        return {}

    lax = tuple(text.replace(", UNIQUE (boot_id, boot_ms)", "") for text in ledger_schema.MIGRATIONS)
    assert lax != ledger_schema.MIGRATIONS
    stack = ExitStack()
    for target, name, value in (
        (Pool, "of_slot", of_slot),
        (Pool, "remove", remove),
        (Pool, "load", load),
        (ledger_schema, "MIGRATIONS", lax),
    ):
        stack.enter_context(mock.patch.object(target, name, value))
    return stack


def _dropped_when_late(settings: object) -> AbstractContextManager[Any]:
    return mock.patch.object(settings, "longest_span_ms", property(lambda self: self.n * self.interval_ms + 500))


def _nothing_broken() -> AbstractContextManager[Any]:
    return ExitStack()


MUTANTS = (
    Mutant(
        "half the scale", "scale and shape of the files' noise", _half_the_scale, lambda: _noise_of_files(WINDOW, MORE)
    ),
    Mutant("Δ = 2 where 100 is due", "one-run audit", _sensitivity_of_a_reading, lambda: _one_run(WINDOW)),
    Mutant("no noise", "one-run audit", _no_noise, lambda: _one_run(HOUR)),
    Mutant("seeded generator", "fork test", _nothing_broken, lambda: checks.no_repeats(*forked("seeded"))),
    Mutant("noise drawn again on restart", "restart", _drawn_again_on_restart, behaviour.restart_repeats),
    Mutant("noise drawn again on restart", "kill -9", _drawn_again_on_restart, _kill),
    Mutant("clamp before publish", "scale and shape of the files' noise", _clamped, lambda: _noise_of_files(WINDOW)),
    Mutant(
        "publish before commit",
        "failed commit",
        _published_before_the_commit,
        behaviour.nothing_visible_without_a_record,
    ),
    Mutant("publish before commit", "kill -9", _published_before_the_commit, _kill),
    Mutant(
        "the sum's noise divided by k before it is added",
        "scale and shape of the files' noise",
        _noise_divided_first,
        lambda: _noise_of_files(HOUR),
    ),
    Mutant("a window used in two releases", "each window once", _a_window_in_two_releases, behaviour.windows_once),
    Mutant(
        "a window dropped because the machine was busy (collector)",
        "busy machine",
        lambda: _dropped_when_late(collector_settings.Settings),
        behaviour.no_window_missing_when_busy,
    ),
    Mutant(
        "a window dropped because the machine was busy (publisher)",
        "busy machine",
        lambda: _dropped_when_late(Preset),
        behaviour.no_window_missing_when_busy,
    ),
)
