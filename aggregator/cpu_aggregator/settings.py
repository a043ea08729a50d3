"""The aggregator's settings: read once from the environment into a frozen object; anything unknown is refused."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpu_aggregator import policy
from cpu_aggregator.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cpu_aggregator.policy import Policy, Preset

PREFIX = "CPUTRACKER_"
SMOOTHED_SLOTS = 6  # the default time constant, in slots
_EMAIL = re.compile(r"[^\s@/\\,'\"*?\[\]{}]+@[^\s@/\\,'\"*?\[\]{}.][^\s@/\\,'\"*?\[\]{}]*")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set.

    Attributes:
        policy: which presets are averaged together.
        datasites_dir: the folder that holds one folder per datasite, or with layout `datasites` the data_dir above it.
        public_dir: `public/` of the aggregator's own datasite, where the result is published.
        state_dir: history and lock; syncs nowhere.
        layout: `datasites` or `flat`.
        email: the aggregator's own address, as the page shows it.
        min_participants: fewest values a mean is shown for.
        settle_seconds: from a slot's end to its result.
        scan_seconds: between looks at the files, for the page's sake; results come at their own time.
        smoothing_seconds: time constant of the smoothed series; 0: none.
        publish_peers: also publish the names of those counted.
        retention_days: days that every slot's result is kept; hourly means stay for good.
        heartbeat: file that the health check reads.
        port, allowed_hosts, log_level: of the HTTP server and the log.
    """

    policy: Policy
    datasites_dir: Path
    public_dir: Path
    state_dir: Path
    layout: str
    email: str
    min_participants: int
    settle_seconds: float
    scan_seconds: float
    smoothing_seconds: float
    publish_peers: bool
    retention_days: int
    heartbeat: Path
    port: int
    allowed_hosts: tuple[str, ...]
    log_level: str


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not low <= float(text) <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
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
        raise ValueError("an e-mail address, e.g. aggregator@example.com")
    return text


def _path(text: str) -> Path:
    if not text.startswith("/"):
        raise ValueError("an absolute path")
    return Path(text)


def _hosts(text: str) -> tuple[str, ...]:
    names = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if not all(re.fullmatch(r"[a-z0-9.-]+|\[[0-9a-f:]+\]", name) for name in names):
        raise ValueError("host names without port, separated by commas")
    return names


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _customs(text: str) -> tuple[Preset, ...]:
    try:
        entries = json.loads(text) if text else []
    except ValueError:
        entries = None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("a JSON list of objects, each a setting in full")
    return tuple(policy.custom(dict(entry)) for entry in entries)


_ALL: dict[str, tuple[Callable[[str], Any], str]] = {
    "POLICY": (_names, "hour"),
    "POLICY_CUSTOM": (_customs, ""),
    "DATASITES_DIR": (_path, "/datasites"),
    "PUBLIC_DIR": (_path, "/public"),
    "STATE_DIR": (_path, "/state"),
    "LAYOUT": (_one_of("datasites", "flat"), "datasites"),
    "EMAIL": (_email, "aggregator@openmined.org"),
    "MIN_PARTICIPANTS": (_whole(1, 1_000_000), "10"),
    "SETTLE_SECONDS": (_number(1, 86_400), "120"),
    "SCAN_SECONDS": (_number(1, 3_600), "30"),
    "SMOOTHING_SECONDS": (lambda text: _number(0, 31_536_000)(text) if text else None, ""),
    "PUBLISH_PEERS": (_switch, "off"),
    "RETENTION_DAYS": (_whole(1, 3_650), "90"),
    "HEARTBEAT": (_path, "/run/cpu_aggregator/heartbeat"),
    "PORT": (_whole(1, 65_535), "8080"),
    "ALLOWED_HOSTS": (_hosts, ""),
    "LOG_LEVEL": (_one_of("debug", "info", "warning", "error"), "info"),
}
NAMES: tuple[str, ...] = tuple(PREFIX + name for name in _ALL)


def read(environ: Mapping[str, str]) -> Settings:
    """Settings from `environ`. An empty value counts as unset, as Compose passes it.

    Raises:
        SettingsError: names the variable, its value and what is allowed.
    """
    given = {name.removeprefix(PREFIX): text for name, text in environ.items() if name.startswith(PREFIX)}
    for name in given:
        if name not in _ALL:
            raise SettingsError(f"{PREFIX}{name} is no setting of the aggregator; known: {', '.join(NAMES)}")
    values = {name: _parse(name, given.get(name) or default, parse) for name, (parse, default) in _ALL.items()}
    accepted = policy.make(values.pop("POLICY"), values.pop("POLICY_CUSTOM"))
    smoothing = values.pop("SMOOTHING_SECONDS")
    return Settings(
        policy=accepted,
        smoothing_seconds=SMOOTHED_SLOTS * accepted.slot_seconds if smoothing is None else smoothing,
        **{name.lower(): value for name, value in values.items()},
    )


def _parse(name: str, text: str, parse: Callable[[str], Any]) -> Any:  # noqa: ANN401 - one parser a setting
    try:
        return parse(text)
    except ValueError as error:
        raise SettingsError(f"{PREFIX}{name} is {text!r}; allowed: {error}") from None
