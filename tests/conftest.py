"""What all kinds of tests share: images built once, a clean engine before and after, logs with a failure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.integration.pair import IMAGES, RUN, SHORT, Pair, build, engine, make_data_dir, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    import docker


# `make test` runs files on two workers, in this order: long ones first, so that none is left to run alone at the end,
# and beside one that waits for an image to be built (the pair's, then SyftBox's in test_app) one that needs none.
FIRST = (
    "tests/attack/test_canary.py",
    "tests/federation/test_acl_oracles.py",
    "tests/federation/test_app.py",
    "tests/integration/test_kills.py",
    "tests/integration/test_health.py",
    "tests/integration/test_lifecycle.py",
    "tests/integration/test_disk.py",
    "tests/integration/test_refusals.py",
    "tests/audit/test_path.py",
    "tests/audit/test_noise.py",
    "tests/audit/test_kill.py",
    "tests/federation/test_federation.py",
    "tests/federation/test_demo.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of FIRST before the others."""
    place = {name: at for at, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.nodeid.partition("::")[0], len(FIRST)))


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """The publisher sets the umask of its process: no test may hand it to the next one."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    """The engine, with nothing of ours on it before and after."""
    client = engine()
    assert not ours(client)
    yield client
    left = ours(client)
    client.close()
    assert not left, f"left on the engine: {left}"


def ours(client: docker.DockerClient) -> list[str]:
    """Containers, networks and volumes of this run's projects."""
    names = [container.name for container in client.containers.list(all=True, ignore_removed=True)]
    names += [network.name for network in client.networks.list()]
    names += [volume.name for volume in client.volumes.list()]
    return [name for name in names if name and name.startswith(RUN)]


@pytest.fixture(scope="session")
def images(client: docker.DockerClient) -> str:
    """The images of this work tree, built as `make up` builds them; their common first name."""
    build("up")
    assert client.images.get(f"{IMAGES}-collector")
    return IMAGES


@pytest.fixture(scope="session")
def pair(client: docker.DockerClient, images: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """One running pair with short slots on a real datasite, for every test that does not harm it."""
    with started(client, make_data_dir(tmp_path_factory.mktemp("syftbox") / "data"), **SHORT) as pair:
        pair.until("a first publication", lambda: pair.released(1))
        yield pair


@pytest.fixture
def own_pair(client: docker.DockerClient, images: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A pair of its own for a test that kills, pauses or starves it."""
    with started(client, make_data_dir(tmp_path_factory.mktemp("syftbox") / "data"), **SHORT) as pair:
        pair.until("a first publication", lambda: pair.released(1))
        yield pair


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure shows what the containers said."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined] # pluggy's result object
    if report.when == "call" and report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Pair):
                report.sections.append(("containers", value.logs()))
