"""How `make up` ends: by what was published, or by the reason, and always within a bound."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace
from typing import Any

import first_release
import pytest
from first_release import NOT_YET, STEADY_SECONDS, bound_seconds, wait

from cpu_publisher import settings

URL, FILE = "http://127.0.0.1:8765", "/data/cpu_tracker.json"
FAILING = {"status": "fail", "checks": {"permissions_leak": [{"status": "fail", "output": "line 3 of x grants read"}]}}
READY = {"status": "pass", "checks": {"handoff:age": [{"observedValue": 0}]}}
STATUS = {
    "state": "active",
    "last": {"cpu": 23.4, "error95_pp": 299.6, "kind": "first", "slot": 0, "windows": 1, "windows_full": 12},
    "next_due": 3_610.0,
}


class Pages:
    """The publisher's pages, by path; settable while the loop waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ready: dict[str, Any] | None = READY
        self.collector: dict[str, Any] | None = READY
        self.seq = 1
        self.states = {"collector": {"State": "running"}, "publisher": {"State": "running"}}
        self.status = json.dumps(STATUS)
        self.clock = itertools.count()
        monkeypatch.setattr(first_release, "get", self.get)
        monkeypatch.setattr(first_release, "states", lambda: self.states)
        monkeypatch.setattr(first_release, "compose", lambda *words, **_: self.status if "exec" in words else "the log")
        time = SimpleNamespace(monotonic=lambda: float(next(self.clock)), sleep=lambda _: None)
        monkeypatch.setattr(first_release, "time", time)

    def get(self, url: str) -> str:
        if url.endswith("/metrics"):
            return (
                f"cputracker_ready 1\ncputracker_last_release_seq {self.seq}\n" if self.seq else "cputracker_ready 1\n"
            )
        page = self.ready if url.endswith("/readyz") else self.collector
        return json.dumps(page) if page else ""


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Pages:
    return Pages(monkeypatch)


def test_it_ends_with_what_was_published(pages: Pages, capsys: pytest.CaptureFixture[str]) -> None:
    assert wait(URL, 60, FILE) == 0
    said = capsys.readouterr().out
    for part in ("23.4 % ± 300 points (95 %)", "coarse", "1 of 12 windows", "due 01:00:10 UTC", FILE, f"{URL}/"):
        assert part in said


@pytest.mark.parametrize(
    ("change", "value"),
    [("seq", 0), ("collector", None), ("collector", {"status": "fail", "checks": {}}), ("ready", FAILING)],
)
def test_nothing_is_reported_before_all_of_it_is_there(pages: Pages, change: str, value: object) -> None:
    setattr(pages, change, value)
    assert wait(URL, STEADY_SECONDS - 2, FILE) == NOT_YET


def test_a_reason_that_stands_ends_the_wait(pages: Pages, capsys: pytest.CaptureFixture[str]) -> None:
    pages.ready = FAILING
    assert wait(URL, 1_000, FILE) == NOT_YET
    assert "line 3 of x grants read" in capsys.readouterr().err
    assert next(pages.clock) < STEADY_SECONDS + 5


def test_a_container_that_does_not_stay_up_ends_the_wait(pages: Pages, capsys: pytest.CaptureFixture[str]) -> None:
    pages.ready, pages.seq = None, 0
    pages.states["publisher"]["State"] = "restarting"
    assert wait(URL, 1_000, FILE) == NOT_YET
    said = capsys.readouterr().err
    assert "publisher does not stay up" in said
    assert "the log" in said
    assert next(pages.clock) < 10


def test_it_never_waits_for_ever(pages: Pages, capsys: pytest.CaptureFixture[str]) -> None:
    pages.seq = 0
    assert wait(URL, 40, FILE) == NOT_YET
    assert "nothing was published within 40 s" in capsys.readouterr().err
    assert next(pages.clock) < 45


def test_a_publisher_that_is_paused_says_so(pages: Pages, capsys: pytest.CaptureFixture[str]) -> None:
    pages.status = json.dumps({**STATUS, "state": "paused", "next_due": None})
    assert wait(URL, 60, FILE) == 0
    assert "state      paused" in capsys.readouterr().out


def test_a_publisher_that_goes_away_meanwhile_is_told(pages: Pages, capsys: pytest.CaptureFixture[str]) -> None:
    pages.status = ""
    assert wait(URL, 60, FILE) == NOT_YET
    assert "the log" in capsys.readouterr().err


def test_the_bound_follows_the_settings() -> None:
    default = bound_seconds(settings.read({}))
    longer = bound_seconds(settings.read({"CPUTRACKER_PUBLISH_DELAY_SECONDS": "100", "CPUTRACKER_READINGS": "100"}))
    assert default == 45 + 2 * 8 + 10
    assert longer == 45 + 2 * 13 + 100
