"""Settings: read once, every bad one named with what is allowed."""

from __future__ import annotations

import dataclasses

import pytest

from cpu_publisher import settings
from cpu_publisher.errors import SettingsError
from cpu_publisher.presets import PRESETS


def read(**given: str) -> settings.Settings:
    return settings.read({f"CPUTRACKER_{name}": text for name, text in given.items()})


def test_nothing_set_is_the_embedded_default() -> None:
    found = settings.read({"PATH": "/bin", "HOME": "/x"})
    assert found.preset == PRESETS["hour"]
    assert found.embedded
    assert found.isolation
    assert found.mode == "container"
    assert (found.cap_micro, found.publish_delay_seconds, found.history_days) == (None, 10, 7)
    assert str(found.datasite_dir) == "/datasite"


def test_empty_counts_as_unset_as_compose_passes_it() -> None:
    assert settings.read(dict.fromkeys(settings.NAMES, "")) == settings.read({})


def test_it_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        read().port = 1  # type: ignore[misc] # that is the test


def test_what_is_set_is_there() -> None:
    found = read(
        EMAIL="Alice@Example.com",
        AGGREGATORS="a@example.org, b@example.org",
        CAP_EPSILON="24.5",
        ISOLATION="off",
        MIRROR="on",
        ALLOWED_HOSTS="Box.local, [::1]",
        LAYOUT="flat",
    )
    assert (found.email, found.aggregators) == ("Alice@Example.com", ("a@example.org", "b@example.org"))
    assert (found.cap_micro, found.mode, found.mirror) == (24_500_000, "app", True)
    assert found.allowed_hosts == ("box.local", "[::1]")
    assert not found.embedded


@pytest.mark.parametrize(("name", "preset"), PRESETS.items())
def test_a_preset_by_name_and_custom_once_changed(name: str, preset: object) -> None:
    assert read(PRESET=name, PUBLISH_DELAY_SECONDS="1").preset == preset
    assert read(PRESET=name, PUBLISH_DELAY_SECONDS="1", EPSILON="0.25").preset.name == "custom"
    assert read(PRESET="hour", EPSILON="1.0").preset.name == "hour", "nothing was changed"


BAD = {
    "UNIT": ("minute", "Window"),
    "EPSILON": ("0", "-1", "nan", "inf", "1e3", "101", "1,5"),
    "SAMPLE_SECONDS": ("0", "86401", "5.5", "-300", "³00"),
    "SLOT_SECONDS": ("0", "3601", "86401", "450"),
    "READINGS": ("0", "1001", "x"),
    "INTERVAL_MS": ("19", "10001"),
    "LOWER": ("-1", "100"),
    "UPPER": ("0", "101"),
    "PRESET": ("hours", "HOUR", "custom"),
    "CAP_EPSILON": ("0", "-5", "nan", "1e9"),
    "EMAIL": (
        "alice",
        "alice@",
        "@example.com",
        "a b@example.com",
        "a@b@c",
        "../x@example.com",
        "a@.com",
        "*@example.com",
    ),
    "AGGREGATORS": ("*", "a@example.org,", "a@example.org;b@example.org"),
    "LAYOUT": ("deep",),
    "DATASITE_DIR": ("datasite", "./x", "~/x"),
    "PRIVATE_DIR": ("private",),
    "SOCKET": ("collector.sock",),
    "COLLECTOR_UID": ("-1", "root", "9999999999"),
    "PUBLISH_DELAY_SECONDS": ("0", "0.05", "-1", "271", "nan"),
    "HISTORY_DAYS": ("-1", "401", "week"),
    "MIRROR": ("true", "1"),
    "ISOLATION": ("no", "OFF"),
    "PORT": ("0", "65536", "http"),
    "ALLOWED_HOSTS": ("http://x", "a:80", "*"),
    "HEARTBEAT": ("heartbeat",),
    "LOG_LEVEL": ("verbose",),
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in BAD.items() for text in texts])
def test_a_bad_value_is_named_with_what_is_allowed(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"CPUTRACKER_{name}") as error:
        read(**{name: text})
    assert "allowed" in str(error.value) or "known" in str(error.value)


def test_every_setting_has_a_bad_value_above() -> None:
    assert {f"CPUTRACKER_{name}" for name in BAD} == set(settings.NAMES)


def test_an_unknown_name_is_refused_with_those_known() -> None:
    with pytest.raises(SettingsError, match=r"CPUTRACKER_EPSILN is no setting of the publisher; known: .*EPSILON"):
        read(EPSILN="1")


@pytest.mark.parametrize(
    "given",
    [
        {"SAMPLE_SECONDS": "20", "SLOT_SECONDS": "20", "PUBLISH_DELAY_SECONDS": "18"},
        {"LOWER": "60", "UPPER": "50"},
        {"SAMPLE_SECONDS": "5", "SLOT_SECONDS": "5", "PUBLISH_DELAY_SECONDS": "1"},
    ],
)
def test_values_that_do_not_go_together_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="CPUTRACKER_"):
        read(**given)
