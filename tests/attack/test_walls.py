"""What one container may do to the other and to the network, tried; and the same where it must succeed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.attack.sibling import COLLECTOR, HANDOFF_GROUP, HARDENED, answer, inside
from tests.integration.pair import OWNER

if TYPE_CHECKING:
    from tests.integration.pair import Pair

REFUSED = {"EACCES", "EPERM", "ESRCH", "ENOENT"}


def test_the_collector_can_do_nothing_to_the_publisher(pair: Pair) -> None:
    tries = inside(pair, "collector", "spy", str(pair.host_pid("publisher")))
    assert set(tries.values()) <= {"EACCES", "EPERM", "not tried"}, tries
    assert [name for name, ended in tries.items() if ended == "not tried"] == ["ptrace"]


def test_nor_with_every_tool_at_hand(pair: Pair) -> None:
    """The collector's user, host processes in view and hardening, in an image that can call ptrace."""
    user = f"{COLLECTOR}:{HANDOFF_GROUP}"
    tries = answer(pair, "spy", str(pair.host_pid("publisher")), user=user, pid_mode="host", **HARDENED)
    assert set(tries.values()) <= {"EACCES", "EPERM"}, tries


def test_control_the_same_spy_under_the_publishers_uid_can(pair: Pair) -> None:
    """Why the uid is the wall: nothing else of the hardening holds the same uid back."""
    user = f"{OWNER}:{OWNER}"
    tries = answer(pair, "spy", str(pair.host_pid("publisher")), user=user, pid_mode="host", **HARDENED)
    succeeded = {name for name, ended in tries.items() if ended == "ok"}
    assert succeeded >= {"environ", "root", "cwd", "fd", "mem", "kill", "ptrace"}, tries


def test_the_publisher_cannot_even_see_the_collector(pair: Pair) -> None:
    tries = inside(pair, "publisher", "spy", str(pair.host_pid("collector")))
    assert set(tries.values()) <= REFUSED, tries


@pytest.mark.parametrize("user", ["", "0"])
def test_the_collector_has_no_network_whoever_asks(pair: Pair, user: str) -> None:
    found = inside(pair, "collector", "network", *address_of(pair), user=user)
    assert found == {
        "interfaces": ["lo"],
        "tcp": "ENETUNREACH",
        "udp": "ENETUNREACH",
        "dns": "no name",
        "raw": "EPERM",
        "packet": "EPERM",
    }


def test_control_a_neighbour_reaches_the_publisher(pair: Pair) -> None:
    """The address that the collector could not reach answers to a container on its network."""
    network = f"{pair.project}_web"
    found = answer(pair, "network", *address_of(pair), user=f"{OWNER}:{OWNER}", **HARDENED | {"network_mode": network})
    assert found["tcp"] == "ok"
    assert found["dns"] == "ok"


@pytest.mark.parametrize("service", ["collector", "publisher"])
def test_the_kernel_holds_each_process_to_it(pair: Pair, service: str) -> None:
    status = Path(f"/proc/{pair.host_pid(service)}/status").read_text(encoding="utf-8")
    fields = dict(re.findall(r"^(\w+):\s*(.*)$", status, flags=re.MULTILINE))
    for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"):
        assert int(fields[name], 16) == 0, name
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")
    uid = str(COLLECTOR if service == "collector" else OWNER)
    assert fields["Uid"].split() == [uid] * 4
    limits = Path(f"/proc/{pair.host_pid(service)}/limits").read_text(encoding="utf-8")
    assert re.search(r"^Max core file size\s+0\s+0\s", limits, flags=re.MULTILINE)


def address_of(pair: Pair) -> tuple[str, str]:
    """Where the publisher listens on the pair's own network."""
    networks = pair.container("publisher").attrs["NetworkSettings"]["Networks"]
    return networks[f"{pair.project}_web"]["IPAddress"], "8080"
