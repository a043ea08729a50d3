"""The container's health check, alone and cheap: `python3 -I -S health.py`. Exit 0 while the heartbeat is young.

Standard library's `time` and `os` only: each import costs more than the check.
"""

import os
import sys
import time

PATH = os.environ.get("CPUTRACKER_HEARTBEAT") or "/run/cpu_aggregator/heartbeat"


def main() -> int:
    """0: the last round is recent enough; 1: it is not, or there was none yet."""
    try:
        with open(PATH, encoding="ascii") as file:  # noqa: PTH123 - pathlib would triple the cost
            beat_ms, good_for_ms = (int(part) for part in file.read(64).split())
    except (OSError, ValueError) as error:
        sys.stdout.write(f"no heartbeat: {error}\n")
        return 1
    age_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000 - beat_ms
    if not 0 <= age_ms <= good_for_ms:
        sys.stdout.write(f"the last round ended {age_ms // 1_000} s ago; allowed {good_for_ms // 1_000}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
