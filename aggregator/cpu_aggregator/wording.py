"""The policy and the guarantee in words, written in one place: page, file, commands and exports show the same. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cpu_aggregator.policy import LEGACY

if TYPE_CHECKING:
    from cpu_aggregator.policy import Policy


def policy_words(policy: Policy, minimum: int, settle_seconds: float) -> str:
    """The policy as sentences."""
    parts = []
    for p in policy.presets:
        if p.name == LEGACY:
            parts.append("old two-key files (b 4 pp, one short look an hour, clamped: hosts near 0 or 100 % biased)")
        else:
            parts.append(
                f"{p.name} (unit {p.unit}, ε {p.epsilon:g} a release, {p.windows_full} windows in {p.slot_seconds} s,"
                f" b {p.scale_pp(p.windows_full):.3g} pp)"
            )
    return (
        f"Averaged with equal weights: {'; '.join(parts)}. Counted are values of exactly one slot, with at least half"
        f" of its windows, that had arrived {settle_seconds:g} s after its end; a mean is shown for at least {minimum}"
        " participants, once a slot."
    )


def guarantee(policy: Policy) -> str:
    """What a participant is promised, for each accepted preset, in words: ε never without its unit and horizon."""
    sentences = []
    for p in policy.presets:
        if p.name == LEGACY:
            sentences.append("Old two-key files state no guarantee that this aggregator could check.")
        elif p.unit == "window":
            sentences.append(
                f"{p.name}: each published number is ε = {p.epsilon:g} differentially private for one window"
                f" ({p.n * p.interval_ms / 1_000:g} s measured in each {p.sample_seconds} s), this aggregator included:"
                f" whatever a computer did in any stretch shorter than {p.covers_ms / 1_000:g} s, everything it ever"
                f" published is at most e^{p.epsilon:g} ≈ {math.exp(p.epsilon):.2g} times more or less likely. Activity"
                " over m windows is protected by m·ε only. That a computer takes part is not hidden."
            )
        elif p.unit == "reading":
            sentences.append(
                f"{p.name}: ε = {p.epsilon:g} for one reading of {p.interval_ms / 1_000:g} s; a window of {p.n}"
                f" readings is protected by ε = {p.n * p.epsilon:g} only: it hides no workload."
            )
        else:
            sentences.append(
                f"{p.name}: ε = {p.unit_epsilon:g} for everything a computer did in one UTC day; the budget renews"
                " each day. That a computer takes part is not hidden."
            )
    return " ".join(sentences)
