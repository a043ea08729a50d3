"""This repository as a SyftBox app: a plain copy somewhere, the datasite it finds, and the processes it starts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from tests.integration.pair import EMAIL, OWNER, ROOT, SHORT, make_data_dir, until

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "/usr/local/bin:/usr/bin:/bin"
PUBLIC = f"datasites/{EMAIL}/app_data/cpu_tracker/cpu_tracker.json"
STOP_SECONDS = 3  # what a client waits before it kills


@contextmanager
def room() -> Iterator[Path]:
    """A folder of the SyftBox user, who can reach it; gone afterwards, with every process of theirs that runs in it."""
    base = Path(tempfile.mkdtemp(prefix="cpu-tracker-app-"))
    base.chmod(0o755)
    try:
        yield base
    finally:
        for pid in processes(base):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(base, ignore_errors=True)


def copy_app(target: Path, data_dir: Path, venv: Path | None = None, **settings: str) -> Path:
    """A plain copy of what is in the repository, owned by the SyftBox user, with a .env of short slots."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # as it is committed next
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    place = {
        "CPUTRACKER_DATA_DIR": str(data_dir),
        "CPUTRACKER_EMAIL": EMAIL,
        "CPUTRACKER_UID": str(OWNER),
        "CPUTRACKER_GID": str(OWNER),
        "CPUTRACKER_HOST_PORT": str(free_port()),
    }
    lines = [f"{name}={text}\n" for name, text in {**place, **SHORT, **settings}.items()]
    (target / ".env").write_text("".join(lines))
    give(target)
    if venv:
        (target / ".venv-app").symlink_to(venv)
    return target


def make_site(path: Path) -> Path:
    """A SyftBox folder as a client makes it: nothing of ours in it."""
    make_data_dir(path)
    shutil.rmtree(path / "private")
    shutil.rmtree(path / "datasites" / EMAIL / "app_data")
    return path


def give(folder: Path) -> None:
    """Everything in it to the SyftBox user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, OWNER, OWNER, follow_symlinks=False)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(command: list[str], folder: Path, log: Path, **environ: str) -> subprocess.Popen[bytes]:
    """Start an app as its client would: as the SyftBox user, with a small environment, into a log."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={"HOME": str(folder), "PATH": PATH, **environ},
            stdout=output,
            stderr=output,
            user=OWNER,
            group=OWNER,
            extra_groups=[],
            start_new_session=True,
        )


def processes(base: Path) -> list[int]:
    """The SyftBox user's processes that have something below `base` in their working folder or environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if entry.stat().st_uid != OWNER:
                continue
            text = (entry / "environ").read_bytes() + bytes((entry / "cwd").readlink())
        except OSError:
            continue
        if str(base).encode() in text:
            found.append(int(entry.name))
    return found


def body(data_dir: Path) -> dict[str, Any] | None:
    """The public file, or None."""
    path = data_dir / PUBLIC
    return json.loads(path.read_bytes()) if path.exists() else None


def published(data_dir: Path, log: Path, seconds: float = 90) -> dict[str, Any]:
    """The public file, once there is one (a virtual environment may have to be made first)."""
    return until("a publication", lambda: body(data_dir), seconds, lambda: log.read_text() if log.exists() else "")


def ready(app: Path) -> dict[str, Any]:
    """What the page of an app says in /readyz."""
    port = next(line for line in (app / ".env").read_text().splitlines() if "HOST_PORT" in line).partition("=")[2]
    document: dict[str, Any] = requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).json()
    return document
