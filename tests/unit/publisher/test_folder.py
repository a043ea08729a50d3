"""Files written whole or not at all, in folders that no link can redirect."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cpu_publisher.errors import FolderError
from cpu_publisher.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOBODY = 65_534


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with Folder.open(tmp_path / "a" / "b") as opened:
        yield opened


def temps(path: Path) -> list[str]:
    return [name.name for name in path.iterdir() if name.name.endswith(".tmp")]


@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_a_file_has_its_bytes_mode_and_time_whatever_the_umask(folder: Folder, mode: int) -> None:
    old = os.umask(0o077)
    try:
        folder.write("x.json", b"one", mode=mode, mtime_ms=1_790_000_000_123)
    finally:
        os.umask(old)
    found = (folder.path / "x.json").stat()
    assert (folder.path / "x.json").read_bytes() == b"one"
    assert stat.S_IMODE(found.st_mode) == mode
    assert found.st_mtime_ns == 1_790_000_000_123_000_000
    assert temps(folder.path) == []


def test_the_temp_name_ends_in_tmp_and_has_its_mode_before_the_rename(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int, bytes]] = []
    rename = os.rename

    def spy(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        path = folder.path / source
        seen.append((source, stat.S_IMODE(path.stat().st_mode), path.read_bytes()))
        rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "rename", spy)
    folder.write("cpu_tracker.json", b"whole", mode=0o644)
    ((name, mode, data),) = seen
    assert name.startswith(".cpu_tracker.json.")
    assert name.endswith(".tmp")
    assert (mode, data) == (0o644, b"whole")


def test_file_and_folder_are_synced_and_the_file_first(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    fsync, rename = os.fsync, os.rename

    def note_fsync(fd: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        fsync(fd)

    def note_rename(*args: object, **kwargs: object) -> None:
        calls.append("rename")
        rename(*args, **kwargs)  # type: ignore[arg-type] # handed on as they came

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "rename", note_rename)
    folder.write("x", b"1", mode=0o600)
    assert calls == ["file", "rename", "folder"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EXDEV, errno.EIO])
@pytest.mark.parametrize("call", ["write", "fsync", "rename", "fchmod"])
def test_any_error_leaves_the_old_file_no_temp_and_a_named_reason(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, number: int, call: str
) -> None:
    folder.write("x", b"old", mode=0o644)

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        with pytest.raises(FolderError, match=errno.errorcode[number]):
            folder.write("x", b"new", mode=0o644)
    assert (folder.path / "x").read_bytes() == b"old"
    assert temps(folder.path) == []


def test_a_short_write_is_completed(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    folder.write("x", b"0123456789", mode=0o644)
    assert (folder.path / "x").read_bytes() == b"0123456789"


def test_an_empty_file_is_never_written(folder: Folder) -> None:
    with pytest.raises(FolderError, match="empty"):
        folder.write("x", b"", mode=0o644)
    assert folder.names() == ()


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_link_at_any_component_is_refused(tmp_path: Path, depth: int) -> None:
    parts = ["a", "b", "c"]
    (tmp_path / "real" / "a" / "b" / "c").mkdir(parents=True)
    base = tmp_path / "base"
    base.mkdir()
    for part in parts[:depth]:
        base /= part
        base.mkdir()
    (base / parts[depth]).symlink_to((tmp_path / "real").joinpath(*parts[: depth + 1]))
    with pytest.raises(FolderError, match="is a link"):
        Folder.open((tmp_path / "base").joinpath(*parts))


def test_a_link_planted_after_opening_redirects_nothing(folder: Folder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "b"
    elsewhere.mkdir(parents=True)
    (tmp_path / "a").rename(tmp_path / "moved")
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    folder.write("x", b"1", mode=0o600)
    assert list(elsewhere.iterdir()) == []
    assert (tmp_path / "moved" / "b" / "x").read_bytes() == b"1"
    with pytest.raises(FolderError, match="is a link"):
        folder.check_alive()


def test_a_link_in_place_of_the_file_is_replaced_and_its_target_left_alone(folder: Folder, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    (folder.path / "x").symlink_to(target)
    with pytest.raises(FolderError, match="is a link"):
        folder.read("x", 100)
    folder.write("x", b"1", mode=0o644)
    assert target.read_bytes() == b"precious"
    assert not (folder.path / "x").is_symlink()


def test_reading_is_bounded_and_only_of_regular_files(folder: Folder) -> None:
    assert folder.read("absent", 10) is None
    (folder.path / "x").write_bytes(b"0123456789")
    assert folder.read("x", 10) == b"0123456789"
    with pytest.raises(FolderError, match="larger than 9 bytes"):
        folder.read("x", 9)
    os.mkfifo(folder.path / "fifo")
    with pytest.raises(FolderError, match="not a regular file"):
        folder.read("fifo", 10)
    (folder.path / "sub").mkdir()
    with pytest.raises(FolderError, match="sub"):
        folder.read("sub", 10)


def test_a_folder_in_the_way_is_named(folder: Folder) -> None:
    (folder.path / "x").mkdir()
    with pytest.raises(FolderError, match="folder is in the way"):
        folder.write("x", b"1", mode=0o644)
    assert temps(folder.path) == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _: None, "does not exist"),
        (lambda p: p.write_text("x"), "is not a folder"),
        (lambda p: p.symlink_to("/tmp"), "is a link"),  # noqa: S108 - any folder that exists
    ],
)
def test_what_is_no_folder_is_said(tmp_path: Path, make: Callable[[Path], object], words: str) -> None:
    make(tmp_path / "x")
    with pytest.raises(FolderError, match=words):
        Folder.open(tmp_path / "x")
    with pytest.raises(FolderError, match=words):
        Folder.open(tmp_path / "x" / "below")


@pytest.mark.parametrize("path", ["relative/x", "/tmp/../etc"])  # noqa: S108 - never opened
def test_only_whole_paths(path: str) -> None:
    with pytest.raises(FolderError, match="absolute"):
        Folder.open(Path(path))


def test_a_deleted_folder_is_noticed(folder: Folder) -> None:
    folder.check_alive()
    shutil.rmtree(folder.path)
    with pytest.raises(FolderError, match="does not exist"):
        folder.check_alive()
    with pytest.raises(FolderError, match="deleted"):
        folder.write("x", b"1", mode=0o600)


def test_a_replaced_folder_is_noticed(folder: Folder) -> None:
    folder.path.rename(folder.path.with_name("old"))
    folder.path.mkdir()
    with pytest.raises(FolderError, match="replaced"):
        folder.check_alive()


def test_sweep_removes_our_temps_and_nothing_else(folder: Folder) -> None:
    keep = ["x.json", ".x.json.tmp", "x.tmp", ".x.json.0123456789abcde.tmp", ".hidden"]
    for name in [*keep, ".x.json.0123456789abcdef.tmp", ".syft.pub.yaml.00112233445566aa.tmp"]:
        (folder.path / name).write_text("x")
    assert folder.sweep() == 2
    assert folder.names() == tuple(sorted(keep))


def test_remove_says_whether_there_was_one(folder: Folder) -> None:
    folder.write("x", b"1", mode=0o644)
    assert folder.remove("x") is True
    assert folder.remove("x") is False


def as_nobody(act: Callable[[], object]) -> str:
    """What `act` says of its FolderError when another user does it: root ignores modes. A fork, as root alone may."""
    receiving, sending = os.pipe()
    child = os.fork()
    if not child:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        try:
            said = f"done: {act()}"
        except FolderError as error:
            said = str(error)
        except BaseException as error:  # noqa: BLE001 - the child must end here, whatever happened
            said = repr(error)
        os.write(sending, said.encode())
        os._exit(0)
    os.close(sending)
    with open(receiving, encoding="utf-8") as pipe:  # noqa: PTH123 - a descriptor, not a path
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_told_whose_folder_it_is() -> None:
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        base.chmod(0o755)
        (base / "theirs").mkdir(mode=0o755)
        (base / "closed").mkdir(mode=0o700)
        (base / "theirs" / "x").write_text("x")
        (base / "theirs" / "x").chmod(0o600)
        theirs = base / "theirs"
        assert "EACCES" in as_nobody(lambda: Folder.open(theirs).write("x", b"1", mode=0o644))
        assert "must belong to the user" in as_nobody(lambda: Folder.open(theirs).remove("x"))
        assert "cannot read" in as_nobody(lambda: Folder.open(theirs).read("x", 10))
        assert "cannot open" in as_nobody(lambda: Folder.open(base / "closed"))
        assert [path.name for path in theirs.iterdir()] == ["x"]
