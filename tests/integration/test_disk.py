"""A disk that is really full or read-only: a reason, nothing torn or drawn twice, and on when it is mended."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.integration.pair import EMAIL, OWNER, SHORT, make_data_dir, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import docker

PRIVATE, PUBLIC = "private/cpu_tracker", f"datasites/{EMAIL}/app_data/cpu_tracker"


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """A file system of its own at `path`, of 256 kB."""
    mode = path.stat().st_mode & 0o777
    options = f"size=256k,uid={OWNER},gid={OWNER},mode={mode:o}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


@contextmanager
def full(path: Path) -> Iterator[None]:
    """No byte is left on it."""
    filler = path / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (4_096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    yield
    filler.unlink()


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Nothing can be written to it."""
    subprocess.run(["mount", "-o", "remount,ro", path], check=True)
    yield
    subprocess.run(["mount", "-o", "remount,rw", path], check=True)


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize(
    ("where", "spoiled", "said"),
    [
        (PRIVATE, full, ("is full",)),
        (PUBLIC, full, ("is full",)),
        (PUBLIC, read_only, ("Read-only file system", "cannot be written")),
    ],
)
def test_it_stops_with_a_reason_and_goes_on_when_it_is_mended(
    client: docker.DockerClient,
    tmp_path: Path,
    where: str,
    spoiled: Callable[[Path], AbstractContextManager[None]],
    said: tuple[str, ...],
) -> None:
    data = make_data_dir(tmp_path / "data")
    with disk(data / where), started(client, data, **SHORT) as pair:
        pair.until("a first publication", lambda: pair.released(1))
        with spoiled(data / where):
            report = pair.until("a reason", lambda: pair.ready(503), 60)
            reasons = [check["output"] for found in report["checks"].values() for check in found if "output" in check]
            assert any(word in reason for reason in reasons for word in said), reasons
            before = pair.public.read_bytes()
            assert pair.body()
            assert not list(pair.public.parent.glob("*.tmp"))
        seq = (pair.body() or {})["seq"]
        pair.until("it goes on", lambda: pair.released(seq + 1), 60)
        assert pair.public.read_bytes() != before
        rows = pair.ledger()["releases"]
        assert len({(row["slot"], row["kind"]) for row in rows}) == len(rows)
        assert [row["seq"] for row in rows] == sorted({row["seq"] for row in rows})
        newest = pair.until("the file is the ledger's newest", lambda: pair.released(rows[-1]["seq"]))
        assert newest["ledger_id"] == pair.ledger()["ledger_id"]
