"""The container's health check: does the release loop turn? Standalone: Docker runs this file by `python3 -I -S`.

It costs more host CPU than a release does, so it imports what the interpreter has loaded already. Exit 0 or 1.
"""

import os
import sys
import time

DEFAULT_PATH = "/run/cpu_publisher/heartbeat"


def judge(line: str, boot_ms: int) -> str:
    """What is wrong with a heartbeat, or nothing at all.

    Args:
        line: of the heartbeat file: CLOCK_BOOTTIME of the last turn and how long until the next at most, both ms.
        boot_ms: CLOCK_BOOTTIME now.
    """
    try:
        beat, longest = (int(part) for part in line.split())
    except ValueError:
        return "heartbeat unreadable"
    return "" if 0 <= boot_ms - beat <= longest else "release loop silent"


def main() -> int:
    """Judge the file of this container; one short line."""
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
