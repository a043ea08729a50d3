"""Opens a datasite's public file without trusting anything on the way: no link followed, nothing but a regular file.

One system call does it where the kernel has openat2 (Linux 5.6); else, and to learn why that one failed, each
component is opened by itself with O_NOFOLLOW. A third of a bare open dearer, and no link can be raced in between.
"""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from cpu_aggregator.errors import TreeError

if TYPE_CHECKING:
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
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.syscall.argtypes = [
            ctypes.c_long,
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_void_p,
            ctypes.c_size_t,
        ]
        self._libc.syscall.restype = ctypes.c_long
        self._how = _How(_FILE, 0, _NO_SYMLINKS | _BENEATH)
        self._fast = openat2

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

    def open(self, path: bytes) -> int:
        """Descriptor of `path` below the root.

        Raises:
            OSError: as open: ENOENT and ENOTDIR: absent; ELOOP: a link on the way.
        """
        if self._fast:
            fd: int = self._libc.syscall(_SYS_OPENAT2, self._fd, path, ctypes.addressof(self._how), ctypes.sizeof(_How))
            if fd >= 0:
                return fd
            code = ctypes.get_errno()
            if code == errno.ENOENT:
                raise FileNotFoundError(code, os.strerror(code))
            if code in (errno.ENOSYS, errno.EPERM):  # an old kernel, or a seccomp filter that does not know it
                self._fast = False
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

    def stat(self, path: bytes) -> os.stat_result:
        """What is at `path` without opening it; only to see whether a file known already is still the same."""
        return os.stat(path, dir_fd=self._fd, follow_symlinks=False)

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
