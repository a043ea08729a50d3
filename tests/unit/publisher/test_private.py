"""The private folder: where it may lie, whose it is, who holds it, and that nothing in it opens to anybody."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cpu_publisher.errors import FolderError, LockedError
from cpu_publisher.private import PrivateFolder

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = Path(__file__).parents[3] / "publisher"


@pytest.fixture
def private(tmp_path: Path) -> PrivateFolder:
    root = tmp_path / "private" / "cpu_tracker"
    root.mkdir(parents=True, mode=0o755)
    return PrivateFolder(root)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_made_0700(private: PrivateFolder) -> None:
    assert mode(private.folder.path) == 0o700


def test_everything_in_it_is_0600_whatever_the_umask(private: PrivateFolder) -> None:
    old = os.umask(0)
    try:
        private.save(b'{"cpu": 1}', 1_790_000_000_000)
        private.set_paused(True)
        lock = private.lock()
    finally:
        os.umask(old)
    names = {path.name: mode(path) for path in private.folder.path.iterdir()}
    lock.release()
    assert names == dict.fromkeys(["cpu_tracker.json", "lock", "paused", "syft.pub.yaml", "syftperm.yaml"], 0o600)
    assert (private.folder.path / "cpu_tracker.json").stat().st_mtime_ns == 1_790_000_000 * 10**9


def test_the_raw_mean_is_never_without_permission_files_beside_it(
    private: PrivateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    write = private.folder.write

    def note(name: str, data: bytes, *, mode: int, mtime_ms: int | None = None) -> None:
        order.append(name)
        write(name, data, mode=mode, mtime_ms=mtime_ms)

    monkeypatch.setattr(private.folder, "write", note)
    private.save(b"1", 0)
    assert order == ["syft.pub.yaml", "syftperm.yaml", "cpu_tracker.json"]
    order.clear()
    private.save(b"2", 0)
    assert order == ["cpu_tracker.json"]


@pytest.mark.parametrize("name", ["cpu_tracker.json", "lock", "paused"])
def test_a_planted_link_redirects_nothing(private: PrivateFolder, tmp_path: Path, name: str) -> None:
    target = tmp_path / "outside"
    target.write_text("outside")
    (private.folder.path / name).symlink_to(target)
    acts: dict[str, Callable[[], object]] = {
        "cpu_tracker.json": lambda: private.save(b"12.34", 0),
        "lock": private.lock,
        "paused": lambda: private.set_paused(True),
    }
    if name == "lock":
        with pytest.raises(FolderError, match="lock"):
            acts[name]()
    else:
        acts[name]()
    assert target.read_text() == "outside"


def test_a_link_on_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real" / "cpu_tracker").mkdir(parents=True)
    (tmp_path / "private").symlink_to(tmp_path / "real")
    with pytest.raises(FolderError, match="is a link"):
        PrivateFolder(tmp_path / "private" / "cpu_tracker")


@pytest.mark.parametrize(
    "where", ["datasites/alice@example.com/private/cpu_tracker", "SyftBox/alice@example.com/private/cpu_tracker"]
)
def test_a_place_that_syncs_is_refused(tmp_path: Path, where: str) -> None:
    (tmp_path / where).mkdir(parents=True)
    with pytest.raises(FolderError, match="would sync"):
        PrivateFolder(tmp_path / where)


@pytest.mark.parametrize("name", ["syft.pub.yaml", "syftperm.yaml"])
def test_a_place_below_a_permission_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "x" / "private").mkdir(parents=True)
    (tmp_path / "x" / name).write_text("rules: []\n")
    with pytest.raises(FolderError, match=name):
        PrivateFolder(tmp_path / "x" / "private")


def test_a_home_named_after_an_address_is_fine(tmp_path: Path) -> None:
    (tmp_path / "alice@corp.example" / "private").mkdir(parents=True)
    PrivateFolder(tmp_path / "alice@corp.example" / "private")


def test_somebody_elses_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p").mkdir()
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(FolderError, match=rf"belongs to uid {uid}, the publisher runs as {uid + 1}"):
        PrivateFolder(tmp_path / "p")


def test_pause_is_a_flag_that_survives(private: PrivateFolder) -> None:
    assert not private.is_paused()
    private.set_paused(True)
    assert PrivateFolder(private.folder.path).is_paused()
    private.set_paused(False)
    private.set_paused(False)
    assert not private.is_paused()


def test_the_second_publisher_is_told_who_holds_the_lock(private: PrivateFolder) -> None:
    lock = private.lock("app")
    with pytest.raises(LockedError, match=rf"pid {os.getpid()}, mode app"):
        PrivateFolder(private.folder.path).lock()
    lock.release()
    again = PrivateFolder(private.folder.path).lock("container")
    assert (private.folder.path / "lock").read_text() == f"pid {os.getpid()}, mode container\n"
    again.release()


def test_the_lock_ends_with_its_process_however_it_ends(private: PrivateFolder) -> None:
    code = (
        "import sys, time; from pathlib import Path; from cpu_publisher.private import PrivateFolder\n"
        "lock = PrivateFolder(Path(sys.argv[1])).lock(); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(private.folder.path)],
        env={"PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=f"pid {holder.pid}"):
            private.lock()
        holder.kill()
        holder.wait(timeout=10)
    private.lock().release()


def test_a_lock_file_replaced_under_us_is_no_lock(private: PrivateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    flock = fcntl.flock

    def replace_then_lock(fd: int, how: int) -> None:
        (private.folder.path / "lock").unlink()
        (private.folder.path / "lock").write_text("")
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", replace_then_lock)
    with pytest.raises(LockedError, match="replaced"):
        private.lock()
