"""The private folder: what must never sync. Holds the raw mean, the ledger, the pool, the lock and the pause flag."""

from __future__ import annotations

import fcntl
import os
import stat
from typing import TYPE_CHECKING

from cpu_publisher import permissions
from cpu_publisher.errors import FolderError, LockedError
from cpu_publisher.folder import Folder

if TYPE_CHECKING:
    from pathlib import Path

_LOCK = "lock"
_PAUSED = "paused"
# No rule at all is how Python 0.4 says "the owner alone".
_OWNER_ONLY = {permissions.GO_NAME: permissions.go_text(()), permissions.PY04_NAME: "[]\n"}


class Lock:
    """One publisher per private folder: an flock that the kernel frees with the process, however it ends."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        """Let the next one in. The file stays: removing it could give two processes a lock each."""
        os.close(self._fd)


class PrivateFolder:
    """`<data_dir>/private/cpu_tracker`, 0700, of the user the publisher runs as.

    Attributes:
        folder: the open folder.

    Raises:
        FolderError: it is missing, reached by a link, of another user, or lies where SyftBox would sync it.
    """

    def __init__(self, root: Path) -> None:
        _refuse_synced(root)
        self.folder = Folder.open(root)
        owner = os.fstat(self.folder.fd).st_uid
        if owner != os.geteuid():
            raise FolderError(f"{root} belongs to uid {owner}, the publisher runs as {os.geteuid()}: chown it")
        try:
            os.fchmod(self.folder.fd, 0o700)
        except OSError as error:
            raise FolderError(f"{root} cannot be made 0700 ({error.strerror}): mount it writable") from error

    def lock(self, mode: str = "container") -> Lock:
        """Take the lock for the life of the process; `mode` (`container` or `app`) is noted for whoever comes second.

        Raises:
            LockedError: another publisher holds it.
            FolderError: the lock file is a link or cannot be opened.
        """
        path = self.folder.path / _LOCK
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            fd = os.open(_LOCK, flags, 0o600, dir_fd=self.folder.fd)
        except OSError as error:
            raise FolderError(f"cannot open {path} ({os.strerror(error.errno or 0)}): remove it") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 64, 0).decode("ascii", "replace").strip()
            os.close(fd)
            raise LockedError(f"another publisher ({holder or 'starting'}) uses {self.folder.path}: stop it") from None
        if not os.path.samestat(os.fstat(fd), os.stat(_LOCK, dir_fd=self.folder.fd, follow_symlinks=False)):
            os.close(fd)
            raise LockedError(f"{path} was replaced while it was being taken: start again")
        os.fchmod(fd, 0o600)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"pid {os.getpid()}, mode {mode}\n".encode(), 0)
        return Lock(fd)

    def is_paused(self) -> bool:
        """True while the owner wants nothing published. Anything of that name counts: unsure means paused."""
        try:
            os.stat(_PAUSED, dir_fd=self.folder.fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def set_paused(self, paused: bool) -> None:
        """Set or clear the pause flag, durably."""
        if paused:
            self.folder.write(_PAUSED, b"paused\n", mode=0o600)
        else:
            self.folder.remove(_PAUSED)

    def save(self, document: bytes, mtime_ms: int) -> None:
        """Keep the raw mean of the newest release for its owner, beside permission files that open it to nobody."""
        for name, text in _OWNER_ONLY.items():
            if self.folder.read(name, 4_096) != text.encode():
                self.folder.write(name, text.encode(), mode=0o600)
        self.folder.write(permissions.DATA_NAME, document, mode=0o600, mtime_ms=mtime_ms)


def _refuse_synced(root: Path) -> None:
    """A folder below `datasites`, or below one with a permission file, is what SyftBox sends to its server."""
    for above in root.parents:
        governed = next((name for name in (permissions.GO_NAME, permissions.PY04_NAME) if _is_there(above / name)), "")
        flat = above.parent.name == "SyftBox" and "@" in above.name
        if above.name == "datasites" or flat or governed:
            why = f"holds {governed}" if governed else "is a SyftBox folder"
            raise FolderError(f"private folder {root} would sync: {above} {why}; put it beside datasites, not inside")


def _is_there(path: Path) -> bool:
    try:
        return stat.S_IFMT(path.lstat().st_mode) != 0
    except OSError:
        return False
