"""The owner's own history: raw against released, 0600, only as many days as asked for."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.publisher.sim import START, Host, no_noise, quick_folder
from tests.unit.publisher.test_ledger import row

from cpu_publisher import history
from cpu_publisher.errors import FolderError
from cpu_publisher.folder import Folder
from cpu_publisher.pool import Pooled, Stamp

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400
WINDOWS = [Pooled(Stamp(1_000 * START + 300_000 * i, 300_000 * i, 5_003, "a"), 1_000 + i) for i in range(12)]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder.open(tmp_path)


def lines(folder: Folder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder.path / history.HISTORY_NAME).read_text().splitlines() if line]


def put(folder: Folder, slot: int, days: int = 7) -> None:
    history.append(folder, row(slot), WINDOWS, 12.5, days)


def test_raw_beside_released(folder: Folder) -> None:
    put(folder, 0)
    (line,) = lines(folder)
    assert line["raw"] == pytest.approx(10.055, abs=1e-4)
    assert (line["released"], line["slot"], line["kind"]) == (12.5, START, "slot")
    assert line["windows"][1] == [1_000 * START + 300_000, 1_001]
    assert line["scale_pp"] == pytest.approx(10_000 / 1_200)
    assert stat.S_IMODE((folder.path / history.HISTORY_NAME).stat().st_mode) == 0o600


def test_older_than_the_days_asked_for_is_forgotten(folder: Folder) -> None:
    for hour in range(0, 24 * 12, 6):
        put(folder, 3_600 * hour)
    slots = [line["slot"] for line in lines(folder)]
    assert slots[-1] == START + 3_600 * 282
    assert slots[-1] - slots[0] <= 8 * DAY
    assert slots[-1] - slots[0] >= 7 * DAY


def test_no_history_means_none_of_before_either(folder: Folder) -> None:
    put(folder, 0)
    put(folder, 3_600, days=0)
    assert folder.names() == ()


def test_a_release_that_a_crash_brings_again_is_kept_once(folder: Folder) -> None:
    put(folder, 0)
    put(folder, 3_600)
    put(folder, 3_600)
    assert [line["slot"] for line in lines(folder)] == [START, START + 3_600]


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_line_cut_by_a_crash_takes_no_other_with_it(folder: Folder, cut: int) -> None:
    put(folder, 0)
    put(folder, 3_600)
    path = folder.path / history.HISTORY_NAME
    path.write_bytes(path.read_bytes()[:-cut])
    put(folder, 7_200)
    kept = []
    for line in path.read_text().splitlines():
        try:
            kept.append(json.loads(line)["slot"])
        except ValueError:
            continue
    assert kept == [START, *([START + 3_600] if cut == 1 else []), START + 7_200]


def test_a_planted_link_is_not_followed(folder: Folder, tmp_path: Path) -> None:
    target = tmp_path / "outside"
    target.touch()
    (folder.path / history.HISTORY_NAME).symlink_to(target)
    with pytest.raises(FolderError, match="cannot append"):
        put(folder, 0)
    assert target.read_bytes() == b""


def test_a_damaged_history_is_forgotten_line_by_line(folder: Folder) -> None:
    path = folder.path / history.HISTORY_NAME
    put(folder, 0)
    path.write_bytes(path.read_bytes() + b'[]\n{"slot": null}\n\xff\n')
    put(folder, 9 * DAY)
    assert [line["slot"] for line in lines(folder)] == [START + 9 * DAY]


def test_the_newest_raw_mean_is_that_of_the_release() -> None:
    document = json.loads(history.raw_document(replace(row(0), due_ms=1_000 * START + 3_610_000), WINDOWS))
    assert document == {"cpu": 10.055, "timestamp": "2026-11-24 13:00:10", "slot": START, "windows": 12}


def test_a_publisher_keeps_it_for_its_owner_alone() -> None:
    with no_noise(), quick_folder() as root:
        host = Host(root, {"HISTORY_DAYS": "7"})
        host.run(3_700)
        found = [json.loads(line) for line in (host.private / "history.jsonl").read_text().splitlines()]
        assert [(line["kind"], len(line["windows"])) for line in found] == [("first", 1), ("slot", 11)]
        assert all(line["raw"] == pytest.approx(line["released"], abs=1e-4) for line in found), "no noise in this test"
        host.stop()
