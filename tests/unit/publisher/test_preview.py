from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from cpu_publisher import guarantee, preview, settings
from cpu_publisher.presets import PRESETS

if TYPE_CHECKING:
    from pathlib import Path

DEFAULTS = settings.read({})
CUSTOM = settings.read({"CPUTRACKER_EPSILON": "0.25", "CPUTRACKER_CAP_EPSILON": "40"})


def run(capsys: pytest.CaptureFixture[str], *argv: str, chosen: settings.Settings = DEFAULTS) -> str:
    assert preview.main(argv, chosen) == 0
    return capsys.readouterr().out


def test_every_preset_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    head, *lines = run(capsys).splitlines()
    assert head.split() == ["hour", "*", "window", "window-fast", "day", "day-sampled", "reading"]
    table = {line[:30].strip(): line[30:].split("  ") for line in lines}
    cells = {label: [cell.strip() for cell in row if cell.strip()] for label, row in table.items()}
    assert cells["one file, ± points"] == ["25", "300", "600", "300", "300", "12"]
    assert cells["mean of 10, ± points"][0] == "7.3"
    assert cells["observer right: one window"][:2] == ["69.7 %", "69.7 %"]
    assert cells["observer right: one slot"] == ["99.9 %", "69.7 %", "61.1 %", "69.7 %", "69.7 %", "> 99.9 %"]
    assert cells["ε per 24 h (full range)"] == ["288", "288", "720", "4", "1", "108,000"]
    assert cells["it hides"] == ["< 291 s", "< 291 s", "< 51 s", "one UTC day", "one UTC day", "no workload"]


def test_a_custom_setting_stands_beside_them(capsys: pytest.CaptureFixture[str]) -> None:
    looks = json.loads(run(capsys, "--json", chosen=CUSTOM))["presets"]
    assert [look["name"] for look in looks] == [*PRESETS, "custom"]
    own = looks[-1]
    assert [look["name"] for look in looks if look["chosen"]] == ["custom"]
    assert (own["epsilon"], own["epsilon_24h"], own["cap_24h"]) == (0.25, 40, 40)
    assert own["file_error95_pp"] == pytest.approx(4 * looks[0]["file_error95_pp"], rel=1e-3)
    assert own["guarantee"] == guarantee.sentence(CUSTOM.preset, 40_000_000)


def test_json_has_numbers_for_every_network(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(run(capsys, "--json", "--participants", "37"))
    for look in document["presets"]:
        assert list(look["network_error95_pp"]) == ["10", "37", "100", "1000", "10000"]
        errors = list(look["network_error95_pp"].values())
        assert errors == sorted(errors, reverse=True)
        assert all(look["smoothed_error95_pp"][n] < look["network_error95_pp"][n] for n in look["smoothed_error95_pp"])
        assert 0.5 < look["right_window"] <= look["right_slot"] <= look["right_day"] <= 1
        assert list(look["right_watched"].values()) == sorted(look["right_watched"].values())
        assert look["epsilon_24h_delta"] <= look["epsilon_24h"] <= look["epsilon_any_24h"]


def test_consent_is_the_guarantee_and_the_readers(capsys: pytest.CaptureFixture[str]) -> None:
    real = settings.read({"CPUTRACKER_EMAIL": "alice@example.com"})
    text = run(capsys, "--consent", chosen=real)
    assert text.startswith(guarantee.sentence(real.preset, 288_000_000))
    assert "alice@example.com" in text
    assert settings.DEFAULT_AGGREGATOR in text
    assert "nobody else can read it" in run(capsys, "--consent")


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


def test_the_picture_is_one_file_without_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "preview.html"
    assert run(capsys, "--html", str(file)) == ""
    html = file.read_text(encoding="utf-8")
    page = Page()
    page.feed(html)
    assert {"script", "link", "img", "iframe"} & set(page.tags) == set()
    assert {"style", "src", "href"} & page.attributes == set()
    assert not [name for name in page.attributes if name.startswith("on")]
    assert page.tags.count("svg") >= 3
    assert "http" not in re.sub(r"http-equiv", "", html)
    assert guarantee.sentence(DEFAULTS.preset, 288_000_000).split("'")[0] in html
    assert len(html) < 100_000


def test_the_picture_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--html", "-").startswith("<!doctype html>")


@pytest.mark.parametrize("n", ["0", "-1", "1.5", "many", "99999999", "²"])
def test_a_network_of_no_size_is_refused(n: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        preview.main(["--participants", n], DEFAULTS)
    assert stopped.value.code == 2
    assert "a whole number from 1" in capsys.readouterr().err


@pytest.mark.parametrize(("probability", "text"), [(0.5, "50.0 %"), (0.99951, "> 99.9 %"), (1.0, "> 99.9 %")])
def test_nothing_is_said_to_be_certain(probability: float, text: str) -> None:
    assert preview.percent(probability) == text


def test_longer_activity_is_priced(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys)
    assert "shorter than   291 s: at most  1 windows, ε = 1" in out
    assert "shorter than 3,547 s: at most 12 windows, ε = 12" in out
