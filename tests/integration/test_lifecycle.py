"""Starts, stops, kills and refusals of the real pair."""

from __future__ import annotations

import json
import os
import select
import signal
from typing import TYPE_CHECKING

import pytest
from tests.integration.pair import SHORT, Pair, make_data_dir, started

if TYPE_CHECKING:
    from pathlib import Path

    import docker


@pytest.mark.parametrize("first", ["collector", "publisher"])
def test_the_pair_comes_up_in_any_order(client: docker.DockerClient, images: str, tmp_path: Path, first: str) -> None:
    pair = Pair(client, make_data_dir(tmp_path / "data"), **SHORT)
    try:
        pair.compose("up", "--detach", "--no-build", first)
        pair.until(f"{first} runs", lambda: pair.host_pid(first))
        if first == "publisher":
            pair.until("the web answers", lambda: pair.get("/livez"))
        pair.compose("up", "--detach", "--no-build")
        pair.until("a publication", lambda: pair.released(1))
    finally:
        pair.remove()


@pytest.mark.parametrize("service", ["collector", "publisher"])
def test_sigterm_ends_cleanly_in_under_a_second(own_pair: Pair, service: str) -> None:
    """Measured at the process itself: what a busy engine adds to `docker stop` is not ours."""
    container = own_pair.container(service)
    container.update(restart_policy={"Name": "no"})  # type: ignore[arg-type] # stubs know two of the four
    pid = own_pair.host_pid(service)
    handle = os.pidfd_open(pid)
    try:
        os.kill(pid, signal.SIGTERM)
        assert select.select([handle], [], [], 1)[0], f"{service} still runs"
    finally:
        os.close(handle)
    assert container.wait(timeout=10)["StatusCode"] == 0


@pytest.mark.parametrize("service", ["collector", "publisher"])
def test_sigkill_of_one_needs_no_restart_of_the_other(own_pair: Pair, service: str) -> None:
    pair, other = own_pair, {"collector": "publisher", "publisher": "collector"}[service]
    before = pair.body()
    assert before
    witness = pair.host_pid(other)
    killed = pair.kill(service)
    pair.until("restarted by the engine", lambda: pair.host_pid(service) not in (0, killed))
    pair.until("new releases", lambda: pair.released(before["seq"] + 2))
    assert pair.host_pid(other) == witness
    rows = pair.ledger()["releases"]
    assert len({(row["slot"], row["kind"]) for row in rows}) == len(rows)


def test_the_embedded_default_needs_no_settings_at_all(client: docker.DockerClient, images: str) -> None:
    with started(client, None) as pair:
        page = pair.until("the page", lambda: pair.get("/"))
        assert "Nobody else sees this" in page.text
        status = pair.until("a first release", lambda: _released(pair), 60)
        assert (status["email"], status["embedded"], status["preset"]) == ("local@example.com", True, "hour")
        assert "local@example.com" in pair.logs()


def _released(pair: Pair) -> dict[str, object] | None:
    try:
        status: dict[str, object] = json.loads(pair.command("status", "--json"))
    except ValueError:
        return None
    return status if status["last"] else None


@pytest.mark.parametrize("missing", ["datasites/alice@example.com", "datasites/alice@example.com/app_data/cpu_tracker"])
def test_a_missing_path_fails_closed(client: docker.DockerClient, images: str, tmp_path: Path, missing: str) -> None:
    data = make_data_dir(tmp_path / "data")
    gone = data / missing
    gone.rename(tmp_path / "aside")
    pair = Pair(client, data, **SHORT)
    try:
        done = pair.compose("up", "--detach", "--no-build", check=False)
        assert done.returncode != 0
        assert "does not exist" in done.stderr
        assert not gone.exists(), "Docker must not make it as root"
    finally:
        pair.remove()


def test_a_data_folder_without_an_email_starts_nothing(
    client: docker.DockerClient, images: str, tmp_path: Path
) -> None:
    pair = Pair(client, make_data_dir(tmp_path / "data"), **SHORT, CPUTRACKER_EMAIL="")
    try:
        done = pair.compose("up", "--detach", "--no-build", check=False)
        assert done.returncode != 0
        assert "CPUTRACKER_EMAIL" in done.stderr
    finally:
        pair.remove()
