"""The rule that accepts a window, and the file that keeps the accepted ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cpu_publisher.errors import FolderError
from cpu_publisher.folder import Folder
from cpu_publisher.pool import POOL_NAME, Pool, Pooled, Stamp, is_after, refusal
from cpu_publisher.presets import PRESETS, customise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOUR = PRESETS["hour"]
NOON_MS = 1_795_521_600_000
BOOT_MS = 50_000_000


def stamp(utc: int, boot: int, *, span: int = 5_000, boot_id: str = "a") -> Stamp:
    """Milliseconds after noon, and after BOOT_MS."""
    return Stamp(NOON_MS + utc, BOOT_MS + boot, span, boot_id)


LAST = stamp(1_000, 1_000, span=5_500)  # ends at 6.5 s


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(290, "too_soon"), (290.5, "too_soon"), (290.999, "too_soon"), (291, None), (400, None)],
)
def test_golden_case_a_job_of_290_s_and_a_half_touches_one_released_window_at_most(
    seconds: float, reason: str | None
) -> None:
    """Windows 290 s apart, end to start, could both be touched by one job shorter than covers_seconds."""
    gap = round(1_000 * seconds)
    later = stamp(300_000, 6_500 + gap)  # another sample interval by UTC, whatever the distance
    assert refusal(later, LAST, HOUR, 0) == reason


@pytest.mark.parametrize("step_ms", [-3_600_000, -1, 0, 300_000, 86_400_000])
def test_a_clock_step_buys_nothing(step_ms: int) -> None:
    assert refusal(stamp(300_000 + max(step_ms, 0), 6_500 + 290_000), LAST, HOUR, 0) == "too_soon"
    if step_ms < 0:
        assert refusal(stamp(step_ms, 6_500 + 291_000), LAST, HOUR, 0) == "interval_taken"


@pytest.mark.parametrize(("since_boot_ms", "reason"), [(0, "too_soon"), (290_999, "too_soon"), (291_000, None)])
def test_across_a_boot_the_distance_counts_from_the_boot_itself(since_boot_ms: int, reason: str | None) -> None:
    """UTC says that hours passed: it may have been stepped while the host was down."""
    later = Stamp(NOON_MS + 7_200_000, since_boot_ms, 5_000, "b")
    assert refusal(later, LAST, HOUR, 0) == reason


def test_one_window_a_sample_interval() -> None:
    assert refusal(stamp(299_999, 298_000), LAST, HOUR, 0) == "interval_taken"
    assert refusal(stamp(300_000, 298_000), LAST, HOUR, 0) is None


def test_the_first_window_of_all_is_accepted_at_once() -> None:
    assert refusal(stamp(0, -BOOT_MS), None, HOUR, 0) is None


def test_day_sampled_takes_its_own_interval_of_the_day_alone() -> None:
    preset = PRESETS["day-sampled"]
    noon = 144  # 12:00 is interval 144 of 288
    assert refusal(stamp(0, 0), None, preset, noon) is None
    assert refusal(stamp(300_000, 0), None, preset, noon) == "not_todays_interval"
    assert refusal(stamp(86_400_000, 86_400_000), LAST, preset, noon) is None


def test_what_a_crash_left_is_told_by_either_clock() -> None:
    assert is_after(LAST, None)
    assert not is_after(LAST, LAST)
    assert not is_after(stamp(999_999, 1_000), LAST), "UTC was stepped, CLOCK_BOOTTIME was not"
    assert not is_after(stamp(0, 999_999), LAST)
    assert not is_after(Stamp(NOON_MS, 0, 5_000, "b"), LAST), "another boot, but not later by UTC"
    assert is_after(Stamp(NOON_MS + 2_000, 0, 5_000, "b"), LAST)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder.open(tmp_path)


ONE, TWO = Pooled(LAST, 1_234), Pooled(stamp(3_600_000, 3_600_000), 10_000)


def filled(folder: Folder) -> Pool:
    pool = Pool(folder, "1d", HOUR)
    pool.add(ONE)
    pool.add(TWO)
    return pool


def test_what_was_added_is_there_after_a_restart(folder: Folder) -> None:
    filled(folder)
    again = Pool(folder, "1d", HOUR)
    assert again.load() == {}
    assert again.windows == (ONE, TWO)
    assert folder.mode(POOL_NAME) == 0o600
    assert again.slots() == [NOON_MS // 1_000, NOON_MS // 1_000 + 3_600]
    assert again.of_slot(NOON_MS // 1_000) == (ONE,)
    assert again.remove([ONE, Pooled(stamp(9, 9), 1)]) == 1
    assert Pool(folder, "1d", HOUR).load() == {}


def test_a_mean_is_never_shown_by_repr() -> None:
    assert "1234" not in repr(ONE)
    assert "1234" not in str((ONE,))


def edit(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def apply(raw: bytes) -> bytes:
        document = json.loads(raw)
        change(document)
        return json.dumps(document).encode()

    return apply


@pytest.mark.parametrize(
    ("damage", "dropped"),
    [
        (lambda _: b"{", {"pool_unreadable": 1}),
        (lambda _: b"[]", {"pool_unreadable": 1}),
        (lambda _: b"[" * 100_000, {"pool_unreadable": 1}),
        (lambda _: b"\xff\xfe", {"pool_unreadable": 1}),
        (edit(lambda d: d.pop("windows")), {"pool_unreadable": 1}),
        (edit(lambda d: d["windows"][0].pop()), {"pool_unreadable": 1}),
        (edit(lambda d: d["windows"][0].__setitem__(4, 1.5)), {"pool_unreadable": 1}),
        (edit(lambda d: d["windows"][0].__setitem__(4, d["windows"] != [])), {"pool_unreadable": 1}),
        (edit(lambda d: d["windows"][0].__setitem__(3, 7)), {"pool_unreadable": 1}),
        (edit(lambda d: d.__setitem__("ledger_id", "2e")), {"other_ledger": 2}),
        (edit(lambda d: d.__setitem__("settings", "x")), {"other_settings": 2}),
        (edit(lambda d: d["windows"][1].__setitem__(4, 10_001)), {"out_of_bounds": 1}),
        (edit(lambda d: d["windows"][1].__setitem__(4, -1)), {"out_of_bounds": 1}),
    ],
)
def test_what_may_not_be_believed_is_dropped_with_its_reason(
    folder: Folder, damage: Callable[[bytes], bytes], dropped: dict[str, int]
) -> None:
    filled(folder)
    (folder.path / POOL_NAME).write_bytes(damage((folder.path / POOL_NAME).read_bytes()))
    pool = Pool(folder, "1d", HOUR)
    assert pool.load() == dropped
    assert pool.windows == ((ONE,) if "out_of_bounds" in dropped else ())
    assert Pool(folder, "1d", HOUR).load() == {}, "dropped once, in the file as well"


@pytest.mark.parametrize("changes", [{"epsilon": 2.0}, {"slot_seconds": 300}, {"upper_percent": 50}, {"n": 49}])
def test_other_settings_drop_the_pool(folder: Folder, changes: dict[str, object]) -> None:
    filled(folder)
    assert Pool(folder, "1d", customise(HOUR, **changes)).load() == {"other_settings": 2}


def test_a_write_that_fails_leaves_file_and_memory_as_they_were(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = filled(folder)
    before = (folder.path / POOL_NAME).read_bytes()

    def full(*_: object, **__: object) -> None:
        raise FolderError("disk full")

    monkeypatch.setattr(folder, "write", full)
    with pytest.raises(FolderError):
        pool.add(Pooled(stamp(9_000_000, 9_000_000), 5))
    with pytest.raises(FolderError):
        pool.remove([ONE])
    assert pool.windows == (ONE, TWO)
    assert (folder.path / POOL_NAME).read_bytes() == before
