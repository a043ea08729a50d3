"""What the collector costs: memory, CPU of a window, and its health probe.

    python bench/collector.py [--windows 3] [--json]

A real collector takes windows of 50 readings of 0.1 s each 20 s; at the same time a bare loop over psutil's
`cpu_percent` takes as many readings in a process of its own, so that times are also ratios within one run. CPU time is
the kernel's account of each whole process between two windows, waiting included. The probe is run as Docker would run
it, without Docker. Exits 1 if a figure is over its target.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.collector_process import PACKAGE, collector

SAMPLE_SECONDS, DEFAULT_SAMPLE_SECONDS = 20, 300
TARGETS = {"pss_mb": 11.0, "rss_mb": 14.0, "cpu_seconds_per_window": 0.02}
PEER = """
import sys, time, psutil
psutil.cpu_percent()
before = time.process_time()
for _ in range(50 * int(sys.argv[1])):
    time.sleep(0.1)
    psutil.cpu_percent()
print((time.process_time() - before) / int(sys.argv[1]))
"""
BARE = """
import psutil
print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")) * 1024 / 1e6)
"""
PROBES = 5


def measure(windows: int) -> dict[str, float]:
    """All figures over that many windows."""
    with collector(SAMPLE_SECONDS=str(SAMPLE_SECONDS)) as running:
        running.record()
        before = running.cpu_seconds()
        with subprocess.Popen([sys.executable, "-c", PEER, str(windows)], stdout=subprocess.PIPE) as peer:
            for _ in range(windows):
                running.record()
            window_seconds = (running.cpu_seconds() - before) / windows
            memory = running.memory_mb()
            peer_seconds = float(peer.communicate()[0])
        probe_seconds = _probe(str(running.heartbeat))
    bare = subprocess.run([sys.executable, "-c", BARE], capture_output=True, check=True)
    return {
        "pss_mb": memory["pss"],
        "rss_mb": memory["rss"],
        "rss_mb_python_psutil": float(bare.stdout),
        "cpu_seconds_per_window": window_seconds,
        "cpu_percent_of_core_default_preset": 100 * window_seconds / DEFAULT_SAMPLE_SECONDS,
        "ratio_to_cpu_percent_loop": window_seconds / peer_seconds,
        "cpu_seconds_per_probe": probe_seconds,
    }


def _probe(heartbeat: str) -> float:
    """CPU seconds of one health probe, the interpreter's start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(PROBES):
        command = [sys.executable, "-I", "-S", str(PACKAGE / "health.py")]
        subprocess.run(command, env={"CPUTRACKER_HEARTBEAT": heartbeat}, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / PROBES


def main() -> int:
    """Print the figures; 1 if one is over its target."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--windows", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.windows)
    over = [name for name, most in TARGETS.items() if figures[name] > most]
    if arguments.json:
        print(json.dumps({"figures": figures, "targets": TARGETS, "over": over}, indent=2))
    else:
        for name, value in figures.items():
            target = f"  (target <= {TARGETS[name]})" if name in TARGETS else ""
            print(f"{name:38} {value:10.5f}{target}{'  OVER' if name in over else ''}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
