"""The snapshot that the outside may see, made from what the engine holds. Reads, never writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpu_publisher import __version__, accounting, budget, guarantee
from cpu_publisher import body as bodies
from cpu_publisher.permissions import DATA_NAME
from cpu_publisher.release import spent_micro
from cpu_publisher.slots import slot_of, timestamp
from cpu_publisher.view import Finding, LastRelease, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpu_publisher.clock import Clock
    from cpu_publisher.counters import Counters
    from cpu_publisher.ledger import Ledger, Row
    from cpu_publisher.presets import Preset
    from cpu_publisher.release import Terms
    from cpu_publisher.session import Session
    from cpu_publisher.settings import Settings
    from cpu_publisher.view import State

TROUBLE_MS = 10_000  # a collector may restart this long without a word about it
SILENT_SAMPLES = 2
SILENT_SPARE_MS = 15_000


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known beside the session.

    Attributes:
        started_ms, started_boot_ms: start of this process, unix and CLOCK_BOOTTIME.
        heard_boot_ms: CLOCK_BOOTTIME of the last valid record.
        trouble: code of the last failure of the connection and CLOCK_BOOTTIME of the first one since a line came.
        standing: findings that hold whatever the session says: why there is none, notes from its opening.
        paused: the owner's flag.
        counters: what happened.
    """

    started_ms: int
    started_boot_ms: int
    heard_boot_ms: int | None
    trouble: tuple[str, int] | None
    standing: tuple[Finding, ...]
    paused: bool
    counters: Counters


def view(settings: Settings, terms: Terms, clock: Clock, watch: Watch, session: Session | None) -> View:
    """The state at this moment; without a session, why there is none."""
    now, preset = clock.utc_ms(), terms.preset
    row = session.ledger.last() if session else None
    rows = horizon(session.ledger, preset, clock) if session else []
    findings = [*watch.standing, *(session.findings if session else ())]
    findings += _handoff(watch, settings, clock.boot_ms())
    resumes = session.resumes_slot() if session else None
    if resumes is not None:
        findings.append(
            Finding(
                "budget_exhausted",
                f"the cap on ε of 24 h of slots is reached; the slot of"
                f" {timestamp(1_000 * resumes)} UTC can be released again; nothing needs to be done",
            )
        )
    if not settings.isolation:
        findings.append(
            Finding(
                "isolation_off",
                "collector and publisher run as one user without containers: nothing"
                " keeps them apart; install Docker and run `make up`",
                fatal=False,
            )
        )
    state = _state(session, findings, row, paused=watch.paused, exhausted=resumes is not None)
    return View(
        now=now / 1_000,
        started=watch.started_ms / 1_000,
        state=state,
        findings=tuple(sorted(findings, key=lambda f: not f.fatal)),
        preset=preset.name,
        email=settings.email,
        aggregators=settings.aggregators,
        public_path=str(settings.datasite_dir / "app_data" / "cpu_tracker" / DATA_NAME),
        embedded=settings.embedded,
        isolation=settings.isolation,
        permissions_ok=_permissions_ok(session),
        collector_age_seconds=None if watch.heard_boot_ms is None else (clock.boot_ms() - watch.heard_boot_ms) / 1_000,
        sample_seconds=preset.sample_seconds,
        slot_seconds=preset.slot_seconds,
        last=last_release(row, preset) if row and row.noisy_sum is not None else None,
        next_due=session.next_due_ms(now) / 1_000 if session and state in ("active", "starting") else None,
        resumes_slot=resumes,
        spent_micro=spent_micro(rows, terms.cap_micro),
        cap_micro=terms.cap_micro,
        delta_epsilon=accounting.renyi_epsilon([r.spend_micro / budget.MICRO for r in rows]),
        pooled_windows=len(session.pool.windows) if session else 0,
        guarantee=guarantee.sentence(preset, terms.cap_micro),
        version=__version__,
        counters=watch.counters.snapshot(),
    )


def horizon(ledger: Ledger, preset: Preset, clock: Clock) -> list[Row]:
    """Rows of the last 24 h of slots: what the cap is held against."""
    slot = slot_of(clock.utc_ms(), preset.slot_seconds) - preset.slot_seconds  # the newest that can have been released
    return ledger.in_horizon(slot, preset.slot_seconds, clock.boot_id(), clock.boot_ms())


def last_release(row: Row, preset: Preset) -> LastRelease:
    """The newest release as the owner's page shows it."""
    return LastRelease(
        cpu=bodies.value(row.noisy_sum or 0, row.k),
        error95_pp=budget.accuracy_pp(row.scale, row.k),
        kind=row.kind,
        slot=row.slot,
        windows=row.k,
        windows_full=preset.windows_per_slot,
        seq=row.seq,
        timestamp=timestamp(row.due_ms),
    )


def _permissions_ok(session: Session | None) -> bool | None:
    if session is None or not session.looked:
        return None
    return not any(f.code.startswith("permissions") for f in session.findings)


def _handoff(watch: Watch, settings: Settings, boot_ms: int) -> list[Finding]:
    sample_ms = 1_000 * settings.preset.sample_seconds
    if watch.trouble and boot_ms - watch.trouble[1] >= TROUBLE_MS:
        code = watch.trouble[0]
        return [
            Finding(
                "collector_unreachable",
                f"no connection to the collector at {settings.socket} ({code}): see `docker compose logs collector`",
            )
        ]
    since = watch.started_boot_ms if watch.heard_boot_ms is None else watch.heard_boot_ms
    if boot_ms - since > SILENT_SAMPLES * sample_ms + SILENT_SPARE_MS:
        return [
            Finding(
                "collector_silent",
                "no valid record from the collector for more than two sample intervals: see"
                " `docker compose logs collector`, and cputracker_records_rejected_total in /metrics",
            )
        ]
    return []


def _state(
    session: Session | None, findings: Sequence[Finding], row: Row | None, *, paused: bool, exhausted: bool
) -> State:
    if paused:
        return "paused"
    if session is None:
        return "closed" if findings else "starting"
    if exhausted:
        return "budget_exhausted"
    if any(f.fatal for f in session.findings):
        return "closed"
    return "active" if row else "starting"
