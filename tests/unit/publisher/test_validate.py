from __future__ import annotations

import json
import random
import stat
from typing import TYPE_CHECKING

import pytest

from cpu_publisher import settings, validate
from cpu_publisher.history import HISTORY_NAME

if TYPE_CHECKING:
    from pathlib import Path

SEED = 20261124


def line(raw: float, released: float, slot: int = 0, scale: float = 8.333) -> str:
    return json.dumps(
        {
            "slot": slot,
            "slot_seconds": 3_600,
            "kind": "slot",
            "seq": 1,
            "windows": [[slot * 1_000, round(100 * raw)]],
            "raw": raw,
            "released": released,
            "scale_pp": scale,
        }
    )


def history(count: int, noise_share: float = 1.0) -> list[str]:
    rng = random.Random(SEED)
    lines = []
    for i in range(count):
        noise = noise_share * 8.333 * (rng.expovariate(1) - rng.expovariate(1))
        lines.append(line(20.0, 20.0 + noise, slot=3_600 * i))
    return lines


@pytest.fixture
def private(tmp_path: Path) -> settings.Settings:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    return settings.read({"CPUTRACKER_PRIVATE_DIR": str(folder)})


def keep(chosen: settings.Settings, lines: list[str]) -> None:
    (chosen.private_dir / HISTORY_NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_week_of_true_noise_is_as_expected() -> None:
    releases, unreadable = validate.parse(history(168))
    summary = validate.summarise(releases, unreadable)
    assert (summary.releases, summary.unreadable) == (168, 0)
    assert summary.plausible
    assert 0.9 < summary.inside < 1
    assert summary.median_error == pytest.approx(summary.median_error_expected, rel=0.25)
    assert abs(summary.mean_error) < 5 * summary.mean_error_expected
    assert sum(count for *_, count, _ in summary.histogram) == 168
    assert sum(expected for *_, expected in summary.histogram) == pytest.approx(168)


@pytest.mark.parametrize("share", [0.0, 0.3, 3.0])
def test_too_little_or_too_much_noise_is_seen(share: float) -> None:
    summary = validate.summarise(validate.parse(history(1_000, share))[0])
    assert not summary.plausible
    assert "NOT" in validate.text(summary)


def test_one_release_is_never_a_verdict() -> None:
    assert validate.summarise(validate.parse([line(1, 1)])[0]).plausible
    assert validate.summarise(validate.parse([line(1, 90)])[0]).plausible


@pytest.mark.parametrize(
    "bad",
    ["", "{", "[]", "null", '{"slot": 1}', line(1, float("nan")), line(1, 2, scale=0), line(1, 2)[:40], '{"raw": "x"}'],
)
def test_a_line_that_is_none_is_counted(bad: str) -> None:
    releases, unreadable = validate.parse([line(1, 2), bad])
    assert (len(releases), unreadable) == (1, 1)


def test_values_stay_out_of_repr() -> None:
    shown = repr(validate.parse([line(12.34, 56.78)])[0])
    assert "12.34" not in shown
    assert "56.78" not in shown


def test_summary_shows_errors_and_no_raw_mean(private: settings.Settings, capsys: pytest.CaptureFixture[str]) -> None:
    keep(private, [line(77.77, 80.0), line(33.33, 30.0)])
    assert validate.main([], private) == 0
    out = capsys.readouterr().out
    assert "2 releases" in out
    assert "77.77" not in out
    assert validate.main(["--json"], private) == 0
    assert json.loads(capsys.readouterr().out)["releases"] == 2


def test_the_picture_is_the_owners_alone(private: settings.Settings, capsys: pytest.CaptureFixture[str]) -> None:
    keep(private, history(10))
    assert validate.main(["--html"], private) == 0
    file = private.private_dir / validate.PICTURE_NAME
    assert str(file) in capsys.readouterr().out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    html = file.read_text(encoding="utf-8")
    assert "<script" not in html
    assert "<svg" in html


def test_nothing_to_compare_is_said(private: settings.Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate.main([], private) == 3
    assert "CPUTRACKER_HISTORY_DAYS" in capsys.readouterr().out
