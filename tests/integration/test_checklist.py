"""Checklist A on the running pair; and each line of it turned the wrong way must be named."""

from __future__ import annotations

import copy
import io
import stat
import tarfile
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.integration.checklist import violations
from tests.integration.pair import RUN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import docker
    from tests.integration.pair import Pair

Seen = dict[str, Any]
BOTH: dict[str, Callable[[Seen], object]] = {
    "CapDrop ALL": lambda s: s["HostConfig"].update(CapDrop=None),
    "CapAdd none": lambda s: s["HostConfig"].update(CapAdd=["SYS_PTRACE"]),
    "no-new-privileges": lambda s: s["HostConfig"].update(SecurityOpt=["label=disable"]),
    "nothing unconfined": lambda s: s["HostConfig"]["SecurityOpt"].append("seccomp=unconfined"),
    "ReadonlyRootfs": lambda s: s["HostConfig"].update(ReadonlyRootfs=False),
    "numeric uid that is not 0": lambda s: s["Config"].update(User="0:60710"),
    "PidsLimit": lambda s: s["HostConfig"].update(PidsLimit=None),
    "Memory": lambda s: s["HostConfig"].update(Memory=0, MemorySwap=0),
    "MemorySwap equal to Memory": lambda s: s["HostConfig"].update(MemorySwap=2 * s["HostConfig"]["Memory"]),
    "NanoCpus": lambda s: s["HostConfig"].update(NanoCpus=0),
    "IpcMode private": lambda s: s["HostConfig"].update(IpcMode="shareable"),
    "not Privileged": lambda s: s["HostConfig"].update(Privileged=True),
    "no docker.sock": lambda s: s["Mounts"].append(
        {"Source": "/var/run/docker.sock", "Destination": "/handoff", "RW": s["HostConfig"]["PidMode"] == "host"}
    ),
    "log rotation": lambda s: s["HostConfig"].update(LogConfig={"Type": "json-file", "Config": {}}),
    "unless-stopped": lambda s: s["HostConfig"].update(RestartPolicy={"Name": "no"}),
    "a health check": lambda s: s["Config"].update(Healthcheck=None),
    "no core files": lambda s: s["HostConfig"].update(Ulimits=None),
}
COLLECTOR: dict[str, Callable[[Seen], object]] = {
    "PidMode host": lambda s: s["HostConfig"].update(PidMode=""),
    "NetworkMode none": lambda s: s["HostConfig"].update(NetworkMode="bridge"),
    "no ports": lambda s: s["HostConfig"].update(PortBindings={"1/tcp": [{"HostIp": "127.0.0.1"}]}),
    "mounts exactly the hand-off, rw": lambda s: s["Mounts"].append({"Destination": "/data", "RW": False}),
    "more CPU shares than others": lambda s: s["HostConfig"].update(CpuShares=0),
}
PUBLISHER: dict[str, Callable[[Seen], object]] = {
    "PidMode its own": lambda s: s["HostConfig"].update(PidMode="host"),
    "a user-defined network": lambda s: s["HostConfig"].update(NetworkMode="default"),
    "ports on 127.0.0.1 only": lambda s: s["HostConfig"].update(PortBindings={"8080/tcp": [{"HostIp": ""}]}),
    "mounts and their modes": lambda s: s["Mounts"][0].update(RW=not s["Mounts"][0]["RW"]),
    "group of the hand-off": lambda s: s["HostConfig"].update(GroupAdd=None),
}
FLIPS = [
    *((service, rule, flip) for service in ("collector", "publisher") for rule, flip in BOTH.items()),
    *(("collector", rule, flip) for rule, flip in COLLECTOR.items()),
    *(("publisher", rule, flip) for rule, flip in PUBLISHER.items()),
]


def inspected(pair: Pair) -> dict[str, Seen]:
    return {
        name: pair.client.api.inspect_container(str(pair.container(name).id)) for name in ("collector", "publisher")
    }


def test_every_line_holds(pair: Pair) -> None:
    assert violations(**inspected(pair)) == []


def test_every_line_turned_is_named(pair: Pair) -> None:
    seen = inspected(pair)
    for service, rule, flip in FLIPS:
        turned = copy.deepcopy(seen)
        flip(turned[service])
        assert f"{service}: {rule}" in violations(**turned), (service, rule)
    same = copy.deepcopy(seen)
    same["collector"]["Config"]["User"] = same["publisher"]["Config"]["User"]
    assert "distinct uids" in violations(**same)


@pytest.fixture(scope="module")
def contents(client: docker.DockerClient, images: str) -> dict[str, dict[str, tarfile.TarInfo]]:
    """Every file of each image, by `docker export`."""
    found = {}
    for name in ("collector", "publisher"):
        container = client.containers.create(f"{images}-{name}", name=f"{RUN}-export-{name}")
        try:
            archive = io.BytesIO(b"".join(cast("Iterator[bytes]", container.export())))
        finally:
            container.remove(force=True)
        with tarfile.open(fileobj=archive) as tar:
            found[name] = {member.name: member for member in tar.getmembers()}
    return found


@pytest.mark.parametrize(
    ("image", "foreign"),
    [
        ("collector", ("flask", "numpy", "syft", "opendp", "waitress", "cpu_publisher", "cpu_aggregator")),
        ("publisher", ("psutil", "numpy", "syft", "cpu_collector", "cpu_aggregator")),
    ],
)
def test_an_image_holds_its_own_package_and_no_tools(
    contents: dict[str, dict[str, tarfile.TarInfo]], image: str, foreign: tuple[str, ...]
) -> None:
    files = contents[image]
    own = f"usr/lib/python3/dist-packages/cpu_{image}"
    assert f"{own}/cli.py" in files
    tops = {name.split("/")[4] for name in files if name.startswith("usr/lib/python3/dist-packages/")}
    assert not {top for top in tops if any(top.lower().startswith(word) for word in foreign)}
    tools = {
        "sh",
        "bash",
        "dash",
        "busybox",
        "ash",
        "pip",
        "pip3",
        "apt-get",
        "apt",
        "dpkg",
        "perl",
        "curl",
        "wget",
        "su",
    }
    programs = {name for name in files if name.startswith(("usr/bin/", "usr/sbin/", "bin/", "sbin/"))}
    assert not {name for name in programs if name.rsplit("/", 1)[1] in tools}
    assert not {name for name in files if name.endswith("/pip") or "/ensurepip" in name}
    assert not {name for name in files if "/lib-dynload/" in name and "test" in name}
    raised = [name for name, member in files.items() if member.isfile() and member.mode & (stat.S_ISUID | stat.S_ISGID)]
    assert raised == []


def test_the_collectors_image_is_small(client: docker.DockerClient, images: str) -> None:
    assert client.images.get(f"{images}-collector").attrs["Size"] <= 30_000_000


def test_images_begin_with_one_layer(client: docker.DockerClient, images: str) -> None:
    """Python is on disk and in memory once, for both containers: it depends on nothing of the package."""
    first = {
        name: client.images.get(f"{images}-{name}").attrs["RootFS"]["Layers"][0] for name in ("collector", "publisher")
    }
    assert len(set(first.values())) == 1, first
