"""The published files: whole or not at all, in our own folder and nowhere else."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.aggregator.sites import HOUR, SLOT

from cpu_aggregator import publish
from cpu_aggregator.errors import PublishError
from cpu_aggregator.view import Estimate, Point

PACKAGE = Path(__file__).parents[3] / "aggregator"


def points(count: int) -> list[Point]:
    return [
        Point(SLOT + number * HOUR, HOUR, 12, Estimate(-1.5 + number, 1, 2, 7.3, 9, 3, 2.9)) for number in range(count)
    ]


def document(count: int, peers: list[str] | None = None) -> dict[str, object]:
    content = publish.document(points(count), policy=["hour"], words="words", minimum=10, peers=peers)
    return dict(json.loads(content))


def test_items_are_the_last_360_and_not_clamped() -> None:
    items = document(400)["items"]
    assert isinstance(items, list)
    assert len(items) == 360
    assert document(1)["items"] == [{"cpu": -1.5, "timestamp": "2026-11-24 13:00:00"}]


def test_peers_stand_there_only_when_given() -> None:
    assert "peers" not in document(1)
    assert document(1, ["a@example.com", "<b>\n"])["peers"] == ["a@example.com", "<b>\n"]


def test_a_file_is_replaced_whole_and_readable(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        publish.write(tmp_path, "x.json", b"one")
        publish.write(tmp_path, "x.json", b"two")
    finally:
        os.umask(before)
    path = tmp_path / "x.json"
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_content_is_not_written_again(tmp_path: Path) -> None:
    publish.write(tmp_path, "x.json", b"one")
    before = (tmp_path / "x.json").stat().st_ino
    publish.write(tmp_path, "x.json", b"one")
    assert (tmp_path / "x.json").stat().st_ino == before


def test_a_link_in_its_place_is_replaced_and_its_target_untouched(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"one")
    folder = tmp_path / "public"
    folder.mkdir()
    (folder / "x.json").symlink_to(target)
    publish.write(folder, "x.json", b"two")
    assert target.read_bytes() == b"one"
    assert not (folder / "x.json").is_symlink()


def test_a_link_as_folder_and_a_missing_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("link", "missing"):
        with pytest.raises(PublishError, match="give it to this user"):
            publish.write(tmp_path / name, "x.json", b"two")


def test_temp_names_end_in_tmp_and_leftovers_of_a_kill_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leftover = tmp_path / ".x.json.0123456789abcdef.tmp"
    leftover.write_bytes(b"half")
    seen: list[str] = []
    real = os.rename

    def rename(source: str, target: str, **folders: int) -> None:
        seen.append(source)
        real(source, target, **folders)

    monkeypatch.setattr(os, "rename", rename)
    publish.write(tmp_path, "x.json", b"two")
    assert seen[0].startswith(".x.json.")
    assert seen[0].endswith(".tmp")
    assert not leftover.exists()


def test_a_full_disk_leaves_the_last_result(tmp_path: Path) -> None:
    """No byte beyond a limit can be written: what a full disk does to a write, without one."""
    publish.write(tmp_path, "x.json", b"one")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from cpu_aggregator import publish\n"
        "from cpu_aggregator.errors import PublishError\n"
        "try: publish.write(Path(sys.argv[2]), 'x.json', b'two' * 100_000)\n"
        "except PublishError as error: print(error)\n"
    )

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096))

    command = [sys.executable, "-S", "-B", "-c", program, str(PACKAGE), str(tmp_path)]
    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, check=True)
    assert "free disk space" in done.stdout
    assert (tmp_path / "x.json").read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [tmp_path / "x.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"slot": "x"}', b'{"items": []}'])
def test_an_unreadable_publication_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / publish.JSON_NAME).write_bytes(content)
    assert publish.published_slot(tmp_path) is None
