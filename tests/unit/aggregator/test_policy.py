"""Policies: what may be averaged together, and the words for it."""

from __future__ import annotations

import pytest

from cpu_aggregator import policy, wording
from cpu_aggregator.errors import SettingsError

FULL = {
    "unit": "window",
    "epsilon": 1,
    "sample_seconds": 1,
    "slot_seconds": 5,
    "n": 5,
    "interval_ms": 20,
    "lower": 0,
    "upper": 100,
}


@pytest.mark.parametrize(
    ("name", "b", "windows", "unit_epsilon", "covers"),
    [
        ("hour", 100 / 12, 12, 1, 291),
        ("window", 100, 1, 1, 291),
        ("window-fast", 200, 1, 0.5, 51),
        ("day", 100, 72, 4, None),
        ("day-sampled", 100, 1, 1, None),
        ("reading", 4, 1, 0.5, 0),
    ],
)
def test_presets_are_those_of_the_contract(
    name: str, b: float, windows: int, unit_epsilon: float, covers: float | None
) -> None:
    preset = policy.PRESETS[name]
    assert preset.windows_full == windows
    assert preset.scale_pp(windows) == pytest.approx(b)
    assert preset.unit_epsilon == unit_epsilon
    assert preset.covers_seconds == covers


@pytest.mark.parametrize(
    ("names", "customs", "says"),
    [
        ((), (), "lists nothing"),
        (("hours",), (), "hours"),
        (("hour", "window"), (), "hour 3600 s, window 300 s"),
        (("custom",), (), "together with"),
        (("hour",), (FULL,), "together with"),
        (("hour", "custom"), (FULL,), "mixes slot lengths"),
    ],
)
def test_a_policy_that_cannot_be_averaged_is_refused(
    names: tuple[str, ...], customs: tuple[dict[str, object], ...], says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        policy.make(names, tuple(policy.custom(dict(c)) for c in customs))


def test_old_files_take_the_slot_of_the_others() -> None:
    mixed = policy.make(("window", "legacy"), ())
    assert mixed.slot_seconds == 300
    assert mixed.legacy is not None
    assert mixed.legacy.scale_pp(1) == 4


def test_several_custom_settings_share_one_name() -> None:
    both = policy.make(("custom",), (policy.custom(dict(FULL)), policy.custom({**FULL, "epsilon": 0.5})))
    assert both.names == ("custom",)
    assert [p.scale_pp(5) for p in both.presets] == [20, 40]


@pytest.mark.parametrize(
    "change",
    [
        {"unit": "hour"},
        {"epsilon": 0},
        {"epsilon": True},
        {"epsilon": float("nan")},
        {"sample_seconds": 2},
        {"slot_seconds": 7},
        {"slot_seconds": 5.0},
        {"n": 0},
        {"n": 500},
        {"lower": 100},
        {"upper": 101},
        {"extra": 1},
    ],
)
def test_a_custom_setting_that_could_not_hold_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="CPUTRACKER_POLICY_CUSTOM"):
        policy.custom({**FULL, **change})


@pytest.mark.parametrize("name", [*policy.PRESETS, "legacy"])
def test_epsilon_is_never_said_without_its_unit(name: str) -> None:
    chosen = policy.make((name,), ())
    for text in (wording.policy_words(chosen, 10, 120), wording.guarantee(chosen)):
        assert ("ε" not in text) or any(unit in text for unit in ("window", "reading", "UTC day"))
    assert "120 s after its end" in wording.policy_words(chosen, 10, 120)
