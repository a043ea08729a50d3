"""`make network`: this machine's release travels through a real SyftBox, server and two clients, all on this machine.

For who has no account. It is the embedded default's datasite that travels: a real datasite has its own client.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import up
from configure import EMBEDDED_EMAIL, ConfigureError
from engine import base_image, compose, require_engine, say

PROFILE = ("--profile", "network")
SERVICES = ("syftbox-server", "syftbox-owner", "syftbox-aggregator")
FILE = f"datasites/{EMBEDDED_EMAIL}/app_data/cpu_tracker/cpu_tracker.json"
BOX = ("/venv/bin/python", "-I", "/opt/box.py")
READERS = (
    "In this network two more read the file, both in containers of this machine on a network of their own: the\n"
    "server, and the client of aggregator@openmined.org. Nobody outside this machine does."
)
ARRIVE_SECONDS = 90  # two clients that start on a slow machine, and a sync


def main() -> int:
    """Run it. Returns the exit code."""
    try:
        require_engine()
        values = up.settings()
        refuse_real(values.get("CPUTRACKER_DATA_DIR", ""))
        build(values.get("SYFTBOX_BASE_IMAGE", ""))
        compose(*PROFILE, "up", "--detach", "--no-build", *SERVICES)
        started = time.time()
        say(READERS)
        return up.main() or arrival(started)
    except ConfigureError as error:
        sys.stderr.write(f"make network: {error}\n")
        return 1


def refuse_real(data_dir: str) -> None:
    """Refuse a real datasite.

    Raises:
        ConfigureError: says how to try the network beside it.
    """
    if data_dir:
        raise ConfigureError(
            f"{data_dir} is a real SyftBox folder, and its own client carries it. This network is for the embedded"
            " default; to try it beside your own pair:\n  CPUTRACKER_PROJECT=lab CPUTRACKER_DATA_DIR="
            " CPUTRACKER_EMAIL= CPUTRACKER_UID= CPUTRACKER_GID= CPUTRACKER_HOST_PORT=8775 make network"
        )


def build(base: str = "") -> None:
    """Build the image of server and clients, if it is not built."""
    say("building the image of SyftBox (the first time takes a minute or two)")
    compose(*PROFILE, "build", "--quiet", SERVICES[0], env={"SYFTBOX_BASE_IMAGE": base or base_image("bookworm")})


def arrival(started: float) -> int:
    """Wait for the owner's file at the aggregator's client, and say what arrived, where, and how long it took."""
    say("waiting for it at the aggregator's client")
    end = time.monotonic() + ARRIVE_SECONDS
    while time.monotonic() < end:
        here, there = look("syftbox-owner", f"/owner/{FILE}"), look("syftbox-aggregator", f"/aggregator/{FILE}")
        if here and there and here["sha256"] == there["sha256"]:
            waited = here["mtime"] < started <= there["mtime"]  # it was published before there was a network
            since = "the network was started" if waited else "it was due"
            took = there["mtime"] - (started if waited else here["mtime"])
            say(f"arrived    release {there['seq']}, byte for byte, in {there['path']} of")
            say(f"           aggregator@openmined.org's client, {took:.1f} s after {since}")
            return 0
        time.sleep(0.25)
    logs = compose(*PROFILE, "logs", "--no-color", "--tail", "6", *SERVICES, check=False)
    sys.stderr.write(f"make network: it did not arrive within {ARRIVE_SECONDS} s:\n{logs}")
    return 3


def look(service: str, path: str) -> dict[str, Any] | None:
    """The file as that client has it, or None."""
    line = compose(*PROFILE, "exec", "-T", service, *BOX, "look", path, check=False)
    document: dict[str, Any] | None = json.loads(line) if line.strip() else None
    return document


if __name__ == "__main__":
    sys.exit(main())
