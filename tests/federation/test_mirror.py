"""The opt-in mirror with the real pair: a reader of the first generation finds and counts this machine."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.integration.pair import EMAIL, OWNER, SHORT, Pair, make_data_dir
from tests.unit.publisher.old_leader import counted

if TYPE_CHECKING:
    from pathlib import Path

    import docker
    import pytest

MIRROR = {"COMPOSE_FILE": "docker-compose.yml:compose.mirror.yml"}


def test_the_old_leader_counts_the_same_release(
    client: docker.DockerClient, images: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = make_data_dir(tmp_path_factory.mktemp("mirror") / "data")
    folder = data / "datasites" / EMAIL / "api_data" / "cpu_tracker"
    for made in (folder.parent, folder):
        made.mkdir()
        os.chown(made, OWNER, OWNER)
    pair = Pair(client, data, **SHORT, **MIRROR)
    try:
        pair.compose("up", "--detach", "--no-build")
        pair.until("a slot's release", lambda: pair.released(2))
        pair.until("the same in the mirror", lambda: same(pair, folder / "cpu_tracker.json"))
        seen = counted(data / "datasites", datetime.now(UTC).replace(tzinfo=None))
        assert seen.keys() == {EMAIL}
        rows = pair.ledger()["releases"]
        assert len({(row["slot"], row["kind"]) for row in rows}) == len(rows)  # nothing was spent twice for it
        assert {path.name for path in folder.iterdir()} == {"cpu_tracker.json", "syft.pub.yaml", "syftperm.yaml"}
        assert (folder / "syftperm.yaml").read_text() == (pair.public.parent / "syftperm.yaml").read_text()
    finally:
        pair.remove()


def test_without_the_choice_there_is_no_mirror(pair: Pair) -> None:
    assert pair.body()
    assert not (pair.datasite / "api_data").exists()
    assert not counted(pair.datasite.parent, datetime.now(UTC).replace(tzinfo=None))


def same(pair: Pair, mirror: Path) -> bool:
    """Whether both files are of one release (the stamp may be newer in the mirror)."""
    texts = [pair.public.read_text(), mirror.read_text()] if mirror.exists() else []
    bodies = [{k: v for k, v in json.loads(text).items() if k != "timestamp"} for text in texts]
    return len(bodies) == 2 and bodies[0] == bodies[1]
