"""How the datasites stand right now, as counts and as a short list. Pure; from the store's columns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpu_aggregator.estimator import Z95
from cpu_aggregator.policy import LEGACY, NAMES, PRESETS
from cpu_aggregator.reasons import CODES, GROUP, NUMBER
from cpu_aggregator.store import ABSENT, NO_SLOT
from cpu_aggregator.view import Datasite, Wider

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpu_aggregator.store import Store

STALE_SLOTS = 2.5
LISTED = 200  # datasites that a page can show; the counts are of all
_STALE = NUMBER["stale"]
_REFUSED = np.array([GROUP[code] == "refused" for code in CODES])


class Census(NamedTuple):
    """Attributes as in `view.View`; `ends` are (name, code, end of newest slot or None)."""

    known: int
    active: int
    reasons: dict[str, int]
    listed: tuple[tuple[str, str, int | None], ...]


def standing(store: Store, slot_seconds: int, now: float) -> NDArray[np.uint8]:
    """Code number of each row at `now`: a good datasite without a release for 2.5 slots is stale."""
    codes = np.array(store.code, dtype=np.uint8)
    slots = np.array(store.slot, dtype=np.int64)
    old = slots + slot_seconds < now - STALE_SLOTS * slot_seconds
    good = codes != ABSENT
    good[good] &= ~_REFUSED[codes[good]]
    codes[good & old] = _STALE
    return codes


def take(store: Store, slot_seconds: int, now: float) -> Census:
    """The census at `now`."""
    codes = standing(store, slot_seconds, now)
    counts = np.bincount(codes[codes != ABSENT], minlength=len(CODES))
    reasons = {code: int(counts[number]) for number, code in enumerate(CODES) if counts[number]}
    known = int(counts.sum())
    active = known - int(counts[_STALE]) - int(counts[_REFUSED].sum())
    # Refused first: they are what somebody has to look at. Only as many rows are named as are shown.
    shown = np.flatnonzero(codes != ABSENT)
    order = shown[np.argsort(~_REFUSED[codes[shown]], kind="stable")][:LISTED]
    wanted = set(order.tolist())
    names = {row: name for name, row in store.index.items() if row in wanted}
    listed = sorted(
        (
            (
                names[row].decode("utf-8", "replace"),
                CODES[codes[row]],
                None if store.slot[row] == NO_SLOT else store.slot[row] + slot_seconds,
            )
            for row in wanted
        ),
        key=lambda entry: (GROUP[entry[1]] != "refused", entry[0]),
    )
    return Census(known, active, reasons, tuple(listed))


def datasites(census: Census, now: float) -> tuple[Datasite, ...]:
    """The short list with ages at `now`."""
    return tuple(
        Datasite(name, code, None if end is None else max(0.0, now - end)) for name, code, end in census.listed
    )


def wider(store: Store, n: int, noise_pp: float | None, slot_seconds: int) -> tuple[Wider, ...]:
    """What each preset outside the policy would add to a result of `n` participants and ± `noise_pp`."""
    other = np.array(store.other, dtype=np.uint8)
    other[np.array(store.code, dtype=np.uint8) == ABSENT] = 0
    scale = np.array(store.other_scale, dtype=np.float64)
    found = []
    for number, name in enumerate(NAMES, start=1):
        files = int((other == number).sum())
        if not files:
            continue
        joining = scale[(other == number) & (scale > 0)]
        if not len(joining):
            length = f"its slots last {PRESETS[name].slot_seconds} s, not" if name in PRESETS else "they do not fit"
            words = f"{files} of {name} cannot be averaged together with these: {length} {slot_seconds} s"
            found.append(Wider(name, files, None, words + "."))
            continue
        if noise_pp is None:
            found.append(Wider(name, files, None, f"{files} of {name} would be averaged too."))
            continue
        total = n + len(joining)
        both = math.sqrt((noise_pp * n) ** 2 + 2 * Z95**2 * float(np.square(joining).sum())) / total
        says = "at ± 4 pp each, clamped and thus biased" if name == LEGACY else "as they declare"
        words = f"{len(joining)} of {name} would be averaged too ({says}): ± noise {both:.2g} instead of {noise_pp:.2g}"
        found.append(Wider(name, files, both, words + " pp."))
    return tuple(sorted(found, key=lambda w: -w.files))
