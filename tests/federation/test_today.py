"""Today's SyftBox (syft-rds 0.6.1): a real owner and aggregator on its own mock drive carry the real pair's file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.federation.app import give
from tests.federation.environments import python_of
from tests.integration.pair import EMAIL, SHORT, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    import docker

AGGREGATOR = "aggregator@openmined.org"
FILE = f"{EMAIL}/app_data/cpu_tracker/cpu_tracker.json"


class Today:
    """Both clients, in one process of their own environment; the owner's SyftBox folder is flat."""

    def __init__(self, base: Path) -> None:
        self.folder = base / "SyftBox"
        words = [python_of("syft10"), Path(__file__).with_name("today.py"), self.folder, base / "aggregator"]
        self._process = subprocess.Popen(
            [*map(str, words), EMAIL, AGGREGATOR],
            env={"PATH": os.defpath, "HOME": str(base), "SYFTBOX_DISABLE_TELEMETRY": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._answer() == "ready"

    def sync(self) -> dict[str, str]:
        """Let both sync; what the aggregator then has of the owner."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: dict[str, str] = self._answer()
        return found

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> Any:  # noqa: ANN401 - JSON
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())


@pytest.fixture
def today() -> Iterator[Today]:
    """Owner and aggregator, and the folders that the pair writes to."""
    base = Path(tempfile.mkdtemp(prefix="cpu-tracker-today-"))
    base.chmod(0o755)
    today = Today(base)
    for folder, mode in ((today.folder / FILE, 0o755), (today.folder / "private" / "cpu_tracker" / "x", 0o700)):
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.parent.chmod(mode)
    give(today.folder)
    yield today
    today.close()
    shutil.rmtree(base)


def test_each_release_and_nothing_else_arrives_until_it_is_revoked(
    client: docker.DockerClient, images: str, today: Today
) -> None:
    pair = Pair(client, today.folder, **SHORT, CPUTRACKER_LAYOUT="flat")
    public = today.folder / FILE
    try:
        pair.compose("up", "--detach", "--no-build")
        for _ in range(2):
            seq = json.loads(public.read_text())["seq"] if public.exists() else 0
            pair.until("the next release", lambda seq=seq: newer(public, seq))  # type: ignore[misc] # bound per turn
            before = public.read_text()
            found = today.sync()
            assert set(found) == {FILE}  # no permission file, no ledger, no history, no raw mean
            assert found[FILE] in (before, public.read_text())
        pair.environ["CPUTRACKER_AGGREGATORS"] = "other@example.com"
        pair.compose("up", "--detach", "--no-build", "publisher")
        last = json.loads(found[FILE])["seq"]
        pair.until("a release for somebody else", lambda: newer(public, last))
        assert json.loads(today.sync()[FILE])["seq"] == last  # what it had stays with it; nothing new comes
    finally:
        pair.remove()


def newer(public: Path, seq: int) -> bool:
    """Whether the file is of a later release."""
    return public.exists() and json.loads(public.read_text())["seq"] > seq
