"""An open folder whose path holds no link, and files in it that are read bounded and replaced whole or not at all.

Everything goes through one directory descriptor, so a link planted later at any component of the path cannot redirect
a write. Temp names end in `.tmp`: the only ending that SyftBox clients skip.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Self

from cpu_publisher.errors import FolderError

_TEMP = re.compile(r"\..+\.[0-9a-f]{16}\.tmp")
_STEP = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WHAT_TO_DO = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the disk quota is used up: free some space",
    errno.EROFS: "the file system is read-only: mount this folder writable",
    errno.EACCES: "no permission: the folder must belong to the user the publisher runs as",
    errno.EPERM: "no permission: the folder must belong to the user the publisher runs as",
    errno.EXDEV: "the temporary file is on another mount than its target: mount the folder as a whole",
    errno.ENOENT: "the folder was deleted while it was open: make it again",
    errno.ESTALE: "the folder was deleted while it was open: make it again",
    errno.EISDIR: "a folder is in the way: remove it",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EIO: "the disk reports an input/output error: check it",
}


class Folder:
    """A folder held open by descriptor.

    Attributes:
        path: where it was when it was opened; absolute, without links.
        fd: its descriptor.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open `path` component by component from `/`, following no link.

        Raises:
            FolderError: a component is missing, a link or not a folder, or may not be entered.
        """
        return cls(path, _walk(path))

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, name: str, limit: int) -> bytes | None:
        """The bytes of `name`, at most `limit`; None if there is no such file.

        Raises:
            FolderError: it is a link, not a regular file, larger than `limit`, or may not be read.
        """
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self.fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise FolderError(f"{self.path / name} is a link: remove it") from None
            raise _failure("read", self.path / name, error) from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise FolderError(f"{self.path / name} is not a regular file: remove it")
        with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            data = file.read(limit + 1)
        if len(data) > limit:
            raise FolderError(f"{self.path / name} is larger than {limit} bytes: remove it")
        return data

    def write(self, name: str, data: bytes, *, mode: int, mtime_ms: int | None = None) -> None:
        """Replace `name` by `data` with `mode` and `mtime_ms` (unix ms): whole, durable, or not at all.

        A link at `name` is replaced, never followed. On any error before the rename the old file is left as it was.

        Raises:
            FolderError: says which file, why and what to do.
        """
        if not data:
            raise FolderError(f"refusing to write {self.path / name} empty: SyftBox clients never sync an empty file")
        temp = f".{name}.{secrets.token_hex(8)}.tmp"
        try:
            try:
                self._fill(temp, data, mode, mtime_ms)
                os.rename(temp, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
            except BaseException:
                self.remove(temp)
                raise
            os.fsync(self.fd)
        except OSError as error:
            raise _failure("write", self.path / name, error) from error

    def _fill(self, temp: str, data: bytes, mode: int, mtime_ms: int | None) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(temp, flags, mode, dir_fd=self.fd), "wb", buffering=0) as file:  # noqa: PTH123 - as above
            os.fchmod(file.fileno(), mode)  # the umask had its say in open()
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file.fileno(), rest) :]
            if mtime_ms is not None:
                os.utime(file.fileno(), ns=(mtime_ms * 1_000_000,) * 2)
            os.fsync(file.fileno())

    def remove(self, name: str) -> bool:
        """Remove the file (or link) `name`, durably; False if there is none.

        Raises:
            FolderError: it may not be removed.
        """
        try:
            os.unlink(name, dir_fd=self.fd)
            os.fsync(self.fd)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _failure("remove", self.path / name, error) from error
        return True

    def mode(self, name: str) -> int | None:
        """Permission bits of the regular file `name`; None if there is none."""
        try:
            found = os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except OSError:
            return None
        return stat.S_IMODE(found.st_mode) if stat.S_ISREG(found.st_mode) else None

    def names(self) -> tuple[str, ...]:
        """What is in the folder, sorted.

        Raises:
            FolderError: it may not be listed.
        """
        try:
            return tuple(sorted(os.listdir(self.fd)))  # noqa: PTH208 - a descriptor, not a path
        except OSError as error:
            raise _failure("list", self.path, error) from error

    def check_alive(self) -> None:
        """Prove that the path still leads here.

        Raises:
            FolderError: the folder was deleted, or replaced by another one, since it was opened.
        """
        fd = _walk(self.path)
        try:
            same = os.path.samestat(os.fstat(fd), os.fstat(self.fd))
        finally:
            os.close(fd)
        if not same:
            raise FolderError(f"{self.path} was replaced by another folder while it was open: restart the publisher")

    def sweep(self) -> int:
        """Remove temp files that a crash left, `.NAME.<random>.tmp`; returns how many."""
        return sum(self.remove(name) for name in self.names() if _TEMP.fullmatch(name))


def _walk(path: Path) -> int:
    """A readable descriptor of `path`, reached from `/` without following a link."""
    if not path.is_absolute() or ".." in path.parts:
        raise FolderError(f"{path} is not an absolute path without '..': give the whole path of the folder")
    fd = os.open("/", _STEP)
    try:
        here = Path("/")
        for part in path.parts[1:]:
            here /= part
            try:
                below = os.open(part, _STEP, dir_fd=fd)
            except OSError as error:
                raise _dead_end(here, part, fd, error) from error
            os.close(fd)
            fd = below
        try:
            return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
        except OSError as error:
            raise _failure("open", path, error) from error
    finally:
        os.close(fd)


def _dead_end(path: Path, name: str, parent: int, error: OSError) -> FolderError:
    if error.errno == errno.ENOENT:
        return FolderError(f"{path} does not exist: make it as the owner of the datasite (mkdir -p)")
    if error.errno in (errno.ENOTDIR, errno.ELOOP):
        linked = stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        what = "is a link: give the real path, or replace it by a folder" if linked else "is not a folder: remove it"
        return FolderError(f"{path} {what}")
    return _failure("open", path, error)


def _failure(verb: str, path: Path, error: OSError) -> FolderError:
    number = error.errno or 0
    name = errno.errorcode.get(number, "OSError")
    return FolderError(f"cannot {verb} {path} ({name}): {_WHAT_TO_DO.get(number, os.strerror(number))}")
