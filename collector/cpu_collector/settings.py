"""The collector's settings: read once from the environment; anything unknown, missing or bad is refused.

Plain classes instead of dataclasses, and checks by hand instead of `typing` and `pathlib`: on top of psutil these
three would cost 1.3, 0.4 and 0.6 MB of the collector's 11 (Python 3.11, private memory before and after the import).
"""

from __future__ import annotations

from cpu_collector.errors import SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "CPUTRACKER_"
DEFAULT_PRESET = "hour"
PRESET_SAMPLE_SECONDS = {
    "hour": 300,
    "window": 300,
    "window-fast": 60,
    "day": 300,
    "day-sampled": 300,
    "reading": 20,
}
_DAY_SECONDS = 86_400
# name -> (lowest, highest, default); None: no default
_WHOLE: dict[str, tuple[int, int, int | None]] = {
    "SAMPLE_SECONDS": (1, _DAY_SECONDS, None),
    "READINGS": (1, 1_000, 50),
    "INTERVAL_MS": (20, 10_000, 100),
    "LOWER": (0, 99, 0),
    "UPPER": (1, 100, 100),
    "PUBLISHER_UID": (0, 2**31 - 1, None),
}
# name -> (what is allowed, default)
_CHOICES: dict[str, tuple[tuple[str, ...], str]] = {
    "PRESET": (tuple(PRESET_SAMPLE_SECONDS), DEFAULT_PRESET),
    "ISOLATION": (("on", "off"), "on"),
    "LOG_LEVEL": (("debug", "info", "warning", "error"), "info"),
}
# name -> default
_PATHS: dict[str, str] = {
    "SOCKET": "/handoff/collector.sock",
    "PROCFS": "/proc",
    "HEARTBEAT": "/run/cpu_collector/heartbeat",
}
NAMES: tuple[str, ...] = tuple(PREFIX + name for name in (*_CHOICES, *_WHOLE, *_PATHS))


class Settings:
    """Everything that can be set.

    Attributes:
        sample_seconds: length of a sample interval; divides 86,400.
        n: readings of a window.
        interval_ms: length of a reading.
        lower, upper: clip bounds of a reading, hundredths of a percent.
        socket: path of the hand-off socket.
        publisher_uid: the only uid that is served.
        procfs: where /proc is mounted.
        heartbeat: path of the heartbeat file.
        isolation: False only where collector and publisher run as one uid without an engine.
        log_level: debug, info, warning or error.
    """

    __slots__ = (
        "heartbeat",
        "interval_ms",
        "isolation",
        "log_level",
        "lower",
        "n",
        "procfs",
        "publisher_uid",
        "sample_seconds",
        "socket",
        "upper",
    )

    sample_seconds: int
    n: int
    interval_ms: int
    lower: int
    upper: int
    socket: str
    publisher_uid: int
    procfs: str
    heartbeat: str
    isolation: bool
    log_level: str

    @property
    def sample_ms(self) -> int:
        """Length of a sample interval."""
        return 1_000 * self.sample_seconds

    @property
    def lateness_ms(self) -> int:
        """How much longer than n·interval a window may take: min(3 s, 0.15·sample)."""
        return min(3_000, 150 * self.sample_seconds)

    @property
    def longest_span_ms(self) -> int:
        """Longest time from a window's scheduled start to its end."""
        return self.n * self.interval_ms + self.lateness_ms

    @property
    def covers_ms(self) -> int:
        """What a window leaves of its sample interval, after min(0.5 s, 0.025·sample) for the rounding of clocks."""
        return self.sample_ms - self.longest_span_ms - min(500, 25 * self.sample_seconds)


def read(environ: Mapping[str, str]) -> Settings:
    """Settings from `environ`. An empty value counts as unset, as Compose passes it.

    Raises:
        SettingsError: names the variable, its value and what is allowed.
    """
    for name in environ:
        if name.startswith(PREFIX) and name not in NAMES:
            raise SettingsError(f"{name} is no setting of the collector; known: {', '.join(NAMES)}")
    given = {name.removeprefix(PREFIX): text for name, text in environ.items() if name.startswith(PREFIX) and text}
    result = Settings()
    result.sample_seconds = _whole(
        {"SAMPLE_SECONDS": str(PRESET_SAMPLE_SECONDS[_choice(given, "PRESET")]), **given}, "SAMPLE_SECONDS"
    )
    result.n = _whole(given, "READINGS")
    result.interval_ms = _whole(given, "INTERVAL_MS")
    result.lower = 100 * _whole(given, "LOWER")
    result.upper = 100 * _whole(given, "UPPER")
    result.publisher_uid = _whole(given, "PUBLISHER_UID")
    result.socket = _path(given, "SOCKET")
    result.procfs = _path(given, "PROCFS")
    result.heartbeat = _path(given, "HEARTBEAT")
    result.isolation = _choice(given, "ISOLATION") == "on"
    result.log_level = _choice(given, "LOG_LEVEL")
    _check(result)
    return result


def _check(settings: Settings) -> None:
    if _DAY_SECONDS % settings.sample_seconds:
        raise SettingsError(
            f"CPUTRACKER_SAMPLE_SECONDS is {settings.sample_seconds}; allowed: what divides {_DAY_SECONDS}"
        )
    if settings.lower >= settings.upper:
        raise SettingsError(
            f"CPUTRACKER_LOWER is {settings.lower // 100}, CPUTRACKER_UPPER {settings.upper // 100};"
            " allowed: 0 <= lower < upper <= 100"
        )
    if settings.covers_ms <= 0:
        raise SettingsError(
            f"a window of {settings.n} readings of {settings.interval_ms} ms may last {settings.longest_span_ms} ms"
            f" and leaves nothing of a sample interval of {settings.sample_seconds} s to cover; raise"
            " CPUTRACKER_SAMPLE_SECONDS or lower CPUTRACKER_READINGS or CPUTRACKER_INTERVAL_MS"
        )


def _whole(given: Mapping[str, str], name: str) -> int:
    low, high, default = _WHOLE[name]
    text = given.get(name)
    if text is None:
        if default is None:
            raise SettingsError(f"{PREFIX}{name} is not set; allowed: a whole number from {low} to {high}")
        return default
    # len first: int() of a text of any length would be work without a bound
    if len(text) <= len(str(high)) and text.isascii() and text.isdigit() and low <= int(text) <= high:
        return int(text)
    raise SettingsError(f"{PREFIX}{name} is {text!r}; allowed: a whole number from {low} to {high}")


def _choice(given: Mapping[str, str], name: str) -> str:
    allowed, default = _CHOICES[name]
    text = given.get(name, default)
    if text not in allowed:
        raise SettingsError(f"{PREFIX}{name} is {text!r}; allowed: {', '.join(allowed)}")
    return text


def _path(given: Mapping[str, str], name: str) -> str:
    text = given.get(name, _PATHS[name])
    if not text.startswith("/"):
        raise SettingsError(f"{PREFIX}{name} is {text!r}; allowed: an absolute path")
    return text
