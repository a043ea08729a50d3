from __future__ import annotations

import pytest

from cpu_collector.errors import SettingsError
from cpu_collector.settings import NAMES, PRESET_SAMPLE_SECONDS, read

UID = {"CPUTRACKER_PUBLISHER_UID": "1000"}


def test_defaults() -> None:
    settings = read({**UID, "PATH": "/bin", "CPUTRACKER_PRESET": "", "CPUTRACKER_READINGS": ""})
    assert {name: getattr(settings, name) for name in settings.__slots__} == {
        "heartbeat": "/run/cpu_collector/heartbeat",
        "interval_ms": 100,
        "isolation": True,
        "log_level": "info",
        "lower": 0,
        "n": 50,
        "procfs": "/proc",
        "publisher_uid": 1000,
        "sample_seconds": 300,
        "socket": "/handoff/collector.sock",
        "upper": 10_000,
    }


@pytest.mark.parametrize(("sample", "covers_ms"), [(300, 291_500), (60, 51_500), (20, 11_500)])
def test_lengths(sample: int, covers_ms: int) -> None:
    settings = read({**UID, "CPUTRACKER_SAMPLE_SECONDS": str(sample)})
    assert (settings.lateness_ms, settings.longest_span_ms, settings.covers_ms) == (3_000, 8_000, covers_ms)


@pytest.mark.parametrize(("preset", "sample"), PRESET_SAMPLE_SECONDS.items())
def test_a_preset_gives_the_sample_length_and_a_number_overrides_it(preset: str, sample: int) -> None:
    environ = {**UID, "CPUTRACKER_PRESET": preset}
    assert read(environ).sample_seconds == sample
    assert read({**environ, "CPUTRACKER_SAMPLE_SECONDS": "30"}).sample_seconds == 30


BAD = [
    ("PRESET", "hourly", "window-fast"),
    ("SAMPLE_SECONDS", "0", "1 to 86400"),
    ("SAMPLE_SECONDS", "86401", "1 to 86400"),
    ("SAMPLE_SECONDS", "299", "divides 86400"),
    ("SAMPLE_SECONDS", "5", "cover"),
    ("READINGS", "0", "1 to 1000"),
    ("READINGS", "1001", "1 to 1000"),
    ("READINGS", "50.0", "whole"),
    ("READINGS", "+50", "whole"),
    ("READINGS", "\u0665\u0660", "whole"),
    ("READINGS", "\u00b2", "whole"),
    ("READINGS", "9" * 5_000, "whole"),
    ("INTERVAL_MS", "19", "20 to 10000"),
    ("INTERVAL_MS", "10000", "cover"),
    ("LOWER", "-1", "0 to 99"),
    ("UPPER", "101", "1 to 100"),
    ("LOWER", "99", ""),
    ("SOCKET", "collector.sock", "absolute"),
    ("HEARTBEAT", "heartbeat", "absolute"),
    ("PROCFS", "proc", "absolute"),
    ("PUBLISHER_UID", "root", "whole"),
    ("PUBLISHER_UID", "2147483648", "2147483647"),
    ("PUBLISHER_UID", "", "not set"),
    ("ISOLATION", "yes", "on, off"),
    ("LOG_LEVEL", "trace", "debug, info"),
    ("EPSILON", "1", "no setting of the collector"),
    ("", "1", "no setting of the collector"),
]


@pytest.mark.parametrize(("name", "value", "says"), BAD)
def test_a_bad_value_is_named_with_what_is_allowed(name: str, value: str, says: str) -> None:
    environ = {**UID, f"CPUTRACKER_{name}": value}
    if (name, value) == ("LOWER", "99"):
        environ["CPUTRACKER_UPPER"] = "99"
    with pytest.raises(SettingsError) as error:
        read(environ)
    assert f"CPUTRACKER_{name}" in str(error.value)
    assert says in str(error.value)


def test_every_setting_has_a_bad_value_above() -> None:
    assert {f"CPUTRACKER_{name}" for name, *_ in BAD} >= set(NAMES)
