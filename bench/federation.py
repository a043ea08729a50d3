"""How long a release takes from its due time to the aggregator's disk, through a real SyftBox (syftbox 0.4.0).

Server, both clients and the pair in containers on this machine (profile `network`), a release each 5 s. Prints p50 and
p95 of due time -> the publisher's rename, rename -> whole at the aggregator's client, and their sum.
Usage: bench/federation.py [RELEASES]; needs a Docker engine; some 5 s a release.
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import network  # noqa: E402 - found only now
import up  # noqa: E402
from engine import compose, say  # noqa: E402

SLOT_SECONDS = 5
SETTINGS = {"SAMPLE_SECONDS": 1, "SLOT_SECONDS": SLOT_SECONDS, "READINGS": 5, "INTERVAL_MS": 20}
START_SECONDS = 90


def main(releases: int) -> None:
    """Measure and print."""
    os.environ |= {
        "COMPOSE_PROFILES": "network",
        "CPUTRACKER_PROJECT": f"bench-{secrets.token_hex(3)}",
        "CPUTRACKER_HOST_PORT": "0",
        "CPUTRACKER_PUBLISH_DELAY_SECONDS": "0.5",
        **{f"CPUTRACKER_{name}": str(value) for name, value in SETTINGS.items()},
    }
    up.build()
    network.build()
    try:
        compose("up", "--detach", "--no-build")
        end = time.monotonic() + START_SECONDS
        while not network.look("syftbox-aggregator", f"/aggregator/{network.FILE}") and time.monotonic() < end:
            time.sleep(0.5)
        seconds = (releases + 2) * SLOT_SECONDS
        with ThreadPoolExecutor() as pool:
            here = pool.submit(follow, "syftbox-owner", f"/owner/{network.FILE}", seconds)
            there = pool.submit(follow, "syftbox-aggregator", f"/aggregator/{network.FILE}", seconds)
        show(here.result(), there.result())
    finally:
        compose("down", "--volumes", "--remove-orphans", "--timeout", "2", check=False)


def follow(service: str, path: str, seconds: float) -> list[dict[str, Any]]:
    """Each release that the file shows within so many seconds, and when."""
    command = [str(ROOT / "tools" / "compose"), "exec", "-T", service, *network.BOX, "follow", path, str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return [json.loads(line) for line in done.stdout.splitlines()]


def show(here: list[dict[str, Any]], there: list[dict[str, Any]]) -> None:
    """Print the three lags of every release that was seen coming at both ends."""
    arrived = {line["seq"]: line for line in there[1:]}
    both = [(line, arrived[line["seq"]]) for line in here[1:] if line["seq"] in arrived]
    say(f"{len(both)} of {len(here) - 1} releases seen at both ends; seconds")
    print_row("due -> published", [a["seen"] - a["mtime"] for a, _ in both])
    print_row("published -> whole at the aggregator", [b["seen"] - a["seen"] for a, b in both])
    print_row("due -> whole at the aggregator", [b["seen"] - a["mtime"] for a, b in both])


def print_row(what: str, lags: list[float]) -> None:
    """One line of the table."""
    cuts = statistics.quantiles(lags, n=20, method="inclusive")
    say(f"{what:38} p50 {statistics.median(lags):5.2f}   p95 {cuts[-1]:5.2f}   max {max(lags):5.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
