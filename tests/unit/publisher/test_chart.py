from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from cpu_publisher import chart

HOSTILE = "<script>alert('x')</script> & \"quoted\""


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - made by the code under test


def percent(element: ET.Element, name: str) -> float:
    return float(element.attrib[name].removesuffix("%"))


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (23.456, 1, "23.5"),
        (-31.24, 1, "\N{MINUS SIGN}31.2"),
        (-0.04, 1, "0.0"),
        (0, 0, "0"),
        (-0.06, 1, "\N{MINUS SIGN}0.1"),
    ],
)
def test_number(value: float, digits: int, text: str) -> None:
    assert chart.number(value, digits) == text


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (-31, 131, [-50, 0, 50, 100, 150]),
        (7, 7, [7.0, 7.2, 7.4, 7.6, 7.8, 8.0]),
    ],
)
def test_ticks_are_round_and_span_the_data(low: float, high: float, expected: list[float]) -> None:
    assert chart.ticks(low, high) == pytest.approx(expected)


def test_interval_bar_places_value_and_interval() -> None:
    svg = parse(chart.interval_bar(50, 25, HOSTILE))
    track, reach = svg.findall("rect")
    assert (percent(track, "x"), percent(track, "width")) == (2, 96)
    assert (percent(reach, "x"), percent(reach, "width")) == (26, 48)
    dot = svg.find("circle")
    assert dot is not None
    assert percent(dot, "cx") == 50
    assert svg.findtext("title") == HOSTILE


def test_interval_bar_makes_room_for_what_lies_outside() -> None:
    svg = parse(chart.interval_bar(-50, 150, "t"))
    track, reach = svg.findall("rect")
    assert (percent(reach, "x"), percent(reach, "width")) == (2, 96)
    assert percent(track, "x") == 66
    assert percent(track, "x") + percent(track, "width") == 98


@pytest.mark.parametrize(("value", "maximum", "width"), [(60, 240, 25), (300, 288, 100), (0, 288, 0), (1, 0, 0)])
def test_meter_fills_its_part(value: float, maximum: float, width: float) -> None:
    _, fill = parse(chart.meter(value, maximum, "t")).findall("rect")
    assert percent(fill, "width") == width


def test_bar_rows_linear_and_logarithmic() -> None:
    rows = [("hour", 10.0, "± 10"), (HOSTILE, 100.0, "± 100")]
    linear = [percent(r, "width") for r in parse(chart.bar_rows(rows, "t")).iter("rect") if r.attrib["class"] == "fill"]
    assert linear == [10, 100]
    svg = parse(chart.bar_rows(rows, "t", log=True))
    assert [percent(r, "width") for r in svg.iter("rect") if r.attrib["class"] == "fill"] == [50, 100]
    assert [g.findtext("title") for g in svg.findall("g")] == ["hour: ± 10", f"{HOSTILE}: ± 100"]
    assert parse(chart.bar_rows([], "none")).findtext("title") == "none"


def test_line_chart_scales_names_and_cuts_at_gaps() -> None:
    line = chart.Series(HOSTILE, [(0, 0), (10, 100), (20, None), (30, 50), (40, 75)], "b", dots=True)
    band = chart.Band("noise", [(0, 0, 50), (10, 50, 100), (20, None, None), (30, 25, 75), (40, 0, 100)])
    svg = parse(chart.line_chart([line], [band], "title", lambda x: f"<{x:.0f}>"))
    assert [p.attrib["points"] for p in svg.iter("polyline")] == ["0.0,1000.0 250.0,0.0", "750.0,500.0 1000.0,250.0"]
    assert [p.attrib["points"] for p in svg.iter("polygon")] == [
        "0.0,500.0 250.0,0.0 250.0,500.0 0.0,1000.0",
        "750.0,250.0 1000.0,0.0 1000.0,1000.0 750.0,750.0",
    ]
    dots = list(svg.iter("circle"))
    assert [(percent(d, "cx"), percent(d, "cy")) for d in dots] == [(0, 100), (25, 0), (75, 50), (100, 25)]
    assert dots[1].findtext("title") == f"{HOSTILE}, <10>: 100.0 %"
    assert [t.text for t in svg.findall("text")] == ["<0>", "<20>", "<40>"]


def test_line_chart_without_data_is_an_empty_plot() -> None:
    svg = parse(chart.line_chart([], [], "nothing yet", str))
    assert not list(svg.iter("polyline"))
    assert [t.text for t in svg.iter("text")] == [f"{y} %" for y in (0, 20, 40, 60, 80, 100)]


def test_nothing_that_the_policy_forbids() -> None:
    text = "".join(
        (
            chart.interval_bar(1, 2, HOSTILE),
            chart.meter(1, 2, HOSTILE),
            chart.bar_rows([(HOSTILE, 1, HOSTILE)], HOSTILE),
            chart.line_chart([chart.Series(HOSTILE, [(0, 1)], dots=True)], [], HOSTILE, str, HOSTILE),
        )
    )
    assert "<script" not in text
    assert not re.search(r"\sstyle=|\son\w+=|href=", text)
