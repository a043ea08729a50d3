"""A real pair of containers for tests: random project name, short slots, and nothing of it left at the end."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import docker
import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker.models.containers import Container

ROOT = Path(__file__).resolve().parents[2]
OWNER = 10_001
EMAIL = "alice@example.com"
SHORT = {
    "CPUTRACKER_SAMPLE_SECONDS": "1",
    "CPUTRACKER_SLOT_SECONDS": "5",
    "CPUTRACKER_READINGS": "5",
    "CPUTRACKER_INTERVAL_MS": "20",
    "CPUTRACKER_PUBLISH_DELAY_SECONDS": "0.5",
}
IMAGES = "ctt-images"  # images are built once under this project's name and used by every test project
RUN = f"ctt-{secrets.token_hex(3)}"  # begins the name of everything that this run puts on the engine
LABEL = "com.docker.compose.project"
T = TypeVar("T")
NO_ENGINE = "no Docker engine answers: these tests need one (tools/ci-prepare starts it)"


def engine() -> docker.DockerClient:
    """The engine; a test without one fails with one clear line."""
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except (docker.errors.DockerException, requests.RequestException):
        pytest.fail(NO_ENGINE, pytrace=False)
    return client


def build(tool: str) -> None:
    """Build images as that module of tools/ does, one worker of the tests at a time: the next finds them built."""
    lock = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [sys.executable, "-c", f"import {tool}; {tool}.build()"],
            cwd=ROOT / "tools",
            env={**os.environ, "CPUTRACKER_IMAGES": IMAGES, "CPUTRACKER_PROJECT": IMAGES},
            check=False,
            capture_output=True,
            text=True,
            timeout=900,
        )
    finally:
        os.close(lock)
    if done.returncode:
        pytest.fail(f"the images cannot be built:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}", pytrace=False)


def until(what: str, ask: Callable[[], T | None], seconds: float = 30, logs: Callable[[], str] = str) -> T:
    """The first true answer of `ask`; after `seconds` the test fails and shows the containers' logs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.1)
    pytest.fail(f"{what} did not come true within {seconds} s\n{logs()}", pytrace=False)


class Pair:
    """Collector and publisher as `docker compose up` starts them.

    Attributes:
        project: its random name.
        data_dir: a SyftBox folder on the host, owned by OWNER; None for the embedded default.
        url: where its pages are.
    """

    def __init__(self, client: docker.DockerClient, data_dir: Path | None, **settings: str) -> None:
        self.client = client
        self.project = f"{RUN}-{secrets.token_hex(3)}"
        self.data_dir = data_dir
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        place = {}
        if data_dir:
            place = {
                "CPUTRACKER_DATA_DIR": str(data_dir),
                "CPUTRACKER_EMAIL": EMAIL,
                "CPUTRACKER_UID": str(OWNER),
                "CPUTRACKER_GID": str(OWNER),
            }
        kept = {name: text for name, text in os.environ.items() if not name.startswith("CPUTRACKER_")}
        own = {"CPUTRACKER_PROJECT": self.project, "CPUTRACKER_HOST_PORT": str(port), "CPUTRACKER_IMAGES": IMAGES}
        self.environ = {**kept, **place, **settings, **own}

    @property
    def datasite(self) -> Path:
        assert self.data_dir
        return self.data_dir / "datasites" / EMAIL

    @property
    def public(self) -> Path:
        return self.datasite / "app_data" / "cpu_tracker" / "cpu_tracker.json"

    @property
    def private(self) -> Path:
        assert self.data_dir
        return self.data_dir / "private" / "cpu_tracker"

    def compose(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run Compose on this project, without the .env of the work tree."""
        done = subprocess.run(
            [ROOT / "tools" / "compose", "--env-file", os.devnull, *words],
            env=self.environ,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if check and done.returncode:
            pytest.fail(f"compose {' '.join(words)}:\n{done.stderr}\n{self.logs()}", pytrace=False)
        return done

    def container(self, service: str) -> Container:
        """The container of a service, freshly inspected."""
        found = self.client.containers.list(
            all=True,
            ignore_removed=True,
            filters={"label": [f"{LABEL}={self.project}", f"com.docker.compose.service={service}"]},
        )
        assert found, f"no container {service}"
        return found[0]

    def logs(self) -> str:
        """What both say."""
        found = self.client.containers.list(all=True, ignore_removed=True, filters={"label": f"{LABEL}={self.project}"})
        return "\n".join(f"--- {c.name}\n{c.logs(tail=40).decode(errors='replace')}" for c in found)

    def get(self, path: str, **headers: str) -> requests.Response | None:
        """A page, or None while nobody answers."""
        try:
            return requests.get(self.url + path, headers=headers, timeout=5)
        except requests.RequestException:
            return None

    def until(self, what: str, ask: Callable[[], T | None], seconds: float = 30) -> T:
        """Await a condition."""
        return until(what, ask, seconds, self.logs)

    def ready(self, code: int) -> dict[str, Any] | None:
        """What `/readyz` says, once it answers with this code (an answer of 503 is false to `if`)."""
        answer = self.get("/readyz")
        return answer.json() if answer is not None and answer.status_code == code else None

    def body(self) -> dict[str, Any] | None:
        """The public file, or None before the first."""
        return json.loads(self.public.read_bytes()) if self.public.exists() else None

    def released(self, seq: int) -> dict[str, Any] | None:
        """The public file once it is of release `seq` or later."""
        body = self.body()
        return body if body and body["seq"] >= seq else None

    def command(self, *words: str) -> str:
        """A command of the running publisher."""
        return self.compose("exec", "-T", "publisher", "cpu-publisher", *words, check=False).stdout

    def ledger(self) -> dict[str, Any]:
        """The exported ledger."""
        document: dict[str, Any] = json.loads(self.command("ledger", "export"))
        return document

    def host_pid(self, service: str) -> int:
        """Pid of a container's first process, as the host sees it; 0 while it does not run."""
        return int(self.client.api.inspect_container(str(self.container(service).id))["State"]["Pid"])

    def kill(self, service: str) -> int:
        """SIGKILL by host pid, as the kernel would: `docker kill` is not followed by a restart. Returns the pid."""
        pid = self.until(f"{service} runs", lambda: self.host_pid(service))
        os.kill(pid, signal.SIGKILL)
        return pid

    def remove(self) -> None:
        """Take everything of this project off the engine."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "2", check=False)


def make_data_dir(path: Path) -> Path:
    """A SyftBox folder of OWNER with the folders that `make up` makes."""
    for folder, mode in (
        (path, 0o755),
        (path / "datasites", 0o755),
        (path / "datasites" / EMAIL, 0o755),
        (path / "datasites" / EMAIL / "app_data", 0o755),
        (path / "datasites" / EMAIL / "app_data" / "cpu_tracker", 0o755),
        (path / "private", 0o755),
        (path / "private" / "cpu_tracker", 0o700),
    ):
        folder.mkdir()
        os.chown(folder, OWNER, OWNER)
        folder.chmod(mode)
    return path


@contextmanager
def started(client: docker.DockerClient, data_dir: Path | None, **settings: str) -> Iterator[Pair]:
    """A pair that is up, and gone afterwards."""
    pair = Pair(client, data_dir, **settings)
    try:
        pair.compose("up", "--detach", "--no-build")
        yield pair
    finally:
        pair.remove()
        if data_dir:
            shutil.rmtree(data_dir, ignore_errors=True)
