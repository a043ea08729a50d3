"""What is not as it must be: a clear reason, nothing published, nothing lost, and mended where it can be."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import requests
from tests.integration.pair import OWNER, SHORT, Pair, make_data_dir, started

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import docker


def _of_another(data: Path) -> None:
    for path in (data / "private" / "cpu_tracker", data / "datasites" / "alice@example.com" / "app_data/cpu_tracker"):
        os.chown(path, OWNER + 1, OWNER + 1)


def _no_ledger(data: Path) -> None:
    (data / "private" / "cpu_tracker" / "ledger.sqlite3").write_bytes(b"this is no ledger" * 100)
    os.chown(data / "private" / "cpu_tracker" / "ledger.sqlite3", OWNER, OWNER)


def _leaking(data: Path) -> None:
    path = data / "datasites" / "alice@example.com" / "syft.pub.yaml"
    path.write_text(
        "terminal: true\nrules:\n- pattern: '**'\n  access: {admin: [], write: [], read: ['*']}\n", encoding="utf-8"
    )
    path.chmod(0o644)


@pytest.mark.parametrize(
    ("spoil", "code"), [(_of_another, "folder"), (_no_ledger, "ledger_corrupt"), (_leaking, "permissions_leak")]
)
def test_a_spoiled_folder_closes_the_publisher_with_a_reason(
    client: docker.DockerClient, images: str, tmp_path: Path, spoil: Callable[[Path], None], code: str
) -> None:
    data = make_data_dir(tmp_path / "data")
    spoil(data)
    with started(client, data, **SHORT) as pair:
        said = pair.until("a reason", lambda: pair.ready(503))
        assert code in said["checks"], said
        assert said["description"] == "closed"
        assert requests.get(f"{pair.url}/livez", timeout=5).status_code == 200, "a restart would mend nothing"
        assert all(check["output"] for check in said["checks"][code])
        assert not pair.public.exists()
        assert code in pair.logs()


def test_a_second_publisher_of_one_datasite_is_refused(own_pair: Pair) -> None:
    second = Pair(own_pair.client, own_pair.data_dir, **SHORT)
    try:
        second.compose("up", "--detach", "--no-build")
        said = second.until("a reason", lambda: second.ready(503))
        assert "locked" in said["checks"], said
        seq = (own_pair.body() or {})["seq"]
        own_pair.until("the first goes on", lambda: own_pair.released(seq + 1))
        own_pair.container("publisher").stop(timeout=2)
        seq = (own_pair.body() or {})["seq"]
        second.until("the second takes over, with the ledger of the first", lambda: second.released(seq + 1))
        rows = second.ledger()["releases"]
        assert len({(row["slot"], row["kind"]) for row in rows}) == len(rows)
    finally:
        second.remove()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"CPUTRACKER_EMAIL": "alice"}, "CPUTRACKER_EMAIL is 'alice'"),
        ({"CPUTRACKER_LOWER": "40", "CPUTRACKER_UPPER": "30"}, "CPUTRACKER_LOWER is 40, CPUTRACKER_UPPER 30"),
        ({"CPUTRACKER_PRESET": "fast"}, "CPUTRACKER_PRESET is 'fast'; allowed: hour, "),
        ({"CPUTRACKER_UID": "0"}, "refuses to run as root"),
        ({"CPUTRACKER_UID": "60711"}, "share the uid 60711"),
    ],
)
def test_what_cannot_work_is_said_and_nothing_starts(
    client: docker.DockerClient, images: str, settings: dict[str, str], message: str
) -> None:
    pair = Pair(client, None, **settings)
    try:
        done = pair.compose("run", "--rm", "--no-deps", "-T", "publisher", check=False)
        assert done.returncode == 2
        assert message in done.stderr
    finally:
        pair.remove()


def test_a_collector_with_other_bounds_is_told_and_not_believed(
    client: docker.DockerClient, images: str, tmp_path: Path
) -> None:
    data = make_data_dir(tmp_path / "data")
    pair = Pair(client, data, **SHORT | {"CPUTRACKER_READINGS": "4"})
    try:
        pair.compose("up", "--detach", "--no-build", "collector")
        pair.environ["CPUTRACKER_READINGS"] = "5"
        pair.compose("up", "--detach", "--no-build", "publisher")
        told = 'cputracker_records_rejected_total{reason="settings"}'
        pair.until("a reason", lambda: told in (page.text if (page := pair.get("/metrics")) is not None else ""))
        assert pair.body() is None
        pair.compose("up", "--detach", "--no-build", "collector")
        pair.until("mended by the same settings for both", lambda: pair.released(1))
    finally:
        pair.remove()
