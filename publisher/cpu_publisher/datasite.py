"""The owner's datasite: the permission files first, then the public file; nothing else is ever written there."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from cpu_publisher import permissions
from cpu_publisher.errors import FolderError
from cpu_publisher.folder import Folder
from cpu_publisher.view import Finding

if TYPE_CHECKING:
    from pathlib import Path

PUBLIC_NAME = permissions.DATA_NAME
READ_LIMIT = 65_536
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
        self._texts = permissions.texts(email, aggregators, layout)
        self._parents = ("app_data", "api_data") if mirror else ("app_data",)
        self._open: dict[str, Folder] = {}

    def _folder(self, parent: str = "app_data") -> Folder:
        """Our folder; opened again when somebody replaced it."""
        folder = self._open.get(parent)
        if folder:
            try:
                folder.check_alive()
            except FolderError:
                del self._open[parent]
                folder.close()
                folder = None
        if not folder:
            folder = self._open[parent] = Folder.open(self._root / parent / "cpu_tracker")
        return folder

    def inspect(self) -> tuple[Finding, ...]:
        """What is not as it must be; a fatal finding means: do not publish."""
        found: list[Finding] = []
        for parent in self._parents:
            try:
                folder = self._folder(parent)
                found += self._inspect(folder)
            except FolderError as error:
                found.append(Finding("datasite_unusable", str(error)))
        return tuple(found)

    def _inspect(self, folder: Folder) -> list[Finding]:
        found = []
        owner = os.fstat(folder.fd).st_uid
        if owner != os.geteuid():
            message = f"{folder.path} belongs to uid {owner}, the publisher runs as {os.geteuid()}: chown it"
            found.append(Finding("datasite_owner", message))
        elif not os.access(".", os.W_OK | os.X_OK, dir_fd=folder.fd, effective_ids=True):
            found.append(Finding("datasite_not_writable", f"{folder.path} cannot be written: mount it writable"))
        found += [
            Finding("sync_conflict", f"{folder.path / name}: two publishers share this e-mail; stop one", fatal=False)
            for name in folder.names()
            if _STRANGE.fullmatch(name)
        ]
        return found

    def write_permissions(self) -> tuple[str, ...]:
        """Write each permission file whose bytes are not as they must be; returns their names."""
        return tuple(name for parent in self._parents for name in self._write_permissions(self._folder(parent)))

    def _write_permissions(self, folder: Folder) -> list[str]:
        if stat.S_IMODE(os.fstat(folder.fd).st_mode) != 0o755:  # noqa: PLR2004 - the client must be able to read it
            os.fchmod(folder.fd, 0o755)
        rewritten = []
        for name, text in self._texts.items():
            try:
                same = folder.read(name, READ_LIMIT) == text.encode()
            except FolderError:  # a link, too large: replaced as well
                same = False
            if not same:
                folder.write(name, text.encode(), mode=0o644)
                rewritten.append(name)
        return rewritten

    def read_public(self) -> bytes | None:
        """The public file as it stands, None if there is none.

        Raises:
            FolderError: the folder or the file is not what it must be.
        """
        return self._folder().read(PUBLIC_NAME, READ_LIMIT)

    def publish(self, body: bytes, mtime_ms: int) -> None:
        """Make `body` the public file, with the permission files in place before it.

        Raises:
            FolderError: nothing was published; the last file is as it was.
        """
        self.write_permissions()
        for parent in self._parents:
            self._folder(parent).write(PUBLIC_NAME, body, mode=0o644, mtime_ms=mtime_ms)

    def leave(self) -> tuple[str, ...]:
        """Remove the public file, then the permission files; returns the paths that were removed."""
        removed: list[str] = []
        for parent in self._parents:
            folder = self._folder(parent)
            folder.sweep()
            names = (PUBLIC_NAME, permissions.GO_NAME, permissions.PY04_NAME)
            removed += [str(folder.path / name) for name in names if folder.remove(name)]
        return tuple(removed)
