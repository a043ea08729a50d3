"""Edges of the decoder and of freshness, to the millisecond. The golden lines are in tests/contract."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from cpu_publisher.errors import RecordRejectedError
from cpu_publisher.presets import PRESETS, Preset
from cpu_publisher.record import Window, check_fresh, decode

if TYPE_CHECKING:
    from collections.abc import Callable

NOW_MS = 1_790_000_000_000


def line(preset: Preset, **changes: int) -> bytes:
    record = {
        "v": 1,
        "started_at_ms": NOW_MS,
        "boot_ms": 0,
        "span_ms": preset.n * preset.interval_ms,
        "n": preset.n,
        "interval_ms": preset.interval_ms,
        "lower": preset.lower,
        "upper": preset.upper,
        "mean": preset.lower,
    }
    return json.dumps(record | changes).encode() + b"\n"


def reason(call: Callable[[], object]) -> str | None:
    try:
        call()
    except RecordRejectedError as refusal:
        return refusal.reason
    return None


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_span_is_believed_from_its_readings_to_the_longest_span(preset: Preset) -> None:
    def verdict(span_ms: int) -> str | None:
        return reason(lambda: decode(line(preset, span_ms=span_ms), preset))

    least, most = preset.n * preset.interval_ms, preset.longest_span_ms
    assert [verdict(least - 1), verdict(least), verdict(most), verdict(most + 1)] == ["span", None, None, "span"]


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_window_is_fresh_from_a_second_ahead_to_a_sample_interval_and_15_s_ago(preset: Preset) -> None:
    def fresh(started_at_ms: int) -> str | None:
        window = Window(started_at_ms, 0, 5_000, 0)
        return reason(lambda: check_fresh(window, now_utc_ms=NOW_MS, last_started_ms=None, preset=preset))

    oldest = NOW_MS - 1_000 * preset.sample_seconds - 15_000
    assert [fresh(oldest - 1), fresh(oldest), fresh(NOW_MS), fresh(NOW_MS + 1_000), fresh(NOW_MS + 1_001)] == [
        "too_old",
        None,
        None,
        None,
        "ahead",
    ]


def test_window_must_start_after_the_last_one_and_a_repeat_is_called_that_however_old() -> None:
    def fresh(started_at_ms: int, last: int) -> str | None:
        window = Window(started_at_ms, 0, 5_000, 0)
        return reason(lambda: check_fresh(window, now_utc_ms=NOW_MS, last_started_ms=last, preset=PRESETS["hour"]))

    assert fresh(NOW_MS - 5_000, NOW_MS - 5_001) is None
    assert fresh(NOW_MS - 5_000, NOW_MS - 5_000) == "not_newer"
    assert fresh(NOW_MS - 3_600_000, NOW_MS - 3_600_000) == "not_newer"


def test_window_knows_its_end_on_both_clocks_and_never_shows_its_mean() -> None:
    window = Window(NOW_MS, 7_000, 5_003, 4_321)
    assert (window.ended_at_ms, window.boot_end_ms) == (NOW_MS + 5_003, 12_003)
    assert "4321" not in repr(window)


def test_no_error_on_the_way_holds_the_line() -> None:
    for broken in (b"\xff4321\n", b'{"mean":4321\n', b'{"mean":4321}\n', b"[" * 400 + b"4321\n"):
        with pytest.raises(RecordRejectedError) as refusal:
            decode(broken, PRESETS["hour"])
        error: BaseException | None = refusal.value
        while error is not None:
            assert "4321" not in repr(vars(error)) + repr(error.args)
            error = error.__context__ or error.__cause__


def test_depth_cannot_exhaust_the_stack() -> None:
    limit = sys.getrecursionlimit()
    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    sys.setrecursionlimit(depth + 100)
    try:
        assert reason(lambda: decode(b"[" * 200 + b"]" * 200 + b"\n", PRESETS["hour"])) == "not_json"
    finally:
        sys.setrecursionlimit(limit)
