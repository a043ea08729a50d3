"""`make demo`: the whole system on this machine, without an account, in under two minutes.

This machine's real pair, a real SyftBox that carries its file to the aggregator, fifty simulated participants beside
it, the aggregator and its page; in a Compose project of its own, apart from whatever runs already. Slots are short,
so that there is something to see: these settings are for a demonstration and hide next to nothing.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import network
import up
from configure import EMBEDDED_EMAIL, ConfigureError
from engine import ROOT, base_image, compose, require_engine, say
from env_file import known_names
from first_release import progress

if TYPE_CHECKING:
    from collections.abc import Mapping

PORTS = range(8770, 8799)
SETTINGS = {"unit": "window", "epsilon": 1, "sample_seconds": 1, "slot_seconds": 10, "n": 10, "interval_ms": 20}
SETTLE_SECONDS = 5  # the result of a slot, after its end: the way through SyftBox takes some two
LIMIT_SECONDS = 110
RESULT = "/aggregator/datasites/aggregator@openmined.org/public/cpu_tracker.json"
READ = f"import pathlib; print(pathlib.Path({RESULT!r}).read_text())"
STEPS = (
    ("syftbox", "this machine's file at the aggregator's client"),
    ("counted", "this machine in the network's mean"),
)


def main(words: list[str]) -> int:
    """Run it, or with `down` take all of it away. Returns the exit code."""
    try:
        require_engine()
        values = up.settings() if up.ENV.exists() else dict(os.environ)
        if words == ["down"]:
            compose("down", "--volumes", "--remove-orphans", "--timeout", "2", env=environment(values, 0, 0))
            say("the demo is gone")
            return 0
        started = time.monotonic()
        environ = environment(values, *free_ports(2))
        build(environ, values)
        compose("up", "--detach", "--no-build", "--remove-orphans", env=environ)
        return wait(environ, started)
    except ConfigureError as error:
        sys.stderr.write(f"make demo: {error}\n")
        return 1


def environment(values: Mapping[str, str], port: int, page: int) -> dict[str, str]:
    """Settings of the demo, and of `values` the names alone: what is not named here is empty, which is the default."""
    known = known_names((ROOT / ".env.example").read_text(encoding="utf-8"))
    custom = {**SETTINGS, "lower": 0, "upper": 100}
    return {
        **dict.fromkeys(known, ""),
        "COMPOSE_FILE": "docker-compose.yml",
        "COMPOSE_PROFILES": "demo",
        "CPUTRACKER_PROJECT": f"{values.get('CPUTRACKER_PROJECT') or 'cpu-tracker'}-demo",
        "CPUTRACKER_IMAGES": values.get("CPUTRACKER_IMAGES", ""),
        "CPUTRACKER_HOST_PORT": str(port),
        "CPUTRACKER_AGGREGATOR_HOST_PORT": str(page),
        "CPUTRACKER_UNIT": str(SETTINGS["unit"]),
        "CPUTRACKER_EPSILON": str(SETTINGS["epsilon"]),
        "CPUTRACKER_SAMPLE_SECONDS": str(SETTINGS["sample_seconds"]),
        "CPUTRACKER_SLOT_SECONDS": str(SETTINGS["slot_seconds"]),
        "CPUTRACKER_READINGS": str(SETTINGS["n"]),
        "CPUTRACKER_INTERVAL_MS": str(SETTINGS["interval_ms"]),
        "CPUTRACKER_PUBLISH_DELAY_SECONDS": "0.5",
        "CPUTRACKER_POLICY": "custom",
        "CPUTRACKER_POLICY_CUSTOM": json.dumps([custom]),
        "CPUTRACKER_SETTLE_SECONDS": str(SETTLE_SECONDS),
        "CPUTRACKER_SCAN_SECONDS": "1",
        "CPUTRACKER_PUBLISH_PEERS": "on",  # to see that this machine is among those counted
    }


def free_ports(count: int) -> list[int]:
    """Ports on which nobody listens.

    Raises:
        ConfigureError: there are not enough.
    """
    free = [port for port in PORTS if is_free(port)]
    if len(free) < count:
        raise ConfigureError(f"of the ports {PORTS[0]} to {PORTS[-1]} only {len(free)} are free")
    return free[:count]


def is_free(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def build(environ: dict[str, str], values: Mapping[str, str]) -> None:
    """Build the four images, if they are not built."""
    say("building the four images (the first time takes some four minutes)")
    bases = {
        "BASE_IMAGE": values.get("BASE_IMAGE") or base_image(),
        "SYFTBOX_BASE_IMAGE": values.get("SYFTBOX_BASE_IMAGE") or base_image("bookworm"),
    }
    compose("build", "--quiet", "collector", "publisher", "aggregator", "syftbox-server", env={**environ, **bases})


def wait(environ: dict[str, str], started: float) -> int:
    """Until this machine is in the mean; says each step, and where the page is. Returns the exit code."""
    page = f"http://127.0.0.1:{environ['CPUTRACKER_AGGREGATOR_HOST_PORT']}/"
    missing = dict(STEPS)
    end = time.monotonic() + LIMIT_SECONDS
    progress(f"waiting, {LIMIT_SECONDS} s at most", first=True)
    while time.monotonic() < end:
        now, passed = look(environ), time.monotonic() - started
        for step in [step for step in missing if now[step]]:
            progress("")
            say(f"{passed:3.0f} s  {missing.pop(step)}")
        if not missing and answers(page):
            return report(now["counted"], environ, page)
        progress(f"{passed:3.0f} s  waiting for {next(iter(missing.values()), 'the page')}")
        time.sleep(0.5)
    progress("")
    logs = compose("logs", "--no-color", "--tail", "5", env=environ, check=False)
    sys.stderr.write(f"make demo: waited {LIMIT_SECONDS} s for {', '.join(missing.values()) or page}:\n{logs}")
    return 3


def look(environ: dict[str, str]) -> dict[str, Any]:
    """How far it is: this machine's file at the aggregator's client, and a result that counts it."""
    box = ("exec", "-T", "syftbox-aggregator")
    arrived = compose(*box, *network.BOX, "look", f"/aggregator/{network.FILE}", env=environ, check=False)
    text = compose(*box, "/venv/bin/python", "-I", "-c", READ, env=environ, check=False)
    result = json.loads(text) if text.strip() else {}
    counted = result if EMBEDDED_EMAIL in result.get("peers", ()) else None
    return {"syftbox": arrived.strip() not in ("", "null"), "counted": counted}


def answers(page: str) -> bool:
    """Whether the page is there."""
    try:
        with urllib.request.urlopen(page, timeout=3) as reply:
            return bool(reply.status == 200)  # noqa: PLR2004 - OK
    except OSError:
        return False


def report(result: dict[str, Any], environ: dict[str, str], page: str) -> int:
    """What the network says, what is real in it, and where to look."""
    newest = result["items"][-1]
    say(f"\nmean of the network  {newest['cpu']:.1f} %, {len(result['peers'])} participants, this machine among them")
    say("real                 this machine's load, its noise and ledger, SyftBox's server and clients, the aggregator")
    say("simulated            the other participants' load and their way to the aggregator (their noise is real)")
    say(f"this machine's page  http://127.0.0.1:{environ['CPUTRACKER_HOST_PORT']}/")
    say("take it away         make demo-down\n")
    say("the network's page:")
    say(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
