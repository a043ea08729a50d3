"""Runs in a container, in place of the collector: hands on what argv[1] says, one connection after the other.

argv[1]: JSON list, for each connection a list of steps: text (sent as latin-1), a number (seconds to wait), or
{"mean": m}: a valid record of that mean, in a sample interval of its own. After the last one the connection stays open.
"""

import json
import os
import socket
import sys
import time
from typing import Any

READINGS, INTERVAL_MS, SAMPLE_MS, OFFSET_MS = 5, 20, 1_000, 300  # as tests/integration/pair.py sets them
SPAN_MS = READINGS * INTERVAL_MS


def record(mean: int) -> bytes:
    """A record as an honest collector writes it: of a window that ends now, at the next offset in a sample interval."""
    time.sleep((SAMPLE_MS + OFFSET_MS - time.time() * 1_000 % SAMPLE_MS) / 1_000)
    started, boot = time.time_ns() // 1_000_000 - SPAN_MS, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    fields = {"v": 1, "started_at_ms": started, "boot_ms": boot - SPAN_MS, "span_ms": SPAN_MS, "n": READINGS}
    fields |= {"interval_ms": INTERVAL_MS, "lower": 0, "upper": 10_000, "mean": mean}
    return json.dumps(fields).encode() + b"\n"


def play(peer: socket.socket, steps: list[Any]) -> None:
    """One connection, until its steps are done or the other side has had enough."""
    try:
        for step in steps:
            if isinstance(step, str):
                peer.sendall(step.encode("latin-1"))
            elif isinstance(step, dict):
                peer.sendall(record(step["mean"]))
            else:
                time.sleep(step)
    except OSError:
        return


os.umask(0o117)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind("/handoff/collector.sock")
listener.listen(16)
*ended, last = json.loads(sys.argv[1])
for script in ended:
    with listener.accept()[0] as peer:
        play(peer, script)
peer = listener.accept()[0]
play(peer, last)
time.sleep(3_600)
