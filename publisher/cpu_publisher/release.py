"""One release, one transaction: check, draw on the sum, record, commit. Durable before anyone sees it.

The way from here to what leaves the machine is one seam: a row, its mode, and the body that mode makes of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cpu_publisher import budget
from cpu_publisher.body import release_body
from cpu_publisher.ledger import CARRIED, Row, counts
from cpu_publisher.presets import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cpu_publisher.clock import Clock
    from cpu_publisher.ledger import Ledger
    from cpu_publisher.pool import Pooled
    from cpu_publisher.presets import Preset

MODE_LOCAL = "local"  # noised here, published as the public file


@dataclass(frozen=True, slots=True)
class Terms:
    """What a release is made under: the privacy setting and the cap on its 24 h of slots, in micro-ε."""

    preset: Preset
    cap_micro: int


@dataclass(frozen=True, slots=True)
class Refused:
    """No release: the spend would pass the cap. `resumes_slot`: first slot that would fit again."""

    resumes_slot: int


def spent_micro(rows: Iterable[Row], cap_micro: int) -> int:
    """Spend of `rows`. A carried row stands for spend we cannot know: the whole cap, whatever it was when carried."""
    return sum(max(row.spend_micro, cap_micro) if row.kind == CARRIED else row.spend_micro for row in rows)


def resumes_slot(rows: Sequence[Row], terms: Terms, refused: Row) -> int:
    """First slot after that of `refused` in which a full one fits into the cap, if nothing else is released before.

    `rows` are those that count for the refused one. All of them have ceased to a day later.
    """
    preset, length = terms.preset, refused.slot_seconds
    full = budget.spend_micro(preset, preset.windows_per_slot)
    for later in range(length, DAY_SECONDS, length):
        at = (refused.slot + later, length, refused.boot_id, refused.boot_ms + 1_000 * later)
        if spent_micro((row for row in rows if counts(row, *at)), terms.cap_micro) + full <= terms.cap_micro:
            return refused.slot + later
    return refused.slot + DAY_SECONDS


def draft(terms: Terms, pooled: Sequence[Pooled], *, slot: int, kind: str, due_ms: int, clock: Clock) -> Row:
    """The row of a release before anything is drawn: everything but seq and the noisy sum."""
    preset, k = terms.preset, len(pooled)
    if not 1 <= k <= preset.windows_per_slot:
        raise ValueError(f"a slot of {preset.windows_per_slot} windows cannot release {k}")
    return Row(
        seq=0,
        slot=slot,
        slot_seconds=preset.slot_seconds,
        kind=kind,
        mode=MODE_LOCAL,
        k=k,
        noisy_sum=None,
        scale=budget.release_mechanism(preset, k).scale,
        spend_micro=budget.spend_micro(preset, k),
        unit=preset.unit,
        preset=preset.name,
        epsilon=preset.epsilon,
        due_ms=due_ms,
        boot_id=clock.boot_id(),
        boot_ms=_due_boot_ms(pooled, due_ms, clock),
    )


def _due_boot_ms(pooled: Sequence[Pooled], due_ms: int, clock: Clock) -> int:
    """CLOCK_BOOTTIME at the due time.

    If UTC jumped forward since the windows were measured, the due time came by that jump: then it is not as long ago as
    UTC says, and the row must not cease to count that much earlier.
    """
    stamps = [p.stamp for p in pooled if p.stamp.boot_id == clock.boot_id()]
    offset = min([clock.utc_ms() - clock.boot_ms(), *(s.started_at_ms - s.boot_ms for s in stamps)])
    return min(clock.boot_ms(), due_ms - offset)


def release(ledger: Ledger, terms: Terms, row: Row, pooled: Sequence[Pooled], nonce: str) -> Row | Refused:
    """Release the sum of `pooled` as `row` says, or say why not. One draw, in the transaction that records it.

    A row of this slot and kind that is already there is returned as it is: no draw, no spend.

    Raises:
        LedgerError: nothing was recorded, nothing may be published.
    """
    preset = terms.preset
    with ledger.transaction():
        if (known := ledger.find(row.slot, row.kind)) is not None:
            return known
        rows = ledger.in_horizon(row.slot, row.slot_seconds, row.boot_id, row.boot_ms)
        spent = spent_micro(rows, terms.cap_micro) + row.spend_micro
        if spent > terms.cap_micro:
            return Refused(resumes_slot(rows, terms, row))
        noisy_sum = budget.release_mechanism(preset, row.k).draw(sum(p.mean for p in pooled))
        drawn = replace(row, noisy_sum=noisy_sum)
        drawn = replace(drawn, seq=ledger.insert(drawn, [p.stamp for p in pooled]))
        body = release_body(
            preset,
            noisy_sum=noisy_sum,
            k=row.k,
            slot=row.slot,
            kind=row.kind,
            seq=drawn.seq,
            ledger_id=ledger.identity.ledger_id,
            due_ms=row.due_ms,
            spent_micro=spent,
            cap_micro=terms.cap_micro,
            nonce=nonce,
        )
        ledger.insert_body(drawn.seq, "active", body)
        ledger.forget(drawn)
    return drawn
