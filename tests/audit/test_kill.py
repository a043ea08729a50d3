"""kill -9 at random moments: 100 times here, `AUDIT_KILLS=1000` in the soak run."""

from __future__ import annotations

import os
import secrets

from tests.audit import checks
from tests.audit.kill import PRESET, killed

from cpu_publisher import budget

KILLS = int(os.environ.get("AUDIT_KILLS", "100"))


def test_no_kill_makes_a_release_lie() -> None:
    seed = secrets.randbelow(2**32)
    seen = killed(KILLS, seed)
    assert seen.ok, f"seed {seed}: {seen.detail}"
    assert len(seen.noise) > KILLS / 10, seen.detail  # it did publish between the kills
    found = checks.scale_and_shape(seen.noise, budget.release_mechanism(PRESET, 1).scale)
    assert found.ok, found.detail
