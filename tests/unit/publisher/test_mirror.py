"""The copy for first-generation readers: who counts us, who cannot, and what a heartbeat changes."""

from __future__ import annotations

import json
import stat
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from tests.unit.publisher.old_leader import FRESH_SECONDS, counted

from cpu_publisher.datasite import Datasite
from cpu_publisher.errors import FolderError
from cpu_publisher.mirror import HEARTBEAT_SECONDS, restamp

if TYPE_CHECKING:
    from pathlib import Path

EMAIL = "alice@example.com"
DUE_MS = 1_790_000_000_000
BODY = json.dumps({"cpu": -3.25, "timestamp": "2026-09-21 14:13:20", "schema": 1, "seq": 7}, indent=2).encode() + b"\n"
OFFSETS = [timedelta(minutes=minutes) for minutes in range(-12 * 60, 14 * 60 + 1, 15)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "datasites" / EMAIL
    for parent in ("app_data", "api_data"):
        (root / parent / "cpu_tracker").mkdir(parents=True)
    return root


@pytest.fixture
def datasite(root: Path) -> Datasite:
    return Datasite(root, email=EMAIL, aggregators=("agg@openmined.org",), layout="datasites", mirror=True)


def local(now_ms: int, offset: timedelta) -> datetime:
    return datetime.fromtimestamp(now_ms / 1_000, tz=timezone(offset)).replace(tzinfo=None)


def test_the_mirror_is_the_same_release_with_the_same_permissions(datasite: Datasite, root: Path) -> None:
    datasite.publish(BODY, DUE_MS)
    ours, copy = root / "app_data" / "cpu_tracker", root / "api_data" / "cpu_tracker"
    for name in ("cpu_tracker.json", "syft.pub.yaml", "syftperm.yaml"):
        assert (copy / name).read_bytes() == (ours / name).read_bytes()
        assert stat.S_IMODE((copy / name).stat().st_mode) == 0o644


def test_a_heartbeat_changes_the_stamp_of_the_mirror_and_nothing_else(datasite: Datasite, root: Path) -> None:
    datasite.publish(BODY, DUE_MS)
    assert datasite.heartbeat(BODY, DUE_MS + 45_000) == ()
    copy = root / "api_data" / "cpu_tracker" / "cpu_tracker.json"
    assert (root / "app_data" / "cpu_tracker" / "cpu_tracker.json").read_bytes() == BODY
    assert json.loads(copy.read_bytes()) == json.loads(BODY) | {"timestamp": "2026-09-21 14:14:05"}
    assert copy.stat().st_mtime_ns == (DUE_MS + 45_000) * 10**6


@pytest.mark.parametrize("zone", ["UTC0", "IST-5:30", "EST5EDT", "LINT-14"])
def test_the_stamp_is_utc_wherever_the_publisher_runs(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert json.loads(restamp(BODY, DUE_MS))["timestamp"] == "2026-09-21 14:13:20"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_old_leader_counts_us_unless_its_clock_is_ahead_of_utc(datasite: Datasite, root: Path) -> None:
    """Ahead of UTC it counts nobody at all: its own flaw, which no honest stamp can cure."""
    datasite.publish(BODY, DUE_MS)
    now = DUE_MS + 3_000_000
    datasite.heartbeat(BODY, now)
    last_moment = now + HEARTBEAT_SECONDS * 1_000 + 5_000  # just before the next heartbeat has synced
    for offset in OFFSETS:
        expected = {} if offset > timedelta() else {EMAIL: -3.25}
        assert counted(root.parent, local(last_moment, offset)) == expected, offset


def test_without_a_heartbeat_it_forgets_us_after_a_minute(datasite: Datasite, root: Path) -> None:
    datasite.publish(BODY, DUE_MS)
    utc = timedelta()
    assert counted(root.parent, local(DUE_MS + (FRESH_SECONDS - 1) * 1_000, utc)) == {EMAIL: -3.25}
    assert counted(root.parent, local(DUE_MS + FRESH_SECONDS * 1_000, utc)) == {}


def test_without_the_mirror_it_never_finds_us(root: Path) -> None:
    Datasite(root, email=EMAIL, aggregators=(), layout="datasites").publish(BODY, DUE_MS)
    assert counted(root.parent, local(DUE_MS, timedelta())) == {}
    assert list((root / "api_data" / "cpu_tracker").iterdir()) == []


def test_leaving_takes_a_mirror_that_was_switched_off_and_no_file_of_another_app(
    datasite: Datasite, root: Path
) -> None:
    datasite.publish(BODY, DUE_MS)
    without = Datasite(root, email=EMAIL, aggregators=("agg@openmined.org",), layout="datasites")
    assert len(without.leave()) == 6
    theirs = root / "api_data" / "cpu_tracker" / "cpu_tracker.json"
    theirs.write_bytes(b"{}")
    assert without.leave() == ()
    assert theirs.read_bytes() == b"{}"


def test_a_missing_mirror_folder_stops_the_release_before_anything_is_written(datasite: Datasite, root: Path) -> None:
    (root / "api_data" / "cpu_tracker").rmdir()
    with pytest.raises(FolderError, match="api_data"):
        datasite.publish(BODY, DUE_MS)
    assert not (root / "app_data" / "cpu_tracker" / "cpu_tracker.json").exists()


def test_a_heartbeat_restores_permissions_first(datasite: Datasite, root: Path) -> None:
    datasite.publish(BODY, DUE_MS)
    (root / "api_data" / "cpu_tracker" / "syft.pub.yaml").write_text("rules: []\n")
    assert datasite.heartbeat(BODY, DUE_MS) == ("syft.pub.yaml",)


@pytest.mark.parametrize("body", [b"[]", b"{}", b"not json"])
def test_only_a_released_body_is_stamped(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"timestamp|Expecting"):
        restamp(body, DUE_MS)
