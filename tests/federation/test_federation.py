"""A release through a real SyftBox (server and clients of syftbox 0.4.0): who gets it, and what never leaves."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.federation.federation import AGGREGATOR, OWNER, PUBLIC, Federation, build_image
from tests.integration.pair import SHORT, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    import docker

STRANGER = "stranger@example.com"
SECOND = "second@example.com"
FILE = f"{OWNER}/{PUBLIC}"
SHORT_SLOT = float(SHORT["CPUTRACKER_SLOT_SECONDS"])
FOLLOW_SECONDS = 18  # three slots of 5 s and their way
SLOW = 60  # a client that starts on a busy machine
PRIVATE_NAMES = ("ledger.sqlite3", "history.jsonl", "pool.json", "private", '"raw"')


@pytest.fixture(scope="module")
def federation(client: docker.DockerClient, images: str) -> Iterator[Federation]:
    """Owner and aggregator on one server, the pair publishing each 5 s, the first release arrived."""
    build_image()
    # As little ε as can be set: noise so wide that a noisy value never equals a raw mean by chance.
    federation = Federation(client, CPUTRACKER_EPSILON="0.001")
    try:
        federation.compose("up", "--detach", "--no-build")
        federation.until("a first release at the aggregator", federation.at_aggregator, SLOW)
        yield federation
    finally:
        federation.remove()


@pytest.mark.parametrize(
    ("service", "uid"), [("syftbox-server", 60_714), ("syftbox-owner", 60_712), ("syftbox-aggregator", 60_713)]
)
def test_server_and_clients_are_hardened(federation: Federation, service: str, uid: int) -> None:
    attrs = federation.container(service).attrs
    host = attrs["HostConfig"]
    assert attrs["Config"]["User"] == f"{uid}:{uid}"
    assert (host["ReadonlyRootfs"], host["Privileged"], host["CapDrop"], host["CapAdd"]) == (True, False, ["ALL"], None)
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert not [option for option in host["SecurityOpt"] if "unconfined" in option]
    assert 0 < host["Memory"] == host["MemorySwap"]
    assert (host["PidMode"], host["IpcMode"], host["PidsLimit"], host["NanoCpus"]) == ("", "private", 64, 10**9)
    assert host["LogConfig"]["Config"] == {"max-size": "1m", "max-file": "3"}
    assert not host["PortBindings"]
    assert list(attrs["NetworkSettings"]["Networks"]) == [federation.network]
    assert federation.client.networks.get(federation.network).attrs["Internal"] is True
    find = "find / -xdev -type f -perm /6000; echo done"  # some folders are not readable, so its status says nothing
    assert federation.execute(service, "/bin/sh", "-c", find) == "done\n"


def test_the_aggregator_receives_each_release_byte_for_byte(federation: Federation) -> None:
    places = (("syftbox-owner", f"/owner/datasites/{FILE}"), ("syftbox-aggregator", f"/aggregator/datasites/{FILE}"))
    with ThreadPoolExecutor() as pool:
        sent, arrived = pool.map(lambda place: federation.follow(place[0], place[1], FOLLOW_SECONDS), places)
    received = {line["seq"]: line for line in arrived}
    complete = sent[1:-1]  # the first was there before, the last may still be on its way
    assert len(complete) >= 2
    for line in complete:
        assert received[line["seq"]]["sha256"] == line["sha256"]
        assert received[line["seq"]]["seen"] - line["mtime"] < SHORT_SLOT


def test_a_stranger_gets_nothing_and_403(federation: Federation) -> None:
    with federation.joined("stranger", STRANGER, "/stranger", {}, 60_715) as stranger:
        own = f"/stranger/datasites/{STRANGER}/syftperm.yaml"
        other = f"/stranger/datasites/{AGGREGATOR}/public/syftperm.yaml"  # what everybody may read does arrive
        federation.until("the stranger synced", lambda: not stranger.exec_run(["ls", own, other])[0], SLOW)
        _, tree = stranger.exec_run(["find", "/stranger/datasites", "-type", "f"])
    assert b"public/syftperm.yaml" in tree
    assert b"cpu_tracker" not in tree
    status, shown = federation.ask(STRANGER, FILE)
    assert status == 403
    assert not [path for path in shown if "cpu_tracker" in path]
    status, shown = federation.ask(AGGREGATOR, FILE)
    assert (status, FILE in shown) == (200, True)


def test_raw_mean_ledger_and_history_never_reach_the_server(federation: Federation) -> None:
    private = federation.copy("publisher", "/private")
    assert "private/ledger.sqlite3" in private
    # An idle or full machine has round means, which nothing can tell from other numbers: here those that can be told
    # are searched for, tests/attack searches for canaries.
    raw = raw_tokens(private["private/history.jsonl"].decode())
    everything = {
        **federation.copy("syftbox-server", "/server"),
        **federation.copy("syftbox-aggregator", "/aggregator"),
    }
    snapshot = next(content for name, content in everything.items() if name == f"server/snapshot/{FILE}")
    assert json.loads(snapshot)["seq"] >= 1
    for name, content in everything.items():
        assert not [word for word in PRIVATE_NAMES if word in name or word.encode() in content], name
        found = raw & tokens(content.decode(errors="replace"))
        assert not found, f"a raw mean in {name}"
    mounts = {mount["Destination"] for mount in federation.container("syftbox-owner").attrs["Mounts"]}
    assert not [folder for folder in mounts if "private" in folder]


def test_a_client_that_was_away_gets_the_newest_release(federation: Federation) -> None:
    aggregator = federation.container("syftbox-aggregator")
    before = federation.at_aggregator()
    assert before
    aggregator.stop(timeout=2)
    federation.until("two more releases", lambda: newest(federation) >= before["seq"] + 2)
    aggregator.start()
    federation.until("it catches up", lambda: seq_at(federation) >= before["seq"] + 2, SLOW)


def test_two_owners_arrive_side_by_side(federation: Federation, client: docker.DockerClient) -> None:
    with second_pair(client) as pair:
        folder = f"/owner/datasites/{SECOND}"
        mounts = {
            f"{pair.project}_datasite": folder,
            f"{pair.project}_public": f"{folder}/app_data/cpu_tracker",
        }
        with federation.joined("second", SECOND, "/owner", {**mounts, f"{pair.project}_box": "/owner"}, 60_712):
            federation.until("the second owner's release", lambda: federation.at_aggregator(SECOND), SLOW)
        files = federation.copy("syftbox-aggregator", "/aggregator/datasites")
        bodies = [json.loads(files[f"datasites/{owner}/{PUBLIC}"]) for owner in (OWNER, SECOND)]
    client.volumes.get(f"{pair.project}_box").remove()
    assert bodies[0]["ledger_id"] != bodies[1]["ledger_id"]


def test_who_is_no_longer_an_aggregator_loses_the_file(federation: Federation) -> None:
    """The last test: it changes who may read."""
    assert federation.at_aggregator()
    federation.environ["CPUTRACKER_AGGREGATORS"] = "other@example.com"
    federation.compose("up", "--detach", "--no-build", "publisher")
    federation.until("the file is gone", lambda: federation.at_aggregator() is None, SLOW)
    assert federation.ask(AGGREGATOR, FILE)[0] == 403


def newest(federation: Federation) -> int:
    """Seq of the owner's newest release."""
    return max((row["seq"] for row in federation.ledger()["releases"]), default=0)


def seq_at(federation: Federation) -> int:
    """Seq that the aggregator's client has."""
    return int((federation.at_aggregator() or {"seq": 0})["seq"])


def tokens(text: str) -> set[str]:
    """Every whole decimal number in `text`."""
    return set(re.findall(r"(?<![\w.])\d{1,3}\.\d{2,}(?!\w)", text))


def raw_tokens(history: str) -> set[str]:
    """The raw means of a history in percent, those with two decimals or more: nothing else is written like that."""
    lines = [json.loads(line) for line in history.splitlines()]
    percent = [line["raw"] for line in lines] + [mean / 100 for line in lines for _, mean in line["windows"]]
    return tokens(" ".join(map(str, percent)))


@contextmanager
def second_pair(client: docker.DockerClient) -> Iterator[Pair]:
    """A second pair of another owner, on its own volumes."""
    pair = Pair(client, None, **SHORT, CPUTRACKER_EMAIL=SECOND)
    try:
        pair.compose("up", "--detach", "--no-build")
        yield pair
    finally:
        pair.remove()
