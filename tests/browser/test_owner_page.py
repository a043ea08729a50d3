"""The owner's page from a running server, in each state, as phone and desk see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.browser.browsing import LOOKS, Browser, serving
from tests.unit.publisher import views

from cpu_publisher import server, web

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cpu_publisher.view import View

STATES = {
    "starting": views.STARTING,
    "active": views.ACTIVE,
    "paused": views.PAUSED,
    "exhausted": views.EXHAUSTED,
    "closed": views.CLOSED,
}
WORDS = {
    "starting": "Starting",
    "active": "Sharing",
    "paused": "Paused",
    "exhausted": "Budget spent",
    "closed": "Stopped",
}


class Stage:
    """A running server whose view a test chooses."""

    def __init__(self) -> None:
        self.view = views.ACTIVE
        self.url = ""

    def __call__(self) -> View:
        return self.view


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    one = Stage()
    with serving(server.serve(web.create_app(one, ()), 0, "127.0.0.1")) as one.url:
        yield one


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_state_is_sound(stage: Stage, browser: Browser, state: str, width: int, scheme: str) -> None:
    stage.view = STATES[state]
    browser.visit(f"{stage.url}/", width, scheme)
    assert browser.faults() == []
    assert browser.driver.title == f"{WORDS[state]} · CPU tracker"
    shown = browser.script("return document.body.innerText")
    assert WORDS[state] in shown
    assert ("%" in shown) == (state != "starting")
    assert browser.script("return getComputedStyle(document.body).colorScheme") == "light dark"
    dark = browser.script("return getComputedStyle(document.body).backgroundColor") == "rgb(15, 19, 21)"
    assert dark == (scheme == "dark")


def test_it_loads_a_page_a_style_sheet_and_an_icon_and_nothing_else(stage: Stage, browser: Browser) -> None:
    stage.view = views.ACTIVE
    browser.visit(f"{stage.url}/", 375, "light")
    paths = {url.removeprefix(stage.url) for url in browser.requested()}
    assert paths == {"/", "/static/style.css", "/static/good.svg"}
    assert browser.script("return document.querySelector('svg .range').getBoundingClientRect().width") > 50


def test_health_and_metrics_are_reached_by_keyboard(stage: Stage, browser: Browser) -> None:
    stage.view = views.ACTIVE
    browser.visit(f"{stage.url}/", 1_280, "light")
    assert browser.tab_stops() == ["Health", "Metrics"]
