"""The aggregator's page, from the real aggregator over a real tree of files, in each state."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.browser.browsing import LOOKS, Browser, serving
from tests.unit.aggregator.sites import HOUR, PLACE, SLOT, FakeClock, put, raw

from cpu_aggregator import server, service, settings, web
from cpu_aggregator.snapshot import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cpu_aggregator.aggregator import Aggregator
    from cpu_aggregator.view import View

EVIL = ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "new\nline\x1b[31m", "\u202egnp.exe", "-->&lt;b>")
SLASH = "\u2215"  # looks like one, and may be in a folder name
PEOPLE = 14
SLOTS = 9
TITLES = {
    "empty": "Waiting · Network CPU",
    "live": "22.5 % ± 9.3 · Live · Network CPU",
    "stale": "22.5 % ± 9.3 · Stale · Network CPU",
    "poisoned": "22.5 % ± 9.3 · Live · Network CPU",
}


def release(root: Path, slot: int) -> None:
    """Everybody's file for one slot; values 16 to 29, so that their mean is 22.5."""
    for number in range(PEOPLE):
        content = raw(cpu=16.0 + number, slot=slot, seq=1 + slot // HOUR, ledger_id=f"{number:032x}", windows=8)
        put(root, f"user{number:02}@example.com", content)


def poison(root: Path) -> None:
    """One of each kind of what hostile participants may put there."""
    for number, name in enumerate(EVIL):
        put(
            root,
            f"{name.replace('/', SLASH)}@example.com",
            raw(cpu=99.0, slot=SLOT, ledger_id=f"f{number:031x}", preset="none"),
        )
    put(root, "liar@example.com", raw(cpu=1e6, slot=SLOT, seq=9, ledger_id="e" * 32))
    put(root, "torn@example.com", b'{"cpu": 1')
    put(root, "empty@example.com", b"")
    put(root, "large@example.com", b" " * 1_000_000)
    for name in ("fifo@example.com", "link@example.com"):
        (root / name / PLACE).parent.mkdir(parents=True)
    os.mkfifo(root / "fifo@example.com" / PLACE)
    (root / "link@example.com" / PLACE).symlink_to("/etc/passwd")


class Stage:
    """A running server whose aggregator a test chooses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.aggregator: Aggregator
        self.clock = FakeClock(0)

    def __call__(self, range_seconds: int, most_points: int) -> View:
        return snapshot(self.aggregator, range_seconds, most_points)

    def settings(self, state: str) -> settings.Settings:
        folder = self.folder / state
        paths = {name: folder / name for name in ("DATASITES_DIR", "PUBLIC_DIR", "STATE_DIR")}
        for path in paths.values():
            path.mkdir(parents=True)
        return settings.read({f"CPUTRACKER_{name}": str(path) for name, path in paths.items()})

    @contextmanager
    def play(self, state: str) -> Iterator[None]:
        """The real aggregator in that state."""
        given = self.settings(state)
        root = given.datasites_dir
        with service.opened(given, self.clock) as self.aggregator:
            for slot in range(SLOT - (SLOTS - 1) * HOUR, SLOT + 1, HOUR):
                if state != "empty" and slot != SLOT - 3 * HOUR:
                    release(root, slot)
                if state == "poisoned" and slot == SLOT:
                    poison(root)
                self.clock.now = slot + HOUR + 121.0
                self.aggregator.round(service.public_page)
            self.clock.now += (6 * HOUR) if state == "stale" else 600
            self.aggregator.round(service.public_page)
            yield


@pytest.fixture(scope="module")
def server_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    one = Stage(tmp_path_factory.mktemp("network"))
    with serving(server.serve(web.create_app(one, ()), 0, "127.0.0.1")) as one.url:
        yield one


@pytest.fixture(scope="module", params=TITLES)
def stage(request: pytest.FixtureRequest, server_of: Stage) -> Iterator[tuple[Stage, str]]:
    with server_of.play(request.param):
        yield server_of, request.param


def only(*states: str) -> pytest.MarkDecorator:
    """For a test that makes sense in these states alone."""
    return pytest.mark.parametrize("stage", states, indirect=True)


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_state_is_sound(stage: tuple[Stage, str], browser: Browser, width: int, scheme: str) -> None:
    one, state = stage
    browser.visit(f"{one.url}/", width, scheme)
    browser.script("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert browser.faults() == []
    assert browser.driver.title == TITLES[state]


def test_what_it_says(stage: tuple[Stage, str], browser: Browser) -> None:
    one, state = stage
    browser.visit(f"{one.url}/", 1_280, "light")
    shown = " ".join(browser.script("return document.body.innerText").split())
    wanted = {
        "empty": ("What to do", "make up"),
        "live": ("Average CPU of 14 computers", "14 counted of 14 with a file", "22.5", "± 9.3 points"),
        "stale": ("14 stale", "nothing newer has come", "What to do"),
        "poisoned": ("14 counted of 25 with a file", "11 refused"),
    }
    for words in wanted[state]:
        assert words in shown
    if state in {"live", "poisoned"}:
        # The slot that nobody was in is a gap: two runs.
        assert browser.script("return document.querySelectorAll('.history polyline.mean').length") == 2


@only("poisoned")
def test_hostile_names_are_inert(stage: tuple[Stage, str], browser: Browser) -> None:
    one, _ = stage
    browser.visit(f"{one.url}/", 1_280, "light")
    assert browser.script("return [document.scripts.length, document.images.length]") == [0, 1]
    names = browser.script("return [...document.querySelectorAll('bdi')].map(e => e.textContent)")
    assert f"<script>alert(1)<{SLASH}script>@example.com" in names
    assert "new\ufffdline\ufffd[31m@example.com" in names
    assert "\ufffdgnp.exe@example.com" in names


@only("live")
def test_everything_is_reached_by_keyboard(stage: tuple[Stage, str], browser: Browser) -> None:
    one, _ = stage
    browser.visit(f"{one.url}/", 1_280, "light")
    assert browser.tab_stops() == [
        "24 h",
        "7 d",
        "90 d",
        "Files by what became of them",
        "All by name",
        "CSV",
        "JSON",
        "The newest results",
        "Health",
        "Metrics",
    ]


@only("live")
def test_ranges(stage: tuple[Stage, str], browser: Browser) -> None:
    one, _ = stage
    for name in ("7d", "90d"):
        browser.visit(f"{one.url}/?range={name}", 375, "light")
        assert browser.faults() == []
        assert browser.script("return document.querySelector('[aria-current]').textContent") == name.replace("d", " d")


@only("live")
@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1_280, "light")])
def test_the_published_file_works_from_a_folder(
    stage: tuple[Stage, str], browser: Browser, width: int, scheme: str
) -> None:
    one, _ = stage
    file = one.aggregator.settings.public_dir / "cpu_tracker.html"
    browser.visit(file.as_uri(), width, scheme)
    assert browser.faults() == []
    assert browser.driver.title == TITLES["live"]
    assert "example.com" not in browser.script("return document.querySelector('main').innerText")
