"""The hand-off under attack: only the publisher's uid is served, nobody else can take the socket's place."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

from tests.attack.sibling import COLLECTOR, HANDOFF_GROUP, HARDENED, STRANGER, answer, inside, sibling
from tests.integration.pair import OWNER

if TYPE_CHECKING:
    from tests.integration.pair import Pair


def test_the_right_uid_gets_the_newest_record(pair: Pair) -> None:
    line = answer(pair, "client", user=f"{OWNER}:{HANDOFF_GROUP}", handoff="ro", **HARDENED)
    assert line.endswith("\n")
    assert json.loads(line).keys() >= {"v", "mean"}


def test_another_uid_of_the_right_group_gets_nothing(pair: Pair) -> None:
    assert answer(pair, "client", user=f"{STRANGER}:{HANDOFF_GROUP}", handoff="ro", **HARDENED) == ""


def test_the_right_uid_of_another_group_cannot_connect(pair: Pair) -> None:
    assert answer(pair, "client", user=f"{OWNER}:{OWNER}", handoff="ro", **HARDENED) == "EACCES"


def test_root_by_exec_gets_nothing(pair: Pair) -> None:
    """Without capabilities root is a stranger; where the engine adds the hand-off's group, the uid refuses it."""
    assert inside(pair, "collector", "client", user="0") == "EACCES"
    assert inside(pair, "publisher", "client", user="0") == ""


def test_root_with_capabilities_is_refused_by_its_uid(pair: Pair) -> None:
    assert answer(pair, "client", user="0", handoff="rw") == ""


def test_the_publisher_cannot_change_the_folder(pair: Pair) -> None:
    tries = inside(pair, "publisher", "folder")
    assert set(tries.values()) <= {"EROFS", "EACCES", "EPERM"}, tries


def test_control_the_collector_can_change_it(own_pair: Pair) -> None:
    """The same script succeeds where it may: it does try."""
    tries = inside(own_pair, "collector", "folder")
    assert set(tries.values()) == {"ok"}, tries


def test_a_crowd_that_never_reads_moves_no_window(own_pair: Pair) -> None:
    """Right and wrong uids, hundreds of connections: one window in each sample interval, as before."""
    seconds = 5
    crowds = [f"{uid}:{HANDOFF_GROUP}" for uid in (OWNER, STRANGER)]
    with (
        sibling(own_pair, "crowd", str(seconds), user=crowds[0], handoff="ro", **HARDENED) as right,
        sibling(own_pair, "crowd", str(seconds), user=crowds[1], handoff="ro", **HARDENED) as wrong,
    ):
        before = own_pair.body()
        for crowd in (right, wrong):
            assert crowd.wait(timeout=60)["StatusCode"] == 0
            assert int(crowd.logs().split()[-1]) > 200  # it was a crowd
    assert before
    own_pair.until("two more releases", lambda: own_pair.released(before["seq"] + 2))
    rows = [row for row in own_pair.ledger()["releases"] if row["seq"] > before["seq"]]
    starts = [start for row in rows for start, _ in row["windows"]]
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert len(starts) >= seconds
    assert all(850 <= gap <= 1_150 for gap in gaps), gaps  # a sample interval ± the lateness of its settings


def test_the_collector_runs_as_said(pair: Pair) -> None:
    assert pair.container("collector").attrs["Config"]["User"] == f"{COLLECTOR}:{HANDOFF_GROUP}"
