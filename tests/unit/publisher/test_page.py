from __future__ import annotations

import dataclasses
import html
import re
from html.parser import HTMLParser

import pytest
from tests.unit.publisher.views import (
    ACTIVE,
    CLOSED,
    CONFLICT,
    EXHAUSTED,
    ISOLATION,
    LAST,
    LEAK,
    NOW,
    PAUSED,
    SPENT,
    STARTING,
)

from cpu_publisher import page
from cpu_publisher.view import Finding, View

ALL = (STARTING, ACTIVE, PAUSED, EXHAUSTED, CLOSED)


class Text(HTMLParser):
    """What a person reads, and every attribute there is."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.links: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_endtag(self, tag: str) -> None:
        self.text += " " if tag in {"dt", "dd", "p", "h1", "h2", "h3"} else ""

    def handle_data(self, data: str) -> None:
        self.text += data


def words(view: View) -> str:
    return " ".join(Text(page.owner(view)).text.split())


@pytest.mark.parametrize(
    ("view", "title", "icon"),
    [
        (STARTING, "Starting", "wait"),
        (ACTIVE, "Sharing", "good"),
        (PAUSED, "Paused", "wait"),
        (EXHAUSTED, "Budget spent", "wait"),
        (CLOSED, "Stopped", "stop"),
        (dataclasses.replace(ACTIVE, findings=(CONFLICT,)), "Sharing", "warn"),
        (dataclasses.replace(ACTIVE, findings=(LEAK,)), "Stopped", "stop"),
        (dataclasses.replace(EXHAUSTED, findings=(SPENT, LEAK)), "Stopped", "stop"),
        (dataclasses.replace(PAUSED, findings=(LEAK,)), "Paused", "wait"),
    ],
)
def test_title_and_icon_say_the_state(view: View, title: str, icon: str) -> None:
    source = page.owner(view)
    assert f"<title>{title} · CPU tracker</title>" in source
    assert f'<link rel="icon" type="image/svg+xml" href="/static/{icon}.svg">' in source


def test_active_shows_everything_once_asked_for() -> None:
    text = words(ACTIVE)
    for part in (
        "23.5 %",
        "± 25 points",
        "11 of 12 windows",
        "2026-11-24 13:00:17 UTC",
        "Slot from 12:00 UTC",
        "61 of 288",
        "60.7 of 288",
        "24 h of slots",
        "Next value 14:00:17 UTC, in 50 min",
        "Windows pooled for it 2",
        "Last window 2 min ago",
        "aggregator@openmined.org",
        "as they must be",
        ACTIVE.public_path,
        ACTIVE.guarantee,
    ):
        assert part in text
    assert "Nobody else sees this yet" not in text


def test_the_last_release_and_its_bar_are_all_of_the_cpu() -> None:
    assert "Nothing yet" in words(STARTING)
    assert "points lie" not in words(STARTING)
    assert "Published 23.5 % CPU; with the noise alone, 95 of 100" in page.owner(ACTIVE)


def test_coarse_and_outside_values_are_explained() -> None:
    text = words(EXHAUSTED)
    assert "\N{MINUS SIGN}131.3 %" in text
    assert "alone: coarse on purpose" in text
    assert "noise is never cut off" in text
    assert "noise is never cut off" not in words(ACTIVE)


def test_what_to_do_is_said() -> None:
    assert "To go on: cpu-publisher resume" in words(PAUSED)
    assert "by itself with the slot of 25 Nov, 12:00:00 UTC" in words(EXHAUSTED)
    assert "Nobody else sees this yet" in words(STARTING)
    assert "this machine only" in words(STARTING)
    text = words(CLOSED)
    assert ISOLATION.message in text
    assert "not as they must be" in text
    assert LEAK.message in text
    assert text.index("Stops publishing") < text.index("Worth knowing")


def test_texts_of_others_are_inert() -> None:
    evil = "<img src=x onerror=alert(1)>\"'"
    view = dataclasses.replace(
        CLOSED, email=evil, aggregators=(evil,), public_path=evil, guarantee=evil, findings=(Finding(evil, evil),)
    )
    source = page.owner(view)
    assert evil not in source
    assert html.escape(evil, quote=False)[:20] in source
    assert Text(source).tags.count("img") == 1  # the badge


@pytest.mark.parametrize("view", ALL)
def test_no_script_no_inline_style_nothing_from_elsewhere(view: View) -> None:
    found = Text(page.owner(view))
    assert not {"script", "style", "iframe", "object", "form"} & set(found.tags)
    assert not [name for name in found.names if name == "style" or name.startswith("on")]
    assert all(link.startswith("/") and not link.startswith("//") for link in found.links)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (-3, "0 s"), (59.9, "50 s"), (134, "2 min"), (3_600, "1 h 00 min"), (93_000, "25 h 50 min")],
)
def test_span_is_never_finer_than_ten_seconds(seconds: float, text: str) -> None:
    assert page.span(seconds) == text


def test_an_age_shows_in_steps_of_ten_only() -> None:
    """Two hand-offs that differ by their lateness alone give the same page."""
    pages = {page.owner(dataclasses.replace(ACTIVE, collector_age_seconds=age)) for age in (20.0, 23.2, 29.9)}
    assert len(pages) == 1


def test_moment_names_the_day_only_when_it_is_another() -> None:
    assert page.moment(NOW, NOW) == "13:10:00 UTC"
    assert page.moment(NOW + 86_400, NOW) == "25 Nov, 13:10:00 UTC"


def test_slot_of_another_length_is_named() -> None:
    view = dataclasses.replace(ACTIVE, slot_seconds=300, last=dataclasses.replace(LAST, windows=1, windows_full=1))
    assert re.search("shared each 5 minutes", words(view))
