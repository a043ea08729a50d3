"""Reads the permission files that govern ours from a datasite on disk; follows no link, reads nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpu_publisher.acl_yaml import MAX_BYTES
from cpu_publisher.errors import FolderError
from cpu_publisher.folder import Folder
from cpu_publisher.permissions import GO_NAME, PY04_NAME

if TYPE_CHECKING:
    from pathlib import Path

MOST_FILES = 50


def ancestors(folder: str) -> tuple[str, ...]:
    """`a/b/c` -> `a`, `a/b`, `a/b/c`."""
    parts = folder.split("/")
    return tuple("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def read(root: Path, owner: str, folders: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """Permission files of the datasite at `root`, and of each folder on the way to `folders` (relative to it).

    Returns:
        path (beginning with `owner`) -> text, and path -> why it could not be read.
    """
    files: dict[str, str] = {}
    errors: dict[str, str] = {}
    wanted = dict.fromkeys(here for folder in folders for here in ancestors(f"{owner}/{folder}"))
    for here in wanted:
        below = here.removeprefix(owner).lstrip("/")
        if below and not (root / below).exists():
            continue
        try:
            with Folder.open(root / below) as folder:
                found = [name for name in folder.names() if name.endswith((GO_NAME, PY04_NAME))]
                if len(found) > MOST_FILES:
                    errors[here] = f"more than {MOST_FILES} permission files: remove those that are none"
                for name in found[:MOST_FILES]:
                    _read_one(folder, name, f"{here}/{name}", files, errors)
        except FolderError as error:
            errors[here] = str(error)
    return files, errors


def _read_one(folder: Folder, name: str, path: str, files: dict[str, str], errors: dict[str, str]) -> None:
    try:
        files[path] = (folder.read(name, MAX_BYTES) or b"").decode()
    except FolderError as error:
        errors[path] = str(error)
    except UnicodeDecodeError:
        errors[path] = f"{folder.path / name} is not UTF-8: write it again"
