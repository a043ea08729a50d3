"""What a running pair costs: memory and CPU of both containers, by their host pids. Start one by `make up` first.

CPU-seconds are those of the two processes alone, as the scheduler counts them: no health probes, no work of Docker's
own. Pages that both containers map are halves in PSS where the engine keeps layers on the kernel's overlay; on
fuse-overlayfs nothing is shared.
Usage: python bench/pair.py [PROJECT [SECONDS]]; with SECONDS also the steady state over that time: a multiple of the
sample interval, so that as many windows are paid for as counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PROJECT = sys.argv[1] if len(sys.argv) > 1 else "cpu-tracker"
TARGETS = {"collector": "PSS <= 11 MB, RSS <= 14 MB", "publisher": "PSS <= 55 MB"}


def pid_of(service: str) -> int:
    """Host pid of a service's first process."""
    form = "{{json .State.Pid}}"
    return int(json.loads(subprocess.check_output(["docker", "inspect", "-f", form, f"{PROJECT}-{service}-1"])))


def stat(pid: int) -> tuple[float, float]:
    """CPU-seconds used by its threads, and seconds since the start."""
    used = sum(
        int(path.read_text(encoding="ascii").split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )
    started = int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19]) / TICKS
    return used / 1e9, time.clock_gettime(time.CLOCK_BOOTTIME) - started


def memory_mb(pid: int) -> dict[str, float]:
    """PSS and RSS in MB (10⁶ bytes)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    return {k.rstrip(":"): int(v) * 1_024 / 1e6 for k, v, *_ in map(str.split, lines) if k in ("Pss:", "Rss:")}


def metric(name: str) -> float:
    """A counter of the publisher's, summed over its labels; asked for inside its container."""
    script = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/metrics').read().decode())"  # noqa: F541
    text = subprocess.check_output(
        ["docker", "exec", f"{PROJECT}-publisher-1", "/usr/bin/python3", "-c", script], text=True
    )
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"cputracker_{name}"))


def main() -> None:
    """Print it."""
    windows = metric("windows_accepted_total") + metric("windows_dropped_total")
    total = share = 0.0
    for service, target in TARGETS.items():
        pid = pid_of(service)
        used, age = stat(pid)
        memory = memory_mb(pid)
        print(f"{service:<10} PSS {memory['Pss']:.1f} MB, RSS {memory['Rss']:.1f} MB ({target})")
        print(f"{'':<10} {used:.2f} CPU-s in {age:.0f} s")
        total, share = total + used, share + used / age
    print(f"both       {100 * share:.4f} % of a core, start-up inside; {windows:.0f} windows, {total:.2f} CPU-s")
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0
    if seconds:
        seen = metric("windows_accepted_total")  # first: to answer costs the publisher half a window
        before = {service: stat(pid_of(service))[0] for service in TARGETS}
        time.sleep(seconds)
        after = {service: stat(pid_of(service))[0] for service in TARGETS}
        spent = sum(after.values()) - sum(before.values())
        count = metric("windows_accepted_total") - seen
        print(f"steady     {100 * spent / seconds:.4f} % of a core (<= 0.06), {count:.0f} windows")
        for service in TARGETS:
            print(f"{service:<10} {(after[service] - before[service]) / max(1, count):.4f} CPU-s a window")
        print(f"both       {spent / max(1, count):.4f} CPU-s a window (<= 0.02)")


if __name__ == "__main__":
    main()
