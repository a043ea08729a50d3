"""Environments of their own for the foreign programs that tests are measured against, made once and kept.

Each lies in `.venv-NAME` at the top of the repository, is made from the hashed `requirements-NAME.txt` beside this
file, and is made again when that file or the Python changes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUPPORTED = ((3, 11), (3, 12))  # syftbox 0.4.0 does not install on 3.13


class EnvironmentMissingError(Exception):
    """An environment cannot be made here; the message says why and what to do."""


def python_of(name: str) -> Path:
    """The interpreter of environment `name`, made first if need be (half a minute for `syftbox`)."""
    folder = ROOT / f".venv-{name}"
    requirements = Path(__file__).with_name(f"requirements-{name}.txt")
    base = _base()
    wanted = hashlib.sha256(requirements.read_bytes() + base.encode()).hexdigest()
    stamp = folder / "stamp"
    folder.mkdir(exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once make it once
        if not stamp.exists() or stamp.read_text() != wanted:
            _make(base, folder, requirements)
            stamp.write_text(wanted)
    finally:
        os.close(lock)
    return folder / "bin" / "python"


def _base() -> str:
    if sys.version_info[:2] in SUPPORTED:
        return sys.executable
    for major, minor in SUPPORTED:
        found = shutil.which(f"python{major}.{minor}")
        if found:
            return found
    raise EnvironmentMissingError("no Python 3.11 or 3.12 found, which syftbox 0.4.0 needs: install one")


def _make(base: str, folder: Path, requirements: Path) -> None:
    python = folder / "bin" / "python"
    _run([base, "-m", "venv", "--clear", str(folder)])
    _run([str(python), "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "-r", str(requirements)])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise EnvironmentMissingError(f"{' '.join(command)} failed:\n{done.stderr[-2_000:]}")
