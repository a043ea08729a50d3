from __future__ import annotations

import dataclasses
from xml.etree import ElementTree as ET

import pytest

from cpu_aggregator import chart
from cpu_aggregator.view import Estimate, Point

START = 1_795_435_200  # 2026-11-23 12:00:00 UTC
END = START + 36_000


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - made by the code under test


def point(hour: int, headline: float | None, span: int = 3_600) -> Point:
    sure = None if headline is None else Estimate(headline, headline, headline, 5.0, 10.0, headline - 1, 2.0)
    return Point(START + hour * 3_600, span, 20, sure)


def drawn(points: list[Point], tag: str, kind: str) -> list[str]:
    svg = parse(chart.history(points, START, END, "t"))
    return [e.attrib["points"] for e in svg.iter(tag) if e.attrib["class"] == kind]


def test_both_bands_lie_around_the_mean_at_the_slots_middle() -> None:
    points = [point(0, 50.0), point(1, 50.0)]
    # Scale: 40 to 60 %, 1000 high; 36,000 s, 1000 wide.
    assert drawn(points, "polyline", "mean") == ["0,500 50,500 150,500 200,500"]
    assert drawn(points, "polyline", "smoothed") == ["0,550 50,550 150,550 200,550"]
    assert drawn(points, "polygon", "noise") == ["0,250 50,250 150,250 200,250 200,750 150,750 50,750 0,750"]
    assert drawn(points, "polygon", "total") == ["0,0 50,0 150,0 200,0 200,1000 150,1000 50,1000 0,1000"]


def test_gaps_stay_gaps() -> None:
    """A slot with too few (hour 2) and one that nobody was in (hour 5) are both left open."""
    points = [point(0, 50.0), point(1, 50.0), point(2, None), point(3, 50.0), point(4, 50.0), point(6, 50.0)]
    lines = drawn(points, "polyline", "mean")
    assert [line.split()[0] for line in lines] == ["0,500", "300,500", "600,500"]
    assert [line.split()[-1] for line in lines] == ["200,500", "500,500", "700,500"]
    assert len(drawn(points, "polygon", "total")) == 3


def test_a_slot_alone_is_as_wide_as_it_is_long() -> None:
    assert drawn([point(5, 50.0)], "polyline", "mean") == ["500,500 550,500 600,500"]


def test_each_point_names_its_value() -> None:
    svg = parse(chart.history([point(0, 50.0), point(1, -3.26)], START, END, "<title> & more"))
    assert svg.findtext("title") == "<title> & more"
    titles = [circle.findtext("title") for circle in svg.iter("circle")]
    assert titles == ["23 Nov 12:00: 50.0 ± 5.0", "23 Nov 13:00: \N{MINUS SIGN}3.3 ± 5.0"]


def test_without_sampling_the_outer_band_is_the_noise() -> None:
    alone = point(0, 50.0)
    assert alone.estimate is not None
    alone = dataclasses.replace(alone, estimate=dataclasses.replace(alone.estimate, total_pp=None))
    assert drawn([alone], "polygon", "total") == drawn([alone], "polygon", "noise")


def test_nothing_known_is_an_empty_plot() -> None:
    svg = parse(chart.history([point(1, None)], START, END, "t"))
    assert not list(svg.iter("polyline"))
    assert [t.text for t in svg.iter("text")][:6] == [f"{y} %" for y in (0, 20, 40, 60, 80, 100)]


@pytest.mark.parametrize(
    ("length", "labels"),
    [(86_400, ["12:00", "00:00", "12:00"]), (7 * 86_400, ["23 Nov", "27 Nov", "30 Nov"])],
)
def test_time_labels_fit_the_range(length: int, labels: list[str]) -> None:
    svg = parse(chart.history([], START, START + length, "t"))
    assert [t.text for t in svg.findall("text")] == labels


def test_interval_places_value_and_both_halves() -> None:
    svg = parse(chart.interval(50, 10, 25))
    found = {r.attrib["class"]: (r.attrib["x"], r.attrib["width"]) for r in svg.iter("rect")}
    assert found == {"track": ("1.00%", "98.00%"), "total": ("25.50%", "49.00%"), "noise": ("40.20%", "19.60%")}
    assert svg.findtext("title") == "50.0 % ± 10.0 noise, ± 25.0 noise and sampling"
    assert len(list(parse(chart.interval(50, 10, None)).iter("rect"))) == 2


def test_a_quiet_day_does_not_look_wild() -> None:
    quiet = Estimate(50.0, 50.0, 50.0, 0.1, 0.2, 50.0, 0.1)
    svg = parse(chart.history([Point(START, 3_600, 9_000, quiet)], START, END, "t"))
    marks = [t.text for t in svg.iter("text") if t.attrib["class"] == "end" and t.attrib.get("x") == "-8"]
    assert (marks[0], marks[-1]) == ("44 %", "56 %")
