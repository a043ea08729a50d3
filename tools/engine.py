"""Docker and Compose by their command lines, and the messages for a person where one of them is not as it must be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from configure import ConfigureError

ROOT = Path(__file__).resolve().parent.parent
NO_ENGINE = """No Docker engine answers, and the two containers need one.
  Debian, Ubuntu: sudo apt-get install docker.io && sudo systemctl start docker
                  (then `sudo make up`, or add yourself to the group `docker`)
  elsewhere:      install Docker Engine or Docker Desktop and start it
Then run `make up` again."""


def run(*words: str, check: bool = True, quiet: bool = True, env: dict[str, str] | None = None) -> str:
    """Run a command; its output, or with `quiet=False` straight to the terminal.

    Raises:
        ConfigureError: it failed; carries the end of what it said.
    """
    done = subprocess.run(
        words,
        cwd=ROOT,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.PIPE if quiet else None,
        env={**os.environ, **(env or {})},
    )
    if check and done.returncode:
        tail = "\n".join(((done.stderr or "") + (done.stdout or "")).strip().splitlines()[-15:])
        raise ConfigureError(f"`{' '.join(words[:4])}` failed:\n{tail}")
    return done.stdout or ""


def compose(*words: str, check: bool = True, quiet: bool = True, env: dict[str, str] | None = None) -> str:
    """Compose, whichever this machine has."""
    return run(str(ROOT / "tools" / "compose"), *words, check=check, quiet=quiet, env=env)


def require_engine() -> None:
    """Say what is missing before anything is changed.

    Raises:
        ConfigureError: no engine answers, or it is rootless.
    """
    try:
        answer = json.loads(run("docker", "info", "--format", "{{json .}}"))
    except (FileNotFoundError, ConfigureError, ValueError):
        raise ConfigureError(NO_ENGINE) from None
    if answer.get("ServerErrors") or "ServerVersion" not in answer:
        raise ConfigureError(NO_ENGINE)
    if any("rootless" in option for option in answer.get("SecurityOptions") or ()):
        raise ConfigureError(
            "Rootless Docker is not supported: in it your own user is uid 0, and the two containers could only be kept"
            " apart by two user ids outside it. Use Docker Engine with its own daemon."
        )


def base_image(suite: str = "trixie") -> str:
    """The base image to build on: a local one, the public one, or one made here where no registry answers."""
    public, local = f"debian:{suite}-slim", f"cpu-tracker-base:{suite}"
    for image in (public, local):
        if has_image(image):
            return image
    say(f"getting the base image {public}")
    try:
        pulled = subprocess.run(
            ["docker", "pull", "--quiet", public], check=False, capture_output=True, timeout=120, cwd=ROOT
        )
        if pulled.returncode == 0:
            return public
    except subprocess.TimeoutExpired:
        say("the registry does not answer")
    say(f"no registry: making {local} with mmdebstrap")
    run(str(ROOT / "tools" / "base-image"), local, suite)
    return local


def has_image(name: str) -> bool:
    """Whether the engine has this image."""
    return bool(run("docker", "images", "--quiet", name).strip())


def states() -> dict[str, dict[str, Any]]:
    """Each container of the project by its service: what Compose says of it."""
    lines = compose("ps", "--all", "--format", "json", check=False).splitlines()
    return {entry["Service"]: entry for entry in map(json.loads, lines) if isinstance(entry, dict)}


def say(text: str) -> None:
    """One line to the person who typed make."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
