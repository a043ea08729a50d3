"""Runs in a container: 100 connections at a time to the hand-off's socket, held for a while and never read from."""

import contextlib
import json
import socket
import sys
import time

HELD_SECONDS = 0.5
end, opened = time.monotonic() + float(sys.argv[1]), 0
while time.monotonic() < end:
    crowd = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(100)]
    for peer in crowd:
        peer.settimeout(0)  # a full queue refuses at once
        with contextlib.suppress(OSError):
            peer.connect("/handoff/collector.sock")
            opened += 1
    time.sleep(HELD_SECONDS)
    for peer in crowd:
        peer.close()
sys.stdout.write(json.dumps(opened) + "\n")
