"""From /proc/stat to the public file, through the real pair; and what the web says of it."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import requests
from tests.contract import strict_reader
from tests.integration.pair import OWNER

if TYPE_CHECKING:
    from tests.integration.pair import Pair


def test_the_public_file_is_valid_for_strict_and_for_old_readers(pair: Pair) -> None:
    pair.until("a full slot", lambda: pair.released(3))
    body = strict_reader.read(pair.public)
    old = strict_reader.as_old_leader(json.dumps(body).encode())
    assert (old[0], str(old[1])) == (body["cpu"], body["timestamp"])
    info = pair.public.stat()
    assert (info.st_uid, stat.S_IMODE(info.st_mode)) == (OWNER, 0o644)


def test_the_raw_mean_is_in_the_private_folder_only_and_agrees_with_the_history(pair: Pair) -> None:
    raw = json.loads((pair.private / "cpu_tracker.json").read_bytes())
    assert raw.keys() == {"cpu", "timestamp", "slot", "windows"}
    assert 0 <= raw["cpu"] <= 100
    for name in ("cpu_tracker.json", "history.jsonl", "ledger.sqlite3", "pool.json", "lock"):
        info = (pair.private / name).stat()
        assert (info.st_uid, stat.S_IMODE(info.st_mode)) == (OWNER, 0o600), name
    lines = [json.loads(line) for line in (pair.private / "history.jsonl").read_text().splitlines()]
    assert all(len(line["windows"]) == 1 or line["kind"] == "slot" for line in lines)
    everything = [p for p in pair.datasite.rglob("*") if p.is_file()]
    assert {p.name for p in everything} == {"cpu_tracker.json", "syft.pub.yaml", "syftperm.yaml"}


def test_a_busy_machine_is_seen_in_the_raw_mean(pair: Pair) -> None:
    """The numbers come from this machine's /proc/stat: the raw mean agrees with what the host counts itself."""
    before = pair.ledger()["releases"][-1]["seq"]
    burner = os.fork()
    if burner == 0:
        while True:
            pass
    try:
        pair.until("two slots under load", lambda: pair.released(before + 3))
        last = json.loads((pair.private / "history.jsonl").read_text().splitlines()[-1])
    finally:
        os.kill(burner, 9)
        os.waitpid(burner, 0)
    assert last["raw"] >= 100 / (os.cpu_count() or 1) * 0.6


def test_health_pages_and_host_check(pair: Pair) -> None:
    for path, kind in (("/livez", "application/health+json"), ("/readyz", "application/health+json")):
        answer = pair.until(path, lambda path=path: pair.get(path))  # type: ignore[misc] # bound per turn
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
    assert "default-src 'none'" in requests.get(pair.url, timeout=5).headers["Content-Security-Policy"]
    refused = pair.get("/", Host="attacker.example")
    assert refused is not None
    assert refused.status_code == 421
    assert requests.post(f"{pair.url}/readyz", timeout=5).status_code == 405
    metrics = requests.get(f"{pair.url}/metrics", timeout=5).text
    assert 'cputracker_windows_accepted_total{reason="ok"}' in metrics


def test_commands_in_the_container(pair: Pair) -> None:
    status = json.loads(pair.command("status", "--json"))
    assert status["state"] == "active"
    assert status["last"]["seq"] >= 1
    assert json.loads(pair.command("audit", "--json"))["ok"] is True
    assert "hour" in pair.command("preview")
    assert pair.ledger()["mode"] == "container"
    assert "mean error" in pair.command("validate")
