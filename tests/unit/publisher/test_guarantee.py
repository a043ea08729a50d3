from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpu_publisher import budget, guarantee
from cpu_publisher.presets import PRESETS, Preset, customise

CONTRACT = Path(__file__).parents[3] / "docs" / "wire-contract.md"
HOUR = PRESETS["hour"]


def cap(preset: Preset) -> int:
    return budget.default_cap_micro(preset)


def words(preset: Preset) -> str:
    return guarantee.sentence(preset, cap(preset))


def test_the_default_in_full() -> None:
    assert words(HOUR) == (
        "Every published number is ε = 1 differentially private for one window (the 5 s measured in each 5 minutes)"
        " against everyone who can read the file, the aggregator included: whatever this computer did in any stretch"
        " shorter than 291 s, all else as it was, everything ever published is at most e ≈ 2.7 times more or less"
        " likely than if the CPU had been idle or fully busy instead. Activity over m windows is protected by m·ε only:"
        " the average of each hour shows, within ± 25 points in 95 of 100 cases with all 12 windows (± 300/k with k)."
        " For the values of any 24 consecutive UTC hours the total is at most ε = 288 at full range (the ledger's cap"
        " is 288; any other 24 h of activity: 289; at δ = 10⁻⁶ by Rényi accounting 287.4): we do not promise that a"
        " day's profile stays private. That this computer takes part, and when it is online, is not hidden. The total"
        " loss grows for as long as the app runs."
    )


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("window", ["ε = 1 ", "291 s", "± 300 points", "ε = 288 at", "173"]),
        ("window-fast", ["ε = 0.5 ", "51 s", "e^0.5 ≈ 1.6 times", "± 600 points", "ε = 720 at", "720.5"]),
        ("day", ["one UTC day is ε = 4 ", "e^4 ≈ 55 times", "costs ε = 1 of that", "6 hours", "ε = 4 at", ": 5;"]),
        ("day-sampled", ["one UTC day is ε = 1 ", "the window of a day within ± 300", "ε = 1 at", ": 2;"]),
        ("reading", ["ε = 0.5 ", "window ε = 25, hides no workload", "m·25", "± 12 points", "108,000", "108,025"]),
    ],
)
def test_each_preset_says_its_own_numbers(name: str, parts: list[str]) -> None:
    text = words(PRESETS[name]).replace("172.7", "173")
    assert [part for part in parts if part.casefold() not in text.casefold()] == []


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_what_is_not_promised_is_always_said(preset: Preset) -> None:
    text = words(preset)
    assert "we do not promise that" in text
    assert "takes part, and when it is online, is not hidden" in text
    assert "grows for as long as the app runs" in text
    assert "against everyone who can read the file, the aggregator included" in text


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_no_epsilon_without_unit_and_horizon(preset: Preset) -> None:
    line = guarantee.short(preset)
    assert "\n" not in line
    assert {"reading": "per reading", "window": "per window", "participant-day": "per participant-day"}[
        preset.unit
    ] in line
    assert re.search(r"per 24 h of slots|UTC day", line)
    assert ("hides no workload" in line) == (preset.unit == "reading")


def test_a_lower_cap_is_what_holds() -> None:
    text = guarantee.sentence(HOUR, 100_000_000)
    assert "is at most ε = 100 at full range (the ledger's cap is 100; any other 24 h of activity: 112;" in text
    assert "Rényi accounting 100)" in text
    assert guarantee.unit_epsilon(PRESETS["day"], 2_000_000) == 2
    assert "one UTC day is ε = 2 " in guarantee.sentence(PRESETS["day"], 2_000_000)


def test_a_higher_cap_buys_nothing() -> None:
    text = guarantee.sentence(HOUR, 10**12)
    assert "is at most ε = 288 at full range (the ledger's cap is 1,000,000; any other 24 h of activity: 289;" in text


@settings(deadline=None, max_examples=30)  # each new setting is calibrated once, a few ms on an idle machine
@given(
    st.sampled_from(list(PRESETS.values())),
    st.floats(0.001, 100).map(lambda e: float(f"{e:.3f}")),
    st.sampled_from([(60, 60), (60, 3_600), (300, 900), (300, 86_400), (3_600, 3_600), (86_400, 86_400)]),
    st.tuples(st.just(0), st.sampled_from([1, 100]), st.sampled_from(["reading", "window", "participant-day"])),
    st.floats(0.001, 2),
)
def test_custom_settings_are_described_by_what_holds(
    base: Preset, epsilon: float, lengths: tuple[int, int], bounds_and_unit: tuple[int, int, str], share: float
) -> None:
    lower, upper, unit = bounds_and_unit
    preset = customise(
        base,
        epsilon=epsilon,
        sample_seconds=lengths[0],
        slot_seconds=lengths[1],
        lower_percent=lower,
        upper_percent=upper,
        unit=unit,
        one_window_a_day=base.one_window_a_day and lengths[1] == 86_400,
    )
    cap_micro = max(1, int(share * cap(preset)))
    text = guarantee.sentence(preset, cap_micro)
    assert f"ε = {guarantee.number(guarantee.unit_epsilon(preset, cap_micro))} differentially private" in text
    assert not re.search(r"nan|inf\b|e\+|None", text)
    assert guarantee.day_epsilon(preset, cap_micro) <= cap_micro / 1e6
    assert guarantee.day_epsilon(preset, cap_micro) <= guarantee.any_day_epsilon(preset, cap_micro)
    assert guarantee.day_renyi_epsilon(preset, cap_micro) <= guarantee.day_epsilon(preset, cap_micro) * (1 + 1e-9)


def test_the_block_is_the_contracts() -> None:
    text = CONTRACT.read_text(encoding="utf-8")
    fenced = text[text.index("```json") + 7 :]
    golden = json.loads(fenced[: fenced.index("```")])["guarantee"]
    block = guarantee.block(HOUR, 12, round(1e6 * golden["epsilon_24h_spent"]), 288_000_000)
    assert block == golden
    assert json.dumps(block) == json.dumps(golden)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
@pytest.mark.parametrize("k", [1, 2])
def test_sensitivity_over_scale_is_the_epsilon_of_one_release(preset: Preset, k: int) -> None:
    block = guarantee.block(preset, k, 0, cap(preset))
    sensitivity = block["sensitivity_pp"]
    assert isinstance(sensitivity, float)
    assert sensitivity / budget.scale_pp(preset, k) == pytest.approx(preset.epsilon, rel=1e-9)
    releases = preset.slots_per_day if preset.unit == "participant-day" else 1
    assert block["epsilon"] == releases * preset.epsilon


def test_covers_seconds_of_each_unit() -> None:
    covers = {name: guarantee.block(p, 1, 0, cap(p))["covers_seconds"] for name, p in PRESETS.items()}
    assert covers == {
        "hour": 291,
        "window": 291,
        "window-fast": 51,
        "day": None,
        "day-sampled": None,
        "reading": 0,
    }
    short = dataclasses.replace(HOUR, sample_seconds=1, slot_seconds=5, n=5, interval_ms=20)
    assert guarantee.block(short, 1, 0, 1)["covers_seconds"] == 0.725


def test_consent_names_everyone_who_can_read() -> None:
    text = guarantee.consent(
        HOUR, cap(HOUR), email="alice@example.com", aggregators=("a@example.org", "b@example.org"), embedded=False
    )
    assert text.startswith(words(HOUR))
    for reader in ("alice@example.com", "a@example.org", "b@example.org", "SyftBox server"):
        assert reader in text


def test_consent_on_the_embedded_default_says_nobody_else() -> None:
    text = guarantee.consent(HOUR, cap(HOUR), email="local@example.com", aggregators=("a@b.c",), embedded=True)
    assert text.startswith(words(HOUR))
    assert "nobody else can read it" in text
    assert "a@b.c" not in text


@pytest.mark.parametrize(
    ("value", "text"), [(288.0, "288"), (108_000.0, "108,000"), (0.5, "0.5"), (8_640_000.0, "8,640,000")]
)
def test_numbers_read_like_numbers(value: float, text: str) -> None:
    assert guarantee.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(300, "5 minutes"), (60, "minute"), (3_600, "hour"), (86_400, "day"), (20, "20 s")]
)
def test_durations_fit_after_each(seconds: int, text: str) -> None:
    assert guarantee.duration(seconds) == text


def test_the_factor_is_computed() -> None:
    text = guarantee.sentence(customise(PRESETS["reading"], unit="window", epsilon=25.0), 10**9)
    assert f"≈ {math.exp(25) / 1e10:.1f}·10¹⁰ times" in text


@pytest.mark.parametrize(("windows", "seconds"), [(1, 291), (2, 587), (12, 3_547)])
def test_activity_shorter_than_a_stretch_touches_no_more_windows(windows: int, seconds: float) -> None:
    assert guarantee.stretch_seconds(HOUR, windows) == seconds


@pytest.mark.parametrize(
    ("name", "windows", "epsilon"),
    [("hour", 3, 3), ("reading", 2, 50), ("day", 1, 1), ("day", 2, 2), ("day", 73, 2), ("day", 74, 3)],
)
def test_longer_activity_costs_by_what_it_can_touch(name: str, windows: int, epsilon: float) -> None:
    assert guarantee.longer_epsilon(PRESETS[name], windows) == epsilon


def test_a_bound_is_rounded_up() -> None:
    assert (guarantee.round_up(287.301), guarantee.round_up(4.0)) == (287.4, 4.0)
