"""Settings: every value checked, the unknown refused."""

from __future__ import annotations

import dataclasses

import pytest

from cpu_aggregator import settings
from cpu_aggregator.errors import SettingsError

CUSTOM = (
    '[{"unit":"window","epsilon":1,"sample_seconds":1,"slot_seconds":5,"n":5,"interval_ms":20,"lower":0,"upper":100}]'
)


def test_defaults_are_those_of_the_design() -> None:
    chosen = settings.read({"PATH": "/bin", "CPUTRACKER_PORT": ""})
    assert chosen.policy.names == ("hour",)
    assert (chosen.min_participants, chosen.settle_seconds, chosen.retention_days) == (10, 120, 90)
    assert not chosen.publish_peers
    assert chosen.smoothing_seconds == 6 * 3_600


def test_every_setting_reaches_its_field() -> None:
    given = {
        "POLICY": "custom",
        "POLICY_CUSTOM": CUSTOM,
        "DATASITES_DIR": "/d",
        "PUBLIC_DIR": "/p",
        "STATE_DIR": "/s",
        "LAYOUT": "flat",
        "EMAIL": "lab@example.com",
        "MIN_PARTICIPANTS": "3",
        "SETTLE_SECONDS": "1.5",
        "SCAN_SECONDS": "2",
        "SMOOTHING_SECONDS": "0",
        "PUBLISH_PEERS": "on",
        "RETENTION_DAYS": "7",
        "HEARTBEAT": "/h",
        "PORT": "8090",
        "ALLOWED_HOSTS": "a.example, [::1]",
        "LOG_LEVEL": "debug",
    }
    assert {f"CPUTRACKER_{name}" for name in given} == set(settings.NAMES)
    default, changed = settings.read({}), settings.read({f"CPUTRACKER_{k}": v for k, v in given.items()})
    for field in dataclasses.fields(settings.Settings):
        assert getattr(default, field.name) != getattr(changed, field.name), field.name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("POLICY", "hourly"),
        ("POLICY", ","),
        ("POLICY_CUSTOM", "{}"),
        ("POLICY_CUSTOM", "[1]"),
        ("POLICY_CUSTOM", "nonsense"),
        ("DATASITES_DIR", "relative"),
        ("LAYOUT", "auto"),
        ("EMAIL", "nobody"),
        ("MIN_PARTICIPANTS", "0"),
        ("MIN_PARTICIPANTS", "\u0661\u0660"),
        ("SETTLE_SECONDS", "nan"),
        ("SETTLE_SECONDS", "-1"),
        ("PUBLISH_PEERS", "yes"),
        ("PORT", "99999"),
        ("ALLOWED_HOSTS", "http://x"),
        ("LOG_LEVEL", "loud"),
        ("PRESET", "hour"),
    ],
)
def test_what_is_wrong_is_named(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"CPUTRACKER_{name}"):
        settings.read({f"CPUTRACKER_{name}": text})
