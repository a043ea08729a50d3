"""The end of `make up`: wait for the first publication and say what it is, or why there is none. Never for ever."""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from engine import compose, say, states

if TYPE_CHECKING:
    from cpu_publisher.settings import Settings

NOT_YET = 3  # exit code: everything was started, but nothing is published (and why was said)
STEADY_SECONDS = 12  # how long a fatal reason must stand before it is believed
START_SECONDS = 45  # what the containers may take on a slow machine
LOOK_SECONDS = 3  # how often Compose is asked whether both containers still run


def bound_seconds(settings: Settings) -> float:
    """How long a first publication may take: the start, the collector's clear zone, a window and the delay."""
    window = settings.preset.longest_span_ms / 1_000
    return START_SECONDS + 2 * window + settings.publish_delay_seconds


def wait(address: str, limit: float, file: str) -> int:
    """Until something is published, something is wrong, or `limit` seconds are over. Returns the exit code."""
    started = time.monotonic()
    looked, wrong_since = started, 0.0
    progress(f"waiting for the first publication, {limit:.0f} s at most", first=True)
    while (now := time.monotonic()) - started < limit:
        progress(f"waiting for the first publication: {now - started:.0f} of at most {limit:.0f} s")
        if now - looked > LOOK_SECONDS:
            looked = now
            if gone := [n for n, c in states().items() if c.get("State") in ("exited", "dead", "restarting")]:
                last = compose("logs", "--no-color", "--tail", "8", *gone, check=False)
                return trouble(f"{', '.join(gone)} does not stay up", last)
        reasons = fatal(get(f"{address}/readyz"))
        wrong_since = (wrong_since or now) if reasons else 0.0
        if wrong_since and now - wrong_since > STEADY_SECONDS:
            return trouble("nothing can be published", "\n".join(reasons))
        if is_done(get(f"{address}/metrics"), get(f"{address}/healthz/collector")) and not reasons:
            return report(address, file)
        time.sleep(0.25)
    return trouble(
        f"nothing was published within {limit:.0f} s", f"both containers run; see {address}/ and `make logs`"
    )


def is_done(metrics: str, collector: str) -> bool:
    """Whether a release is out, of now or of an earlier run, and the collector's records come in."""
    released = re.search(r"^cputracker_last_release_seq \d", metrics, re.MULTILINE)
    return bool(released) and parse(collector).get("status") in ("pass", "warn")


def report(address: str, file: str) -> int:
    """What was published, how sure it is, when the next is due and where to look."""
    text = compose("exec", "-T", "publisher", "cpu-publisher", "status", "--json", check=False)
    try:
        status: dict[str, Any] = json.loads(text)
    except ValueError:
        return trouble("the publisher does not say what it does", compose("logs", "--tail", "8", check=False))
    progress("")
    last = status["last"]
    coarse = " (the first window alone: coarse; a whole slot is far more exact)" if last["kind"] == "first" else ""
    say(f"published  {last['cpu']:.1f} % ± {last['error95_pp']:.0f} points (95 %){coarse}")
    say(f"slot       {clock(last['slot'])}, {last['windows']} of {last['windows_full']} windows")
    say(f"next       due {clock(status['next_due'])}" if status["next_due"] else f"state      {status['state']}")
    say(f"file       {file}")
    say(f"page       {address}/")
    return 0


def trouble(what: str, why: str) -> int:
    """Say what is wrong and why. Returns the exit code."""
    progress("")
    sys.stderr.write(f"make up: {what}:\n{why.strip()}\n")
    return NOT_YET


def fatal(body: str) -> list[str]:
    """The reasons in a /readyz that is not ready."""
    report = parse(body)
    checks = [check for found in report.get("checks", {}).values() for check in found]
    return [check["output"] for check in checks if check.get("status") == "fail" and report.get("status") == "fail"]


def parse(body: str) -> dict[str, Any]:
    """A health report; empty while nobody answers."""
    try:
        return dict(json.loads(body))
    except (ValueError, TypeError):
        return {}


def get(url: str) -> str:
    """A page of the publisher, whatever its status; empty while nobody answers."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is behind no proxy
    try:
        with direct.open(url, timeout=3) as reply:
            return str(reply.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
    except OSError:
        return ""


def clock(unix: float) -> str:
    """A moment for a person."""
    return datetime.fromtimestamp(unix, UTC).strftime("%H:%M:%S UTC")


def progress(text: str, *, first: bool = False) -> None:
    """A line that the next one takes the place of; where there is no terminal, the first one only."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\033[K{text}")
        sys.stdout.flush()
    elif first:
        say(text)
