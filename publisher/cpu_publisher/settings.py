"""The publisher's settings: read once from the environment into a frozen object; anything unknown is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpu_publisher.errors import SettingsError
from cpu_publisher.presets import DEFAULT_PRESET, PRESETS, UNITS, Preset, customise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "CPUTRACKER_"
EMBEDDED_EMAIL = "local@example.com"
DEFAULT_AGGREGATOR = "aggregator@openmined.org"
_EMAIL = re.compile(r"[^\s@/\\,'\"*?\[\]{}]+@[^\s@/\\,'\"*?\[\]{}.][^\s@/\\,'\"*?\[\]{}]*")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set.

    Attributes:
        preset: the privacy setting in force, `custom` if any value was changed.
        cap_micro: cap on ε of 24 h of slots in millionths; None: what the preset's own cadence needs.
        email: owner of the datasite, case kept.
        aggregators: who may read the public file.
        layout: `datasites` (`<data_dir>/datasites/<email>`) or `flat` (`<SyftBox>/<email>`).
        datasite_dir, private_dir: the owner's datasite and the private folder, as this process sees them.
        socket: the collector's Unix socket.
        collector_uid: uid that the socket's server must have.
        publish_delay_seconds: from a slot's end (or the first window's start) to its due time, before the phase.
        history_days: days of raw and released values kept for the owner's own check; 0: the newest only.
        mirror: also write the release where the old readers look.
        isolation: False only when collector and publisher run as one uid without an engine.
        port: TCP port of the HTTP server.
        allowed_hosts: names allowed in the Host header beside the loopback ones.
        heartbeat: file that says that the release loop turns, for the container's health check.
        log_level: debug, info, warning or error.
    """

    preset: Preset
    cap_micro: int | None
    email: str
    aggregators: tuple[str, ...]
    layout: str
    datasite_dir: Path
    private_dir: Path
    socket: Path
    collector_uid: int
    publish_delay_seconds: float
    history_days: int
    mirror: bool
    isolation: bool
    port: int
    allowed_hosts: tuple[str, ...]
    heartbeat: Path
    log_level: str

    @property
    def mode(self) -> str:
        """Which kind of publisher this is: `container`, or `app` without an engine."""
        return "container" if self.isolation else "app"

    @property
    def embedded(self) -> bool:
        """True on the default volumes: no SyftBox account, nobody else sees the file."""
        return self.email == EMBEDDED_EMAIL


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text) or not low <= float(text) <= high:
            raise ValueError(f"a number from {low} to {high}")
        return float(text)

    return parse


def _one_of(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(", ".join(names))
        return text

    return parse


def _switch(text: str) -> bool:
    return _one_of("on", "off")(text) == "on"


def _email(text: str) -> str:
    if not _EMAIL.fullmatch(text):
        raise ValueError("an e-mail address, e.g. alice@example.com")
    return text


def _emails(text: str) -> tuple[str, ...]:
    return tuple(_email(part.strip()) for part in text.split(","))


def _path(text: str) -> Path:
    if not text.startswith("/"):
        raise ValueError("an absolute path")
    return Path(text)


def _hosts(text: str) -> tuple[str, ...]:
    names = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if not all(re.fullmatch(r"[a-z0-9.-]+|\[[0-9a-f:]+\]", name) for name in names):
        raise ValueError("host names without port, separated by commas")
    return names


# name -> (parser, default as text). Defaults of the privacy values come from the preset.
_PRIVACY: dict[str, tuple[str, Callable[[str], Any]]] = {
    "UNIT": ("unit", _one_of(*UNITS)),
    "EPSILON": ("epsilon", _number(0.001, 100)),
    "SAMPLE_SECONDS": ("sample_seconds", _whole(1, 86_400)),
    "SLOT_SECONDS": ("slot_seconds", _whole(1, 86_400)),
    "READINGS": ("n", _whole(1, 1_000)),
    "INTERVAL_MS": ("interval_ms", _whole(20, 10_000)),
    "LOWER": ("lower_percent", _whole(0, 99)),
    "UPPER": ("upper_percent", _whole(1, 100)),
}
_OTHER: dict[str, tuple[Callable[[str], Any], str]] = {
    "PRESET": (_one_of(*PRESETS), DEFAULT_PRESET),
    "CAP_EPSILON": (lambda text: _number(0.001, 1_000_000)(text) if text else None, ""),
    "EMAIL": (_email, EMBEDDED_EMAIL),
    "AGGREGATORS": (_emails, DEFAULT_AGGREGATOR),
    "LAYOUT": (_one_of("datasites", "flat"), "datasites"),
    "DATASITE_DIR": (_path, "/datasite"),
    "PRIVATE_DIR": (_path, "/private"),
    "SOCKET": (_path, "/handoff/collector.sock"),
    "COLLECTOR_UID": (_whole(0, 2**31 - 1), "60711"),
    "PUBLISH_DELAY_SECONDS": (_number(0.1, 3_600), "10"),
    "HISTORY_DAYS": (_whole(0, 400), "7"),
    "MIRROR": (_switch, "off"),
    "ISOLATION": (_switch, "on"),
    "PORT": (_whole(1, 65_535), "8080"),
    "ALLOWED_HOSTS": (_hosts, ""),
    "HEARTBEAT": (_path, "/run/cpu_publisher/heartbeat"),
    "LOG_LEVEL": (_one_of("debug", "info", "warning", "error"), "info"),
}
NAMES: tuple[str, ...] = tuple(PREFIX + name for name in (*_OTHER, *_PRIVACY))


def read(environ: Mapping[str, str]) -> Settings:
    """Settings from `environ`. An empty value counts as unset, as Compose passes it.

    Raises:
        SettingsError: names the variable, its value and what is allowed.
    """
    given = {name.removeprefix(PREFIX): text for name, text in environ.items() if name.startswith(PREFIX)}
    for name in given:
        if name not in _OTHER and name not in _PRIVACY:
            raise SettingsError(f"{PREFIX}{name} is no setting of the publisher; known: {', '.join(NAMES)}")
    values = {name: _parse(name, given.get(name) or default, parse) for name, (parse, default) in _OTHER.items()}
    changes = {field: _parse(name, given[name], parse) for name, (field, parse) in _PRIVACY.items() if given.get(name)}
    preset = customise(PRESETS[values["PRESET"]], **changes)
    delay: float = values["PUBLISH_DELAY_SECONDS"]
    if delay + preset.sample_seconds / 10 >= preset.sample_seconds:
        raise SettingsError(
            f"CPUTRACKER_PUBLISH_DELAY_SECONDS is {delay}: with a phase of up to a tenth of the sample interval it"
            f" must stay below {preset.sample_seconds} s; allowed here: less than {0.9 * preset.sample_seconds:g}"
        )
    cap = values["CAP_EPSILON"]
    return Settings(
        preset=preset,
        cap_micro=None if cap is None else round(cap * 1_000_000),
        email=values["EMAIL"],
        aggregators=values["AGGREGATORS"],
        layout=values["LAYOUT"],
        datasite_dir=values["DATASITE_DIR"],
        private_dir=values["PRIVATE_DIR"],
        socket=values["SOCKET"],
        collector_uid=values["COLLECTOR_UID"],
        publish_delay_seconds=delay,
        history_days=values["HISTORY_DAYS"],
        mirror=values["MIRROR"],
        isolation=values["ISOLATION"],
        port=values["PORT"],
        allowed_hosts=values["ALLOWED_HOSTS"],
        heartbeat=values["HEARTBEAT"],
        log_level=values["LOG_LEVEL"],
    )


def _parse(name: str, text: str, parse: Callable[[str], Any]) -> Any:  # noqa: ANN401 - one parser a setting
    try:
        return parse(text)
    except ValueError as error:
        raise SettingsError(f"{PREFIX}{name} is {text!r}; allowed: {error}") from None
