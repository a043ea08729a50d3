"""No window may go missing because the machine is busy: a real collector under full load of every core.

    python bench/collector_soak.py [MINUTES]

50 readings of 0.1 s each 20 s, as many busy loops as cores, 5 minutes unless told otherwise. Each sample interval
after the first must have its window, and the collector must have dropped none. Exits 1 otherwise.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.collector_process import collector

SAMPLE_SECONDS = 20


def main() -> int:
    """Run the load and count."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    cores = os.cpu_count() or 1
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores)]
    try:
        with collector(SAMPLE_SECONDS=str(SAMPLE_SECONDS)) as running:
            end = time.monotonic() + 60 * minutes
            intervals = []
            while time.monotonic() < end:
                intervals.append(running.record()["started_at_ms"] // (1_000 * SAMPLE_SECONDS))
            dropped = [line for line in running.log.read_text().splitlines() if "dropped" in line]
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    expected = list(range(intervals[0], intervals[-1] + 1))
    missing = len(set(expected) - set(intervals))
    print(f"{minutes:g} minutes, {cores} cores busy: {len(intervals)} windows in {len(expected)} sample intervals")
    print(f"missing: {missing}; dropped: {dropped or 'none'}")
    return 1 if dropped or intervals != expected else 0


if __name__ == "__main__":
    sys.exit(main())
