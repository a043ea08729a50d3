from __future__ import annotations

import pytest

from cpu_collector.environment import refuse_shared_uid, virtual_machine
from cpu_collector.errors import IsolationError


@pytest.mark.parametrize(("uids", "says"), [((0, 0, 0), "root"), ((60711, 60711, 0), "root"), ((1, 1000, 1), "1000")])
def test_shared_uids_are_refused(uids: tuple[int, ...], says: str) -> None:
    with pytest.raises(IsolationError, match=says):
        refuse_shared_uid(uids, 1000)


def test_a_uid_of_its_own_is_fine() -> None:
    refuse_shared_uid((60711, 60711, 60711), 1000)


@pytest.mark.parametrize(
    ("release", "says"),
    [
        ("6.10.14-linuxkit", "Docker Desktop"),
        ("5.15.167.4-microsoft-standard-WSL2", "WSL 2"),
        ("4.4.0-19041-Microsoft", "WSL 2"),
        ("6.12.43+deb13-amd64", ""),
    ],
)
def test_a_virtual_machine_is_named(release: str, says: str) -> None:
    assert virtual_machine(release).partition(":")[0] == says
