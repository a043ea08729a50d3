"""The commands as a person types them."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.aggregator.sites import HOUR, SLOT, FakeClock, put, raw, stamp

from cpu_aggregator import cli, health, heartbeat, policy, service, settings
from cpu_aggregator.clock import SystemClock
from cpu_aggregator.view import Estimate, Point

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = Path(__file__).parents[3] / "aggregator"
CLOCK = FakeClock(SLOT + HOUR + 200)  # the slot is over and due


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    for name in ("datasites", "public", "state"):
        (tmp_path / name).mkdir()
    return {
        "CPUTRACKER_DATASITES_DIR": str(tmp_path / "datasites"),
        "CPUTRACKER_PUBLIC_DIR": str(tmp_path / "public"),
        "CPUTRACKER_STATE_DIR": str(tmp_path / "state"),
        "CPUTRACKER_SETTLE_SECONDS": "1",
    }


@pytest.fixture(autouse=True)
def page_of_one_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has tests of its own."""
    monkeypatch.setattr(service, "public_page", lambda _: "<page>")


def publish(root: Path, count: int) -> None:
    for number in range(count):
        content = raw(cpu=10.0 + number, slot=SLOT, ledger_id=f"{number:032x}", timestamp=stamp(SLOT + HOUR + 17))
        put(root, f"u{number}@example.com", content)


def test_once_says_how_things_stand(
    tmp_path: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    publish(tmp_path / "datasites", 12)
    assert cli.main(["once", "--json"], environ, CLOCK) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["result"]["slot"], document["result"]["n"]) == (SLOT, 12)
    assert document["result"]["estimate"]["plain"] == 15.5
    assert cli.main(["once"], environ, CLOCK) == 0
    said = capsys.readouterr().out
    assert "network mean 15.50 % ± 6.67 noise" in said
    assert "12 counted" in said


def test_once_of_a_missing_tree_ends_in_one(
    tmp_path: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "datasites").rmdir()
    assert cli.main(["once"], environ) == 1
    assert "CPUTRACKER_DATASITES_DIR" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"CPUTRACKER_PRESET": "hour"}, "no setting of the aggregator"),
        ({"CPUTRACKER_POLICY": "hour,window"}, "mixes slot lengths"),
        ({"CPUTRACKER_STATE_DIR": "/nonexistent/state"}, "CPUTRACKER_STATE_DIR"),
    ],
)
def test_what_is_wrong_is_said_and_ends_in_one(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str], change: dict[str, str], says: str
) -> None:
    assert cli.main(["once"], {**environ, **change}) == 1
    assert says in capsys.readouterr().err


def test_two_aggregators_on_one_state_are_one_too_many(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with service.locked(settings.read(environ)):
        assert cli.main(["once"], environ) == 1
    assert "another aggregator" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can see root refused")
def test_run_as_root_is_refused(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run"], environ) == 1
    assert "does not run as root" in capsys.readouterr().err


def test_export_in_both_forms(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with service.history_of(settings.read(environ)) as history:
        history.add(Point(SLOT - 30 * 86_400, HOUR, 20, Estimate(1, 2, 3, 4, 5, 6, 7), {"counted": 20}), b"")
        history.add(Point(SLOT, HOUR, 3, None, {"counted": 3, "late": 2}), b"")
    assert cli.main(["export"], environ, CLOCK) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert [(row["slot"], row["headline"], row["reason_late"]) for row in rows] == [(str(SLOT), "", "2")]
    for form in (["--format", "json"], ["--json"]):
        assert cli.main(["export", *form, "--range", "90d"], environ, CLOCK) == 0
        document = json.loads(capsys.readouterr().out)
        assert [(p["n"], p["headline"]) for p in document] == [(20, 1), (3, None)]


def test_plan_in_three_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["plan", "--participants", "50", "--want", "2.31"]
    assert cli.main(command, {}) == 0
    said = capsys.readouterr().out
    assert "needs 100 participants" in said
    assert "7.3" in said
    assert cli.main([*command, "--json"], {}) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["participants"] for row in document["rows"]] == [1, 10, 50, 100, 1_000, 10_000]
    assert document["needed"]["participants"] == 100
    assert document["rows"][1]["noise_pp"] <= 7.5
    picture = tmp_path / "plan.html"
    assert cli.main([*command, "--html", str(picture)], {}) == 0
    text = picture.read_text(encoding="utf-8")
    assert "<svg" in text
    assert all(mark not in text.replace("http-equiv", "") for mark in ("<script", "http", "src=", "@import", "url("))


@pytest.mark.parametrize(
    "wrong",
    [
        ["plan"],
        ["plan", "--participants", "0"],
        ["plan", "--participants", "ten"],
        ["plan", "--participants", "10", "--preset", "x"],
        ["plan", "--participants", "10", "--want", "nan"],
        ["plan", "--participants", "10", "--want", "-1"],
        ["export", "--range", "2d"],
        ["nothing"],
    ],
)
def test_wrong_usage_ends_in_two(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(wrong, {})
    assert ended.value.code == 2


def test_every_preset_can_be_planned(capsys: pytest.CaptureFixture[str]) -> None:
    for name in policy.PRESETS:
        assert cli.main(["plan", "--participants", "1", "--preset", name, "--json"], {}) == 0
        assert json.loads(capsys.readouterr().out)["rows"][0]["total_pp"] is None


@pytest.fixture
def probe(tmp_path: Path) -> Callable[[], subprocess.CompletedProcess[str]]:
    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", str(PACKAGE / "cpu_aggregator" / "health.py")]
        environ = {"CPUTRACKER_HEARTBEAT": str(tmp_path / "beat")}
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    return run


def test_health_is_that_of_the_heartbeat(tmp_path: Path, probe: Callable[[], subprocess.CompletedProcess[str]]) -> None:
    assert probe().returncode == 1
    now = SystemClock().steady()
    heartbeat.beat(tmp_path / "beat", now, 60)
    assert (tmp_path / "beat").read_text(encoding="ascii") == f"{now * 1_000:.0f} 60000\n"
    assert probe().returncode == 0
    heartbeat.beat(tmp_path / "beat", now - 100, 60)
    done = probe()
    assert (done.returncode, done.stdout) == (1, "the last round ended 100 s ago; allowed 60\n")
    (tmp_path / "beat").write_text("nonsense", encoding="ascii")
    assert probe().returncode == 1


@pytest.mark.parametrize("content", ["", "1", "1 2 3", "x y", "-5 10"])
def test_a_malformed_heartbeat_is_no_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    (tmp_path / "beat").write_text(content, encoding="ascii")
    monkeypatch.setattr(health, "PATH", str(tmp_path / "beat"))
    assert health.main() == 1
