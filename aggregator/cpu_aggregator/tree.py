"""Opens a datasite's public file without trusting anything on the way: no link followed, nothing but a regular file.

One system call does it where the kernel has openat2 (Linux 5.6); else, and to learn why that one failed, each
component is opened by itself with O_NOFOLLOW. A third of a bare open dearer, and no link can be raced in between.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from cpu_aggregator.errors import BodyRefusedError, TreeError
from cpu_aggregator.schema import LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Where a public file may be, newest first: the old readers' folder counts only where the new one has none.
PLACES: tuple[bytes, ...] = (b"/app_data/cpu_tracker/cpu_tracker.json", b"/api_data/cpu_tracker/cpu_tracker.json")
_FOLDER = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: a fifo must not hold the round up; O_NOCTTY: a terminal must not become ours.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_SYS_OPENAT2 = 437  # the same number on every architecture
_NO_SYMLINKS, _BENEATH = 0x04, 0x08


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_HOW_BYTES = ctypes.sizeof(_How)


def _system_call() -> Callable[[int, int, bytes, int, int], int]:
    """The C library's syscall(2) with openat2's arguments; leaves errno to ctypes.get_errno()."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
    call.restype = ctypes.c_long
    return call


def _refuse(*_arguments: object) -> int:
    """In place of openat2 where it is not wanted: fails, and says so as an old kernel would."""
    ctypes.set_errno(errno.ENOSYS)
    return -1


class Tree:
    """The folder that holds one folder per datasite.

    Args:
        root: that folder. With `descend`, its sub-folder `datasites` where there is one (`<data_dir>` was given).
        openat2: use the one-call way if the kernel has it.
    """

    def __init__(self, root: Path, *, descend: bool = True, openat2: bool = True) -> None:
        inner = root / "datasites"
        self.root = inner if descend and inner.is_dir() and not inner.is_symlink() else root
        self._fd = -1
        self._how = _How(_FILE, 0, _NO_SYMLINKS | _BENEATH)
        self._how_at = ctypes.addressof(self._how)
        self._openat2 = _system_call() if openat2 else _refuse

    def datasites(self) -> list[bytes]:
        """Names of all datasites: everything with an @ that is not hidden. Opens the root anew: mounts change.

        Raises:
            TreeError: it is missing or cannot be read.
        """
        self.close()
        try:
            self._fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            names = os.listdir(os.fsencode(self.root))  # noqa: PTH208 - bytes: a name may be no text
        except OSError as error:
            raise TreeError(
                f"the datasites' folder {self.root} cannot be read ({error.strerror}); set CPUTRACKER_DATASITES_DIR to"
                " the folder that holds one folder per datasite, and let this user read it"
            ) from None
        return [name for name in names if b"@" in name and not name.startswith(b".")]

    def fetch(self, path: bytes, known: int) -> tuple[int, int, bytes | None]:
        """(key, time of last change in ns, content) of the regular file at `path` below the root.

        The key differs whenever the file does. Content is None when the key is the `known` one: not read again.

        Raises:
            OSError: as open: ENOENT and ENOTDIR: absent; ELOOP: a link on the way.
            BodyRefusedError: not a regular file, or too large to be read.
        """
        fd = self._openat2(_SYS_OPENAT2, self._fd, path, self._how_at, _HOW_BYTES)
        if fd < 0:
            fd = self._slowly(path)
        try:
            status = os.fstat(fd)
            key = file_key(status)
            if key == known:
                return key, 0, None
            if not stat.S_ISREG(status.st_mode):
                raise BodyRefusedError("kind_of_file")
            if status.st_size >= LIMIT_BYTES:
                raise BodyRefusedError("size")
            return key, status.st_ctime_ns, os.read(fd, LIMIT_BYTES)
        finally:
            os.close(fd)

    def _slowly(self, path: bytes) -> int:
        """After openat2 failed: raise what it said, or go component by component where it is not to be had."""
        code = ctypes.get_errno()
        if code == errno.ENOENT:
            raise FileNotFoundError(code, os.strerror(code))
        return self._walk(path)

    def _walk(self, path: bytes) -> int:
        *folders, name = path.split(b"/")
        at = self._fd
        try:
            for folder in folders:
                inner = _folder(folder, at)
                if at != self._fd:
                    os.close(at)
                at = inner
            return os.open(name, _FILE, dir_fd=at)
        finally:
            if at != self._fd:
                os.close(at)

    def key(self, path: bytes) -> int:
        """Key of what is at `path`, without opening it: is a file that was read already still the same? 0: gone."""
        try:
            return file_key(os.stat(path, dir_fd=self._fd, follow_symlinks=False))
        except OSError:
            return 0

    def close(self) -> None:
        """Give the root's descriptor back."""
        if self._fd >= 0:
            with suppress(OSError):
                os.close(self._fd)
            self._fd = -1


def _folder(name: bytes, at: int) -> int:
    """Descriptor of a folder; a link is ELOOP, as with openat2 (O_DIRECTORY would make it ENOTDIR)."""
    try:
        return os.open(name, _FOLDER, dir_fd=at)
    except NotADirectoryError:
        link = os.readlink  # raises EINVAL on anything but a link
        try:
            link(name, dir_fd=at)
        except OSError:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None


def file_key(status: os.stat_result) -> int:
    """One number that differs whenever the file does: inode, size and both times. Never 0."""
    return hash((status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)) or 1
