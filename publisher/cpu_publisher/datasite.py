"""The owner's datasite: the permission files first, then the public file; nothing else is ever written there."""

from __future__ import annotations

import os
import re
import stat
from functools import partial
from typing import TYPE_CHECKING

from cpu_publisher import guard, permissions
from cpu_publisher.errors import FolderError
from cpu_publisher.exposure import FOLDER, MIRROR
from cpu_publisher.folder import Folder
from cpu_publisher.mirror import restamp
from cpu_publisher.view import Finding

if TYPE_CHECKING:
    from pathlib import Path

PUBLIC_NAME = permissions.DATA_NAME
READ_LIMIT = 65_536
_MOST_FINDINGS = 5
_FOLDER_MODE, _FILE_MODE = 0o755, 0o644  # the SyftBox client must be able to read all of them
_STRANGE = re.compile(r"cpu_tracker\.(conflict|rejected)\b.*|.*\.syft(rejected|conflict)\b.*")


class Datasite:
    """`<data_dir>/datasites/<email>`, or `<SyftBox>/<email>` of a flat layout.

    Writes only below `app_data/cpu_tracker` (and `api_data/cpu_tracker` with the mirror), which in a container is a
    writable mount of its own inside a read-only datasite.
    """

    def __init__(
        self, root: Path, *, email: str, aggregators: tuple[str, ...], layout: str, mirror: bool = False
    ) -> None:
        self._root = root
        self._mirror = mirror
        self._leaks = partial(guard.leaks, root, email=email, aggregators=aggregators, layout=layout, mirror=mirror)
        self._texts = permissions.texts(email, aggregators, layout)
        self._open: dict[str, Folder] = {}

    @property
    def _places(self) -> tuple[str, ...]:
        return (FOLDER, MIRROR) if self._mirror else (FOLDER,)

    def _folder(self, place: str = FOLDER) -> Folder:
        """Our folder; opened again when it was replaced under us."""
        folder = self._open.get(place)
        if folder:
            try:
                folder.check_alive()
            except FolderError:
                self._open.pop(place).close()
            else:
                return folder
        folder = self._open[place] = Folder.open(self._root / place)
        folder.sweep()
        return folder

    def close(self) -> None:
        """Give the descriptors back."""
        while self._open:
            self._open.popitem()[1].close()

    def inspect(self) -> tuple[Finding, ...]:
        """What is not as it must be; a fatal finding means: do not publish."""
        found: list[Finding] = []
        for place in self._places:
            try:
                found += self._inspect(self._folder(place))
            except FolderError as error:
                found.append(Finding("datasite_unusable", str(error)))
        leaks = list({(leak.file, leak.line, leak.code): leak for leak in reversed(self._leaks())}.values())[::-1]
        found += [Finding("permissions_leak", leak.message) for leak in leaks[:_MOST_FINDINGS]]
        if len(leaks) > _MOST_FINDINGS:
            more = f"{len(leaks) - _MOST_FINDINGS} more rules of permission files leak: see `cpu-publisher audit`"
            found.append(Finding("permissions_leak", more))
        return tuple(found)

    def _inspect(self, folder: Folder) -> list[Finding]:
        found = []
        owner = os.fstat(folder.fd).st_uid
        if owner != os.geteuid():
            message = f"{folder.path} belongs to uid {owner}, the publisher runs as {os.geteuid()}: chown it"
            found.append(Finding("datasite_owner", message))
        elif not os.access(".", os.W_OK | os.X_OK, dir_fd=folder.fd, effective_ids=True):
            found.append(Finding("datasite_not_writable", f"{folder.path} cannot be written: mount it writable"))
        for above in (self._root, folder.path.parent):
            mode = above.stat().st_mode
            if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
                message = f"{above} can be changed by every user of this machine: chmod o-w"
                found.append(Finding("datasite_mode", message, fatal=False))
        found += [
            Finding("permissions_changed", f"{folder.path / name} was changed: it will be restored", fatal=False)
            for name, text in self._texts.items()
            if name in folder.names() and not _same(folder, name, text)
        ]
        found += [
            Finding("sync_conflict", f"{folder.path / name}: two publishers share this e-mail; stop one", fatal=False)
            for name in folder.names()
            if _STRANGE.fullmatch(name)
        ]
        return found

    def write_permissions(self) -> tuple[str, ...]:
        """Write each permission file that is not as it must be; returns their names."""
        return tuple(name for place in self._places for name in self._write_permissions(self._folder(place)))

    def _write_permissions(self, folder: Folder) -> list[str]:
        if stat.S_IMODE(os.fstat(folder.fd).st_mode) != _FOLDER_MODE:
            try:
                os.fchmod(folder.fd, _FOLDER_MODE)
            except OSError as error:
                raise FolderError(f"{folder.path} cannot be made 0755 ({error.strerror}): chown it") from error
        rewritten = []
        for name, text in self._texts.items():
            if not _same(folder, name, text):
                folder.write(name, text.encode(), mode=_FILE_MODE)
                rewritten.append(name)
        return rewritten

    def read_public(self) -> bytes | None:
        """The public file as it stands, None if there is none.

        Raises:
            FolderError: the folder or the file is not what it must be.
        """
        return self._folder().read(PUBLIC_NAME, READ_LIMIT)

    def publish(self, body: bytes, mtime_ms: int) -> None:
        """Make `body` the public file (and its mirror), with the permission files in place before it.

        Raises:
            FolderError: says what stands in the way; a file is replaced whole or left as it was.
        """
        self.write_permissions()
        for place in self._places:
            self._folder(place).write(PUBLIC_NAME, body, mode=_FILE_MODE, mtime_ms=mtime_ms)

    def heartbeat(self, body: bytes, now_ms: int) -> tuple[str, ...]:
        """Stamp the mirror's copy of the released `body` with the time that it is; the public file is left alone.

        Returns:
            names of the mirror's permission files that had to be restored.
        """
        folder = self._folder(MIRROR)
        rewritten = self._write_permissions(folder)
        folder.write(PUBLIC_NAME, restamp(body, now_ms), mode=_FILE_MODE, mtime_ms=now_ms)
        return tuple(rewritten)

    def leave(self) -> tuple[str, ...]:
        """Remove the public file, then the permission files; returns the paths that were removed.

        A mirror that was switched off meanwhile goes too, if its permission file shows that it is ours.
        """
        removed: list[str] = []
        for place in (FOLDER, MIRROR):
            if place not in self._places and not self._is_ours(place):
                continue
            folder = self._folder(place)
            names = (PUBLIC_NAME, permissions.GO_NAME, permissions.PY04_NAME)
            removed += [str(folder.path / name) for name in names if folder.remove(name)]
        return tuple(removed)

    def _is_ours(self, place: str) -> bool:
        try:
            return _same(self._folder(place), permissions.GO_NAME, self._texts[permissions.GO_NAME])
        except FolderError:
            return False


def _same(folder: Folder, name: str, text: str) -> bool:
    try:
        return folder.mode(name) == _FILE_MODE and folder.read(name, READ_LIMIT) == text.encode()
    except FolderError:  # a link, too large: replaced as well
        return False
