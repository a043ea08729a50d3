"""Health check: does the sampling loop live? Standalone: Docker runs this file by `python3 -I -S`.

It costs more than a window does, so it imports what the interpreter has loaded already. Exit 0 or 1.
"""

import os
import sys
import time

DEFAULT_PATH = "/run/cpu_collector/heartbeat"
SLACK_MS = 15_000


def judge(line: str, boot_ms: int) -> str:
    """What is wrong with a heartbeat, or nothing at all.

    Args:
        line: of the heartbeat file: last scheduled start (ms of CLOCK_BOOTTIME) and sample length (s).
        boot_ms: CLOCK_BOOTTIME now. A start follows the last one by one sample interval, by up to two after most
            clock steps (only a clock set back by about one interval may take longer, and is told as silence), and
            the first one may be up to one ahead.
    """
    try:
        scheduled, sample = (int(part) for part in line.split())
    except ValueError:
        return "heartbeat unreadable"
    if not -1_000 * sample <= boot_ms - scheduled <= 2_000 * sample + SLACK_MS:
        return "sampling loop silent"
    return ""


def main() -> int:
    """Judge the file of this machine; one short line."""
    path = os.environ.get("CPUTRACKER_HEARTBEAT") or DEFAULT_PATH
    try:
        with open(path, encoding="ascii") as file:  # noqa: PTH123 - pathlib would double what a probe costs
            line = file.read(100)
    except (OSError, ValueError):
        wrong = "no heartbeat"
    else:
        wrong = judge(line, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)
    sys.stdout.write(f"{wrong or 'ok'}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
