"""What the outside may know of the publisher: the one snapshot that web, page, metrics and `status` render."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

State = Literal["starting", "active", "budget_exhausted", "paused", "closed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be.

    Attributes:
        code: fixed short name, e.g. `collector_silent`; safe as a metric label.
        message: what is wrong, where, and what to do. Holds no CPU value.
        fatal: True: `/readyz` is 503 and nothing is released; False: a warning beside a 200.
    """

    code: str
    message: str
    fatal: bool = True


@dataclass(frozen=True, slots=True)
class LastRelease:
    """The newest release, for the owner's page only.

    Attributes:
        cpu: the published noisy value, percent, not clamped.
        error95_pp: half-width of its 95 % noise interval.
        kind: `slot` or `first`.
        slot: start of its slot, unix seconds.
        windows: k, of how many a full slot has.
        timestamp: its due time as in the public file.
    """

    cpu: float
    error95_pp: float
    kind: str
    slot: int
    windows: int
    windows_full: int
    seq: int
    timestamp: str


@dataclass(frozen=True, slots=True)
class View:
    """State of the publisher at one moment. Ages are seconds, unrounded: renderers round to 10 s.

    Attributes:
        now: unix seconds of this snapshot.
        state: what the publisher is doing.
        findings: everything that is wrong or worth a warning, most serious first.
        embedded: True on the default volumes (no SyftBox): nobody but this machine sees the file.
        isolation: False when collector and publisher share one uid (app without an engine).
        permissions_ok: the last check of every permission file that governs ours; None before the first.
        collector_age_seconds: since the last valid record; None before the first.
        next_due: unix seconds of the next release if its slot has a window by then; None when closed or paused.
        spent_micro, cap_micro: ε of the last 24 h of slots at full range and its cap, in millionths.
        counters: {name: {label value: count}} of docs/wire-contract.md, e.g. {"records_rejected": {"span": 2}}.
        guarantee: the guarantee in words (one function writes it).
    """

    now: float
    started: float
    state: State
    findings: tuple[Finding, ...]
    preset: str
    email: str
    aggregators: tuple[str, ...]
    public_path: str
    embedded: bool
    isolation: bool
    permissions_ok: bool | None
    collector_age_seconds: float | None
    sample_seconds: int
    slot_seconds: int
    last: LastRelease | None
    next_due: float | None
    resumes_slot: int | None
    spent_micro: int
    cap_micro: int
    delta_epsilon: float
    pooled_windows: int
    guarantee: str
    version: str
    counters: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def fatal(self) -> tuple[Finding, ...]:
        """What makes `/readyz` 503."""
        return tuple(f for f in self.findings if f.fatal)
