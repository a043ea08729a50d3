"""`make up`: from a fresh clone to a published value, or to the reason why not. It never waits for ever."""

from __future__ import annotations

import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from configure import ConfigureError, Place, check, check_owner, env_text, find_place, known_names, parse_env, place_of
from engine import ROOT, base_image, compose, require_engine, say, states

ENV = ROOT / ".env"
NOT_YET = 3  # exit code: everything was started, but nothing is published (and why was said)
STEADY_SECONDS = 12  # how long a fatal reason must stand before it is believed
START_SECONDS = 45  # what containers and the first window may take on a slow machine


def main() -> int:
    """Run it. Returns the exit code."""
    try:
        require_engine()
        values = settings()
        prepare(place_of(values), values)
        build()
        if states().get("publisher", {}).get("State") != "running":
            say("\n" + compose("run", "--rm", "--no-deps", "-T", "publisher", "preview", "--consent").strip() + "\n")
        compose("up", "--detach", "--no-build", "--quiet-pull", "--remove-orphans")
        return wait(values)
    except ConfigureError as error:
        sys.stderr.write(f"make up: {error}\n")
        return 1


def settings() -> dict[str, str]:
    """The settings in force: .env (written once, if there is none) under the environment.

    Raises:
        ConfigureError: a name is no setting, or a value is not allowed.
    """
    given = {name: text for name, text in os.environ.items() if name.startswith("CPUTRACKER_")}
    if not ENV.exists():
        place = None if given.get("CPUTRACKER_DATA_DIR") else find_place(home(), os.environ)
        if place:
            check_owner(place, owner_of(place), {})
        ENV.write_text(env_text(place, owner_of(place) if place else None), encoding="utf-8")
        what = f"the datasite {place.datasite}" if place else "the embedded default, no SyftBox found"
        say(f"wrote {ENV.name}: {what}")
    values = {**parse_env(ENV.read_text(encoding="utf-8")), **given}
    check(values, known_names((ROOT / ".env.example").read_text(encoding="utf-8")))
    return values


def owner_of(place: Place) -> tuple[int, int]:
    """Uid and gid of a datasite."""
    status = place.datasite.stat()
    return status.st_uid, status.st_gid


def home() -> Path:
    """The home of the person: under sudo, of who typed it."""
    return Path(f"~{os.environ.get('SUDO_USER', '')}").expanduser()


def prepare(place: Place | None, values: dict[str, str]) -> None:
    """Make the folders that are mounted, as the datasite's owner.

    Raises:
        ConfigureError: the publisher must not run as the datasite's owner, or a folder cannot be made.
    """
    if place is None:
        return
    owner = owner_of(place)
    check_owner(place, owner, values)
    for folder, mode in place.folders:
        if folder.is_symlink():
            raise ConfigureError(f"{folder} is a link: replace it by a folder")
        try:
            if not folder.exists():
                folder.mkdir(mode=mode)
                os.chown(folder, *owner)
                folder.chmod(mode)
        except OSError as error:
            raise ConfigureError(f"cannot make {folder}: {error.strerror}; make it as the datasite's owner") from None


def build() -> None:
    """Build what is not built; the engine's cache makes a second time short."""
    say("building the two images (the first time takes a minute or two)")
    compose("build", "--quiet", env={"BASE_IMAGE": base_image(), "DOCKER_BUILDKIT": "0"})


def wait(values: dict[str, str]) -> int:
    """Until something is published, something is wrong, or the time that the settings need is over."""
    address = f"http://127.0.0.1:{values.get('CPUTRACKER_HOST_PORT') or 8765}"
    limit = (
        START_SECONDS
        + 2 * seconds(values, "PUBLISH_DELAY_SECONDS", 10)
        + min(60, seconds(values, "SAMPLE_SECONDS", 60))
    )
    started, wrong_since = time.monotonic(), 0.0
    while (passed := time.monotonic() - started) < limit:
        progress(f"waiting for the first publication: {passed:.0f} s of at most {limit:.0f}")
        if gone := [
            name for name, entry in states_now(passed).items() if entry.get("State") in ("exited", "dead", "restarting")
        ]:
            progress("")
            return trouble(
                f"{', '.join(gone)} does not stay up", compose("logs", "--no-color", "--tail", "8", *gone, check=False)
            )
        metrics, notes = get(f"{address}/metrics"), fatal(get(f"{address}/readyz"))
        wrong_since = (wrong_since or time.monotonic()) if notes else 0.0
        if wrong_since and time.monotonic() - wrong_since > STEADY_SECONDS:
            progress("")
            return trouble("nothing can be published", "\n".join(notes))
        if re.search(r"^cputracker_last_release_seq \d", metrics, re.MULTILINE) and not notes:
            progress("")
            return report(address)
        time.sleep(0.5)
    progress("")
    return trouble(
        f"nothing was published within {limit:.0f} s, though both containers run", f"see {address}/ and `make logs`"
    )


def report(address: str) -> int:
    """What was published, how sure it is, when the next is due and where to look."""
    status: dict[str, Any] = json.loads(
        compose("exec", "-T", "publisher", "cpu-publisher", "status", "--json", check=False)
    )
    last = status["last"]
    coarse = " (the first window alone: coarse; the hour's mean is exacter)" if last["kind"] == "first" else ""
    value = f"{last['cpu']:.1f} % ± {last['error95_pp']:.0f} points (95 %)"
    say(f"published  {value}, slot of {clock(last['slot'])}{coarse}")
    say(f"next       due {clock(status['next_due'])}" if status["next_due"] else f"state      {status['state']}")
    say(f"file       {status['public_path']} in the container" + (" (embedded default)" if status["embedded"] else ""))
    say(f"page       {address}/")
    return 0


def trouble(what: str, why: str) -> int:
    """Say it, and how to look further."""
    sys.stderr.write(f"make up: {what}:\n{why.strip()}\n")
    return NOT_YET


def fatal(body: str) -> list[str]:
    """The reasons in a /readyz that is not ready; a collector that is still starting is none."""
    try:
        document = json.loads(body)
    except ValueError:
        return []
    if document.get("status") != "fail":
        return []
    return [
        check["output"] for checks in document["checks"].values() for check in checks if check.get("status") == "fail"
    ]


def get(url: str) -> str:
    """A page of the publisher, whatever its status; empty while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=3) as reply:
            return str(reply.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
    except OSError:
        return ""


def states_now(passed: float) -> dict[str, dict[str, Any]]:
    """The containers' states, asked for only now and then: each question starts a process."""
    return states() if passed % 5 < 0.6 else {}  # noqa: PLR2004 - about one turn in ten


def seconds(values: dict[str, str], name: str, default: float) -> float:
    """A setting as seconds."""
    return float(values.get(f"CPUTRACKER_{name}") or default)


def clock(unix: float) -> str:
    """A moment for a person."""
    return datetime.fromtimestamp(unix, UTC).strftime("%H:%M:%S UTC")


def progress(text: str) -> None:
    """One line that is written over, on a terminal only."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\033[K{text}")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
