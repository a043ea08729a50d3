"""The permission guard: reads the permission files that govern ours and says what they expose."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from cpu_publisher import acl_files, permissions
from cpu_publisher.exposure import FOLDER, MIRROR, Leak, check

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from cpu_publisher.exposure import Result


def leaks(
    root: Path,
    *,
    email: str,
    aggregators: tuple[str, ...],
    layout: str,
    mirror: bool = False,
    today: date | None = None,
) -> tuple[Leak, ...]:
    """Reasons not to publish into the datasite at `root`, given that our own permission files will be in place.

    `today`: for patterns that hold a date; None: the day that it is (UTC).
    """
    folders = (FOLDER, MIRROR) if mirror else (FOLDER,)
    files, errors = acl_files.read(root, email, folders)
    own = _own(email, aggregators, layout, folders)
    trees = tuple(sorted((files | own).items()))
    day = today or _today()
    result = _remembered(trees, email=email, aggregators=aggregators, layout=layout, today=day, folders=folders)
    return (*(one for one in _unreadable(errors) if one.path not in own), *result.leaks)


@lru_cache(maxsize=2)
def _remembered(
    files: tuple[tuple[str, str], ...],
    *,
    email: str,
    aggregators: tuple[str, ...],
    layout: str,
    today: date,
    folders: tuple[str, ...],
) -> Result:
    """The same texts on the same day say the same: parsing them anew would cost more CPU than a window does."""
    return check(dict(files), email=email, aggregators=aggregators, layout=layout, today=today, folders=folders)


def report(
    root: Path,
    *,
    email: str,
    aggregators: tuple[str, ...],
    layout: str,
    mirror: bool = False,
    today: date | None = None,
) -> dict[str, object]:
    """What `cpu-publisher audit --json` says of the datasite at `root`, as it stands on disk."""
    folders = (FOLDER, MIRROR) if mirror else (FOLDER,)
    files, errors = acl_files.read(root, email, folders)
    result = check(files, email=email, aggregators=aggregators, layout=layout, today=today or _today(), folders=folders)
    found = [*_unreadable(errors), *result.leaks]
    wanted = _own(email, aggregators, layout, folders)
    state = {path: _state(files.get(path), text) for path, text in wanted.items()}
    return {
        "email": email,
        "aggregators": list(aggregators),
        "layout": layout,
        "ok": not found and all(one == "as it must be" for one in state.values()),
        "files": sorted(files),
        "own_files": state,
        "who": {
            generation: {act: list(names) for act, names in acts.items()} for generation, acts in result.who.items()
        },
        "leaks": [asdict(leak) for leak in found],
        "notes": list(result.notes),
    }


def _today() -> date:
    return datetime.now(tz=UTC).date()


def _own(email: str, aggregators: tuple[str, ...], layout: str, folders: tuple[str, ...]) -> dict[str, str]:
    texts = permissions.texts(email, aggregators, layout)
    return {f"{email}/{folder}/{name}": text for folder in folders for name, text in texts.items()}


def _state(found: str | None, wanted: str) -> str:
    return "missing" if found is None else "as it must be" if found == wanted else "changed"


def _unreadable(errors: Mapping[str, str]) -> list[Leak]:
    """Files that could not be read: nobody knows what they allow."""
    return [Leak("unreadable", "all", path, "", path, 1, message) for path, message in errors.items()]
