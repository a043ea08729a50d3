"""What the health pages say in each state, from the first second to a recovery."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import requests
from tests.integration.pair import SHORT, Pair, make_data_dir, started

if TYPE_CHECKING:
    from pathlib import Path

    import docker

TOLD_WITHIN = 15  # seconds from a collector's end to a 503: 10 of patience, and a retry of the connection


def codes(pair: Pair) -> dict[str, int]:
    """Status of each health page."""
    pages = ("/livez", "/readyz", "/healthz", "/healthz/collector")
    return {path: requests.get(pair.url + path, timeout=5).status_code for path in pages}


def state(pair: Pair) -> str:
    """The state as the metrics and `/readyz` tell it, which must agree."""
    told = requests.get(f"{pair.url}/readyz", timeout=5).json()["description"]
    page = requests.get(f"{pair.url}/metrics", timeout=5).text
    on = re.findall(r'^cputracker_state\{state="(\w+)"\} 1$', page, flags=re.MULTILINE)
    return told if on == [told] else f"{told}, but the metrics say {on}"


def test_every_state_is_told(client: docker.DockerClient, images: str, tmp_path: Path) -> None:
    pair = Pair(client, make_data_dir(tmp_path / "data"), **SHORT)
    try:
        pair.compose("up", "--detach", "--no-build", "publisher")
        pair.until("the web answers", lambda: pair.get("/livez"))
        assert state(pair) == "starting"
        assert codes(pair) == {"/livez": 200, "/readyz": 200, "/healthz": 200, "/healthz/collector": 503}

        pair.compose("up", "--detach", "--no-build")
        pair.until("a publication", lambda: pair.released(1))
        pair.until("active", lambda: state(pair) == "active")
        assert set(codes(pair).values()) == {200}

        _pause(pair)
        _silence(pair)
    finally:
        pair.remove()


def _pause(pair: Pair) -> None:
    """The owner pauses: the last value stays and says so, nothing new comes; then it goes on."""
    pair.command("pause")
    pair.until("paused", lambda: state(pair) == "paused")
    body = pair.until("the file says so", lambda: _of_status(pair, "paused"))
    assert codes(pair)["/livez"] == 200
    pair.until("the next slot is over", lambda: time.time() > body["slot"] + 12)
    assert (pair.body() or {})["seq"] == body["seq"]
    pair.command("resume")
    pair.until("active again", lambda: state(pair) == "active")
    pair.until("a new release", lambda: pair.released(body["seq"] + 1))


def _of_status(pair: Pair, status: str) -> dict[str, Any] | None:
    body = pair.body()
    return body if body and body["status"] == status else None


def _silence(pair: Pair) -> None:
    """The collector is killed and stays away; only what was pooled before is published; then it comes back."""
    collector, witness = pair.container("collector"), pair.host_pid("publisher")
    collector.update(restart_policy={"Name": "no"})  # type: ignore[arg-type] # stubs know two of the four
    pair.kill("collector")
    killed_ms, began = time.time_ns() // 1_000_000, time.monotonic()
    said = pair.until("not ready", lambda: pair.ready(503), TOLD_WITHIN)
    assert time.monotonic() - began <= TOLD_WITHIN
    assert "collector_unreachable" in said["checks"]
    assert codes(pair) == {"/livez": 200, "/readyz": 503, "/healthz": 503, "/healthz/collector": 503}
    starts = [start for row in pair.ledger()["releases"] for start, _ in row["windows"]]
    assert max(starts) <= killed_ms, "a window out of nowhere"
    seq = (pair.body() or {"seq": 0})["seq"]
    collector.update(restart_policy={"Name": "unless-stopped"})  # type: ignore[arg-type] # as above
    collector.start()
    pair.until("ready again", lambda: pair.ready(200))
    pair.until("new releases", lambda: pair.released(seq + 1))
    assert pair.host_pid("publisher") == witness, "the publisher needed no restart"


def test_a_spent_budget_is_told_and_nothing_more_is_published(
    client: docker.DockerClient, images: str, tmp_path: Path
) -> None:
    with started(client, make_data_dir(tmp_path / "data"), **SHORT, CPUTRACKER_CAP_EPSILON="6") as pair:
        body = pair.until("the file says so", lambda: _of_status(pair, "budget_exhausted"))
        assert body["resumes_slot"] > body["slot"]
        pair.until("so do the pages", lambda: state(pair) == "budget_exhausted")
        assert codes(pair) == {"/livez": 200, "/readyz": 503, "/healthz": 503, "/healthz/collector": 200}
        assert "budget_exhausted" in (pair.ready(503) or {})["checks"]
        pair.until("a second release is refused", lambda: _refused(pair) >= 2)
        assert (pair.body() or {})["seq"] == body["seq"]
        rows = pair.ledger()["releases"]
        assert rows[-1]["seq"] == body["seq"]
        assert sum(row["spend_micro"] for row in rows) <= 6_000_000


def _refused(pair: Pair) -> int:
    """Releases that the cap has stopped."""
    page = requests.get(f"{pair.url}/metrics", timeout=5).text
    found = re.search(r'^cputracker_releases_refused_total\{reason="cap"\} (\d+)', page, flags=re.MULTILINE)
    return int(found[1]) if found else 0
