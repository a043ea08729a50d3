from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser

import pytest
from tests.unit.aggregator.views import (
    BROKEN,
    EMPTY,
    EVIL,
    FULL_DISK,
    HOUR,
    LIVE,
    NOW,
    SLOT,
    STALE,
    TOO_FEW,
    estimate,
    hours,
)

from cpu_aggregator import page
from cpu_aggregator.view import Point, View

ALL = (LIVE, EMPTY, TOO_FEW, STALE, BROKEN)


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
        self.text += " "
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def words(view: View) -> str:
    return " ".join(Text(page.render(view)).text.split())


@pytest.mark.parametrize(
    ("view", "title", "icon"),
    [
        (LIVE, "37.2 % ± 3.4 · Live", "good"),
        (EMPTY, "Waiting", "wait"),
        (TOO_FEW, "Too few", "wait"),
        (STALE, "37.2 % ± 3.4 · Stale", "warn"),
        (BROKEN, "Trouble", "stop"),
        (
            dataclasses.replace(LIVE, findings=(dataclasses.replace(FULL_DISK, fatal=False),)),
            "37.2 % ± 3.4 · Live",
            "warn",
        ),
    ],
)
def test_title_and_icon_say_the_state(view: View, title: str, icon: str) -> None:
    source = page.render(view)
    assert f"<title>{title} · Network CPU</title>" in source
    assert f'<link rel="icon" type="image/svg+xml" href="/static/{icon}.svg">' in source


def test_live_says_all_that_was_asked_for() -> None:
    text = words(LIVE)
    for part in (
        "Average CPU of 45 computers",
        "37.2 %",
        "± 3.4 points",
        "Slot 12:00–13:00 UTC, 21 min old",  # noqa: RUF001 - a range
        "due at 14:02 UTC",
        "45 counted of 54 with a file",
        "3 stale",
        "4 refused most often: value lies further out",
        "2 warming up",
        "21 min age of the data",
        "± 7.0 points",
        "Plain mean 36.9 %",
        "Median 37.6 %",
        "40.0 % ± 1.1 points",
        LIVE.policy_words,
        LIVE.guarantee,
        LIVE.wider[0].words,
        "not one JSON object in UTF-8",
        "CSV",
        "JSON",
    ):
        assert part in text


@pytest.mark.parametrize(("headline", "shown"), [(-1.24, "0.0"), (104.0, "100.0")])
def test_only_the_number_on_the_screen_is_cut_off(headline: float, shown: str) -> None:
    view = dataclasses.replace(LIVE, result=Point(SLOT, HOUR, 45, estimate(headline)))
    source = page.render(view)
    assert f"<strong>{shown}<" in source
    assert "The estimate itself is" in source
    assert "The estimate itself is" not in page.render(LIVE)


def test_empty_says_what_to_do() -> None:
    text = words(EMPTY)
    assert "No computer shares with this network yet" in text
    assert "CPUTRACKER_AGGREGATORS=aggregator@example.com" in text
    assert "Wait for 10." in text
    assert "make demo" in text
    assert "Over time" not in text


def test_too_few_and_stale_say_so() -> None:
    assert "4 of at least 10 were counted in the newest slot" in words(TOO_FEW)
    assert "4 counted of 5 with a file" in words(TOO_FEW)
    assert "5 h 21 min old: nothing newer has come" in words(STALE)
    later = dataclasses.replace(LIVE, state="too_few", newest=TOO_FEW.newest)
    assert "In the newest slot only 4 were counted; fewer than 10 are not averaged" in words(later)


@pytest.mark.parametrize(
    ("slot_seconds", "links"),
    [(300, ["1h", "24h", "7d", "90d"]), (301, ["24h", "7d", "90d"]), (HOUR, ["24h", "7d", "90d"])],
)
def test_range_links(slot_seconds: int, links: list[str]) -> None:
    source = page.render(dataclasses.replace(LIVE, slot_seconds=slot_seconds))
    assert re.findall(r'href="/\?range=(\w+)"', source) == links
    assert re.findall(r'href="/\?range=(\w+)" aria-current="page"', source) == ["24h"]
    assert 'href="/export.csv?range=24h"' in source


def test_names_of_others_are_inert() -> None:
    for render in (page.render, page.render_file):
        source = render(LIVE)
        found = Text(source)
        assert "script" not in found.tags
        assert "\u202e" not in source
        assert "&lt;script&gt;alert(1)&lt;/script&gt;\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}&#34;" in source
        assert "b" * 63 + "…" in source
        assert "b" * 65 not in source


def test_findings_and_hostile_texts_are_escaped() -> None:
    view = dataclasses.replace(BROKEN, email=EVIL, policy_words=EVIL, guarantee=EVIL)
    source = page.render(view)
    assert "&lt;here&gt;" in source
    assert "<script" not in source


def test_a_long_list_is_cut_and_says_so() -> None:
    assert page.render(LIVE).count("<bdi>") == 40
    assert "The first 40 by name" in words(LIVE)
    few = dataclasses.replace(LIVE, known=2, datasites=LIVE.datasites[:2])
    assert "All by name" in words(few)
    assert "by name" not in words(dataclasses.replace(LIVE, datasites=()))


@pytest.mark.parametrize("view", ALL)
def test_no_script_no_inline_style_nothing_from_elsewhere(view: View) -> None:
    found = Text(page.render(view))
    assert not {"script", "style", "iframe", "object", "form"} & set(found.tags)
    assert not [name for name in found.names if name == "style" or name.startswith("on")]
    assert all(link.startswith("/") and not link.startswith("//") for link in found.links)


@pytest.mark.parametrize("view", ALL)
def test_the_file_needs_no_server(view: View) -> None:
    source = page.render_file(view)
    found = Text(source)
    assert "script" not in found.tags
    assert all(link.startswith("data:image/svg+xml;base64,") for link in found.links)
    styles = re.findall(r"<style>(.*?)</style>", source, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
    assert f"style-src &#39;sha256-{digest}&#39;" in source
    assert "renews itself" not in source


def test_the_table_has_the_newest_results_first() -> None:
    source = page.render(dataclasses.replace(LIVE, history=hours(40), range_seconds=7 * 86_400))
    rows = re.findall(r'<th scope="row">([^<]*)</th>', source)
    assert (rows[0], rows[1], len(rows)) == ("12:00", "11:00", 24)


def test_a_young_history_fills_the_picture() -> None:
    def first(began: int | None) -> float:
        history = hours(9)
        drawn = page.render(dataclasses.replace(LIVE, history=history, began=began))
        return float(re.findall(r'<circle cx="([\d.]+)%"', drawn)[0])

    oldest = hours(9)[0].slot
    assert first(oldest) < 35  # nine of the twelve slots that it is wide at least
    assert first(oldest - 300 * HOUR) > 60  # what is missing before them shows as missing


def test_joined_points_are_named_as_such() -> None:
    assert "mean of 2 h" not in words(LIVE)
    joined = tuple(dataclasses.replace(p, span_seconds=2 * HOUR) for p in hours(80)[::2])
    text = words(dataclasses.replace(LIVE, history=joined, range_seconds=7 * 86_400))
    assert "Each point is the mean of 2 h" in text
    assert "newest results, each the mean of 2 h" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.9, "3 s"), (59, "50 s"), (1_300, "21 min"), (3_600, "1 h"), (19_300, "5 h 21 min"), (7 * 86_400, "7 days")],
)
def test_span(seconds: float, text: str) -> None:
    assert page.span(seconds) == text


def test_moment() -> None:
    assert page.moment(NOW, NOW) == "13:21:40 UTC"
    assert page.moment(SLOT - 86_400, NOW) == "23 Nov, 12:00 UTC"
