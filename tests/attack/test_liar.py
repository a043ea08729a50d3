"""A collector that lies: whatever it says, nothing of it is pooled, the publisher lives, and an honest one is heard."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from tests.attack.sibling import COLLECTOR, HANDOFF_GROUP, HARDENED, sibling
from tests.contract import vectors
from tests.integration.pair import SHORT, Pair, make_data_dir

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import docker

HONEST = [{"mean": 1_234}]
PAUSE = 0.05  # the publisher takes at most 50 reads and lines a second
REJECTED = [entry["line"].decode("latin-1") for entry in vectors.wire("reject")]
LINES = [line for line in REJECTED if line.endswith("\n") and len(line) < 512 and line.count("\n") == 1]
TALE = {  # what it does in one connection -> what the publisher calls it
    "half_line": ['{"v":1,"started_at_ms":17'],
    "too_long": ["x" * 600 + "\n"],
    "slow_line": ['{"v":1,', 3],
    "flooding": ["{}\n" * 200],
    "hung_up": [],
}


@pytest.fixture
def alone(client: docker.DockerClient, images: str, tmp_path: Path) -> Iterator[Pair]:
    """A publisher without its collector."""
    pair = Pair(client, make_data_dir(tmp_path / "data"), **SHORT)
    try:
        pair.compose("up", "--detach", "--no-build", "publisher")
        pair.until("the web answers", lambda: pair.get("/livez"))
        yield pair
    finally:
        pair.remove()


def counted(pair: Pair, name: str) -> dict[str, int]:
    """{reason: count} of a counter."""
    page = pair.get("/metrics")
    assert page is not None
    found = re.findall(rf'^cputracker_{name}_total\{{reason="(\w+)"\}} (\d+)', page.text, flags=re.MULTILINE)
    return {reason: int(count) for reason, count in found if int(count)}


def test_lies_are_refused_and_the_truth_is_heard_afterwards(alone: Pair) -> None:
    steps: list[object] = [part for line in LINES for part in (line, PAUSE)]
    tales = [steps, *TALE.values(), [3, *HONEST]]
    user = f"{COLLECTOR}:{HANDOFF_GROUP}"
    with sibling(alone, "liar", json.dumps(tales), user=user, handoff="rw", **HARDENED) as liar:
        alone.until("the last tale but one", lambda: counted(alone, "handoff_troubles").get("flooding"), 60)
        assert counted(alone, "windows_accepted") == {}
        assert alone.body() is None, "nothing may be published of a lie"
        lively = alone.get("/livez")
        assert lively is not None
        assert lively.status_code == 200
        alone.until("the truth", lambda: counted(alone, "windows_accepted"), 60)
        troubles, rejected = counted(alone, "handoff_troubles"), counted(alone, "records_rejected")
        assert troubles.keys() >= TALE.keys(), troubles
        assert sum(rejected.values()) >= len(LINES), rejected
        body = alone.until("its release", lambda: alone.released(1))
        assert (body["windows"], body["kind"]) == (1, "first")
        said = alone.logs() + liar.logs().decode()
    assert not any(line.strip() in said for line in LINES if len(line) > 20), "a line of the hand-off was logged"


def test_a_server_of_another_uid_is_not_believed(alone: Pair) -> None:
    """Whoever could put a socket there (here: a group member with write access) must still have the collector's uid."""
    with sibling(alone, "liar", json.dumps([HONEST] * 20), user="0", handoff="rw"):
        alone.until("it was seen", lambda: counted(alone, "handoff_troubles").get("wrong_uid"))
        assert counted(alone, "windows_accepted") == {}
        assert counted(alone, "records_rejected") == {}
