"""Collector and publisher as two processes of one user, where there is no Docker engine. Nothing keeps them apart.

They are the same programs as in the two images, in a virtual environment made from the same pinned requirements.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import up
from configure import ConfigureError, place_of
from engine import ROOT, say

if TYPE_CHECKING:
    from configure import Place

VENV = ROOT / ".venv-app"
PACKAGES = ("collector", "publisher")
NOTICE = (
    "no Docker engine answers: ISOLATION IS OFF. Collector and publisher run as two processes of one user, so what sees"
    " this computer's processes is not kept apart from what writes into the network. With Docker it would be:"
    " install it, and start the app again"
)
STOP_SECONDS = 2.0  # less than the three that a client waits before it kills


class Over(Protocol):
    """What says when to end."""

    def wait(self, seconds: float) -> bool:
        """Wait that long, or until it is over. True if it is."""


def run(values: dict[str, str], watch: Over) -> int:
    """Run both until told to stop (0), or until one of them ends by itself (1).

    Raises:
        ConfigureError: there is no datasite, it is somebody else's, or no virtual environment can be made.
    """
    say(NOTICE)
    place = own_place(values)
    if "mode container" in _text(place.data_dir / "private" / "cpu_tracker" / "lock"):
        raise ConfigureError(
            "this datasite's ledger is kept by the containers, and no Docker engine answers: start it. To go on without"
            " containers for good: ./run.sh ledger accept ledger_other_mode"
        )
    python = make_venv()
    with tempfile.TemporaryDirectory(prefix="cpu_tracker-") as runtime:  # 0700: nobody else reaches the socket
        pair = [start(python, name, place, Path(runtime), values) for name in PACKAGES]
        try:
            while not watch.wait(1):
                if ended := [name for name, one in zip(PACKAGES, pair, strict=True) if one.poll() is not None]:
                    raise ConfigureError(f"{', '.join(ended)} ended by itself; the log above says why")
            return 0
        finally:
            stop(pair)


def command(words: list[str], values: dict[str, str]) -> int:
    """A command of the publisher, as this user. Returns its exit code."""
    environ = environment("publisher", own_place(values), Path(tempfile.gettempdir()), values)
    module = [str(make_venv()), "-m", "cpu_publisher", *words]
    return subprocess.run(module, env=environ, check=False).returncode


def own_place(values: dict[str, str]) -> Place:
    """The datasite, which must be this user's, with the folders in it that are written to.

    Raises:
        ConfigureError: there is none, or it is somebody else's.
    """
    place = place_of(values)
    if place is None:
        raise ConfigureError(
            "no SyftBox datasite was found, and without a Docker engine there is nothing to fall back on"
        )
    owner = up.owner_of(place)
    if owner[0] != os.getuid():
        raise ConfigureError(f"{place.datasite} belongs to uid {owner[0]}: run as that user")
    for folder, mode in place.folders(mirror=mirrored(values)):
        if not folder.exists():
            up.make_folder(folder, mode, owner)
    return place


def mirrored(values: dict[str, str]) -> bool:
    """Whether the opt-in mirror is chosen: the same choice as with containers."""
    return "compose.mirror.yml" in values.get("COMPOSE_FILE", "")


def environment(name: str, place: Place, runtime: Path, values: dict[str, str]) -> dict[str, str]:
    """The whole environment of one of the two: its own settings, and what the images fix otherwise."""
    uid = str(os.getuid())
    fixed = {"ISOLATION": "off", "SOCKET": f"{runtime}/collector.sock", "HEARTBEAT": f"{runtime}/{name}.heartbeat"}
    if name == "collector":
        fixed["PUBLISHER_UID"] = uid
    else:
        fixed |= {
            "COLLECTOR_UID": uid,
            "DATASITE_DIR": str(place.datasite),
            "PRIVATE_DIR": str(place.data_dir / "private" / "cpu_tracker"),
            "PORT": values.get("CPUTRACKER_HOST_PORT") or str(up.HOST_PORT),
            "MIRROR": "on" if mirrored(values) else "off",
        }
    names = known(name)
    given = {key: text for key, text in values.items() if key in names}
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT / name),
        "PYTHONDONTWRITEBYTECODE": "1",
        **given,
        **{f"CPUTRACKER_{key}": text for key, text in fixed.items()},
    }


def known(name: str) -> tuple[str, ...]:
    """The settings of one of the two packages."""
    sys.path.append(str(ROOT / name))
    module = __import__(f"cpu_{name}.settings", fromlist=["NAMES"])
    names: tuple[str, ...] = module.NAMES
    return names


def start(python: Path, name: str, place: Place, runtime: Path, values: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start one of the two; it writes to the same log as this process."""
    return subprocess.Popen(
        [python, "-m", f"cpu_{name}", "run"], env=environment(name, place, runtime, values), cwd="/"
    )


def stop(pair: list[subprocess.Popen[bytes]]) -> None:
    """SIGTERM to both, and SIGKILL to who has not gone in time."""
    for one in pair:
        one.terminate()
    for one in pair:
        with suppress(subprocess.TimeoutExpired):
            one.wait(STOP_SECONDS)
        one.kill()
        one.wait()


def make_venv() -> Path:
    """The interpreter of a virtual environment with the pinned requirements of both, made if need be.

    Raises:
        ConfigureError: it cannot be made; carries what was said.
    """
    python, stamp = VENV / "bin" / "python", VENV / "stamp"
    files = [ROOT / name / "requirements.txt" for name in PACKAGES]
    wanted = sys.version + "".join(file.read_text(encoding="utf-8") for file in files)
    if _text(stamp) == wanted:
        return python
    say(f"making {VENV}, once")
    shutil.rmtree(VENV, ignore_errors=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "10"]
    for words in (
        [sys.executable, "-m", "venv", str(VENV)],
        [*pip, "--require-hashes", *(word for file in files for word in ("-r", str(file)))],
    ):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            hint = " (Debian: apt-get install python3-venv)" if "ensurepip" in done.stdout + done.stderr else ""
            raise ConfigureError(
                f"no virtual environment could be made{hint}:\n{(done.stderr or done.stdout)[-1_000:]}"
            )
    stamp.write_text(wanted, encoding="utf-8")
    return python


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
