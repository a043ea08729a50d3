"""Wire record v1: strict decoding of one line into a window (docs/wire-contract.md, sections 1 and 2). Pure.

Sensitivity rests on what is refused here, so whatever is not exactly a record of the publisher's own settings is.
The line is never kept: no error carries it, not even as context (`JSONDecodeError.doc` would).
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NoReturn, get_args

from cpu_publisher.errors import RecordRejectedError

if TYPE_CHECKING:
    from cpu_publisher.presets import Preset

Reason = Literal[
    "too_long",
    "no_newline",
    "many_lines",
    "not_utf8",
    "not_json",
    "not_object",
    "repeated_field",
    "version",
    "fields",
    "not_integer",
    "out_of_range",
    "settings",
    "span",
    "mean",
    "not_newer",
    "ahead",
    "too_old",
    "boot_clock",  # said by the session, which has the clock to compare with
]
REASONS: tuple[Reason, ...] = get_args(Reason)
VERSIONS = (1,)
FIELDS = frozenset({"v", "started_at_ms", "boot_ms", "span_ms", "n", "interval_ms", "lower", "upper", "mean"})
LINE_LIMIT = 512  # bytes; a line, its newline included, is shorter
TIME_LIMIT_MS = 253_402_300_800_000  # start of the year 10000
AHEAD_MS = 1_000
OLD_MS = 15_000  # beside a sample interval
_DIGITS = len(str(TIME_LIMIT_MS))


@dataclass(frozen=True, slots=True)
class Window:
    """One accepted window.

    Attributes:
        started_at_ms: unix time of its start.
        boot_ms: CLOCK_BOOTTIME of its start.
        span_ms: how long it took.
        mean: window mean in hundredths of a percent; never shown by repr.
    """

    started_at_ms: int
    boot_ms: int
    span_ms: int
    mean: int = field(repr=False)

    @property
    def ended_at_ms(self) -> int:
        """Unix time of its end."""
        return self.started_at_ms + self.span_ms

    @property
    def boot_end_ms(self) -> int:
        """CLOCK_BOOTTIME of its end."""
        return self.boot_ms + self.span_ms


def decode(line: bytes, preset: Preset) -> Window:
    r"""The window of one `line`, its `\n` included, if the collector measured it under the settings of `preset`.

    Raises:
        RecordRejectedError: anything else, with one of REASONS. Checks run from cheap to dear.
    """
    if len(line) >= LINE_LIMIT:
        _reject("too_long")
    if not line.endswith(b"\n"):
        _reject("no_newline")
    if line.count(b"\n") > 1:
        _reject("many_lines")
    record = _parse(_text(line))
    if type(record) is not dict:
        _reject("not_object")
    version = record.get("v")
    if type(version) is int and version not in VERSIONS:  # said first: another version may have other fields
        _reject("version")
    if record.keys() != FIELDS:
        _reject("fields")
    if any(type(value) is not int for value in record.values()):
        _reject("not_integer")
    return _window(record, preset)


def check_fresh(window: Window, *, now_utc_ms: int, last_started_ms: int | None, preset: Preset) -> None:
    """Refuse a window that was handed on before, claims to come from the future, or is too old.

    Args:
        window: what `decode` made.
        now_utc_ms: unix time of its arrival.
        last_started_ms: `started_at_ms` of the last window that passed here, None before the first.
        preset: the settings in force; a window may be as old as a sample interval and 15 s.

    Raises:
        RecordRejectedError: `not_newer` (also what a reconnect brings), `ahead` or `too_old`.
    """
    if last_started_ms is not None and window.started_at_ms <= last_started_ms:
        _reject("not_newer")
    if window.started_at_ms > now_utc_ms + AHEAD_MS:
        _reject("ahead")
    if window.started_at_ms < now_utc_ms - 1_000 * preset.sample_seconds - OLD_MS:
        _reject("too_old")


def _window(record: dict[str, int], preset: Preset) -> Window:
    ours = {"n": preset.n, "interval_ms": preset.interval_ms, "lower": preset.lower, "upper": preset.upper}
    if any(record[name] != value for name, value in ours.items()):
        _reject("settings")
    if max(record["started_at_ms"], record["boot_ms"]) >= TIME_LIMIT_MS:
        _reject("out_of_range")
    if not preset.n * preset.interval_ms <= record["span_ms"] <= preset.longest_span_ms:
        _reject("span")
    if not preset.lower <= record["mean"] <= preset.upper:
        _reject("mean")
    return Window(record["started_at_ms"], record["boot_ms"], record["span_ms"], record["mean"])


def _reject(reason: Reason) -> NoReturn:
    raise RecordRejectedError(reason)


def _integer(text: str) -> int:
    """Integers of the contract are not negative; digits are counted before they cost anything."""
    if text.startswith("-") or len(text) > _DIGITS:
        _reject("out_of_range")
    return int(text)


def _no_number(_text: str) -> NoReturn:
    _reject("not_integer")


def _fields(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        _reject("repeated_field")
    return fields


_DECODER = json.JSONDecoder(
    object_pairs_hook=_fields, parse_int=_integer, parse_float=_no_number, parse_constant=_no_number
)


def _text(line: bytes) -> str:
    with suppress(UnicodeDecodeError):
        return line.decode()
    _reject("not_utf8")  # raised outside the handler: the error it replaces holds the line


def _parse(text: str) -> Any:  # noqa: ANN401 - any JSON value
    with suppress(ValueError, RecursionError):
        return _DECODER.decode(text)
    _reject("not_json")
