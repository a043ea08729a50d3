"""Whether a well-formed value may be averaged, given what this datasite released before. No I/O.

Rules (facts they rest on: DAP's collected-once and replay protection): the release number goes strictly forward
within a ledger; a slot never goes back; a datasite has at most one value in a slot's result, whatever it writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpu_aggregator.reasons import NUMBER
from cpu_aggregator.store import COUNTED, NO_SLOT, WAITING, Pending, Store

if TYPE_CHECKING:
    from cpu_aggregator.body import Body

AHEAD_SECONDS = 60  # a participant's clock may be ahead of ours by that much
_FIRST, _WARMING_UP, _LATE = NUMBER["first"], NUMBER["warming_up"], NUMBER["late"]
_FUTURE, _SEQ_BACK, _SLOT_BACK = NUMBER["future"], NUMBER["seq_back"], NUMBER["slot_back"]


def judge(store: Store, pending: dict[int, Pending], row: int, body: Body, *, now: float, closed: int) -> int:
    """Number of the reason code for `body`; a value that may be averaged is put into `pending`.

    Args:
        store: changed only when the release is believed.
        pending: slot start -> values waiting for its result.
        row: the datasite.
        body: its file's content.
        now: unix seconds.
        closed: start of the newest slot whose result is computed (or will never be).
    """
    if body.frame.due > now + AHEAD_SECONDS:
        return _FUTURE
    frame = body.frame
    slot = frame.slot
    if store.slot[row] != NO_SLOT:
        refusal = _back(store, row, body)
        if refusal:
            return refusal
        if store.valued[row] >= slot:
            if store.valued[row] > slot or body.seq != store.seq[row] or body.ledger != store.ledger[row]:
                return _SLOT_BACK
            return COUNTED if slot <= closed else WAITING  # the same release again, e.g. with another status
    store.believe(row, body.ledger, body.seq, slot)
    if frame.kind == "first" or frame.coarse or slot <= closed:
        return _FIRST if frame.kind == "first" else _WARMING_UP if frame.coarse else _LATE
    store.valued[row] = slot
    if slot not in pending:
        pending[slot] = Pending()
    pending[slot].add(row, body.cpu, frame.windows, frame.preset)
    return WAITING


def _back(store: Store, row: int, body: Body) -> int:
    """Code for a release that goes back in its ledger or in time; 0 for one that does not."""
    if body.ledger == store.ledger[row]:
        again = body.seq == store.seq[row] and body.frame.slot == store.slot[row]
        if not again and body.seq <= store.seq[row]:
            return _SEQ_BACK
    elif row in store.older and body.seq <= store.older[row].get(body.ledger, 0):
        return _SEQ_BACK
    return _SLOT_BACK if body.frame.slot < store.slot[row] else 0
