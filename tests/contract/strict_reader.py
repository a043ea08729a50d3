"""A strict reader of the public file, written from docs/wire-contract.md alone: it imports nothing of the project.

For files of our own publisher: every field, type and relation must be as the contract says, and nothing else be there.
"""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 4_096  # bytes; a public file is shorter
DAY = 86_400
RELATIVE = 1e-6  # how far two numbers that must agree may differ
TIMESTAMP = "%Y-%m-%d %H:%M:%S"
WHOLE = {"schema": 1, "slot": 0, "slot_seconds": 1, "windows": 1, "seq": 1}  # field -> least value
TEXT = ("timestamp", "status", "kind", "preset", "ledger_id", "nonce")
NESTED = {
    "noise": {"mechanism", "scale_pp", "granularity_pp"},
    "guarantee": {
        "unit",
        "covers_seconds",
        "sensitivity_pp",
        "epsilon",
        "delta",
        "epsilon_24h_spent",
        "epsilon_24h_cap",
    },
    "sampling": {"n", "interval_ms", "lower", "upper"},
}
FIELDS = {"cpu", "resumes_slot", *WHOLE, *TEXT, *NESTED}
HEX_128 = re.compile(r"[0-9a-f]{32}")
STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


@dataclass(frozen=True)
class Named:
    """What the contract says of a preset."""

    unit: str
    sample_seconds: int
    slot_seconds: int
    full: int  # windows of a full slot
    epsilon: float  # of one release for one unit
    cap: float  # ε of 24 h of slots, at full range
    covers_seconds: float | None


PRESETS = {
    "hour": Named("window", 300, 3_600, 12, 1.0, 288, 291),
    "window": Named("window", 300, 300, 1, 1.0, 288, 291),
    "window-fast": Named("window", 60, 60, 1, 0.5, 720, 51),
    "day": Named("participant-day", 300, 21_600, 72, 1.0, 4, None),
    "day-sampled": Named("participant-day", 300, 86_400, 1, 1.0, 1, None),
    "reading": Named("reading", 20, 20, 1, 0.5, 108_000, 0),
}


class StrictError(Exception):
    """The file is not what the contract says.

    Attributes:
        why: short code, as in golden/public/index.json.
    """

    def __init__(self, why: str, detail: str = "") -> None:
        super().__init__(f"{why}: {detail}" if detail else why)
        self.why = why


def read(path: Path) -> dict[str, Any]:
    """The checked body of the file, whose mtime must be its timestamp and whose mode 0644.

    Raises:
        StrictError: names the first thing that is not as the contract says.
    """
    status = path.lstat()
    _must(status.st_mode == 0o100644, "mode", oct(status.st_mode))
    body = parse(path.read_bytes())
    _must(int(status.st_mtime) == _unix(body["timestamp"]), "mtime", f"{status.st_mtime} for {body['timestamp']}")
    return body


def parse(data: bytes) -> dict[str, Any]:
    """The checked body of `data`.

    Raises:
        StrictError: names the first thing that is not as the contract says.
    """
    body = _json(data)
    if type(body) is not dict:
        raise StrictError("json", "not an object")
    _shape(body)
    _time(body)
    _privacy(body)
    return body


def as_old_leader(data: bytes) -> tuple[float, datetime]:
    """`cpu` and naive `timestamp`, read as loosely as the network's old reader does. Any error there stops it."""
    body = json.loads(data)
    return float(body["cpu"]), datetime.strptime(body["timestamp"], TIMESTAMP)  # noqa: DTZ007 - as it does


def _must(holds: object, why: str, detail: str = "") -> None:
    if not holds:
        raise StrictError(why, detail)


def _json(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    _must(data, "empty")
    _must(len(data) < LIMIT, "size")
    _must(data.count(b"{") + data.count(b"[") <= 2 * (1 + len(NESTED)), "json")
    with suppress(ValueError):  # of UTF-8 too: bytes would be taken as UTF-16 where they look like it
        return json.loads(data.decode(), object_pairs_hook=_pairs, parse_constant=_not_finite, parse_int=_integer)
    raise StrictError("json")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _must(len(dict(pairs)) == len(pairs), "fields")
    return dict(pairs)


def _not_finite(_text: str) -> NoReturn:
    raise StrictError("value")


def _integer(text: str) -> int:
    _must(len(text) <= 15, "value", "an integer of more than 15 digits")
    return int(text)


def _shape(body: dict[str, Any]) -> None:
    _must("schema" not in body or (type(body["schema"]) is int and body["schema"] == 1), "schema")
    _must(body.keys() == FIELDS, "fields", str(sorted(body.keys() ^ FIELDS)))
    for name, least in WHOLE.items():
        _must(type(body[name]) is int, "type", name)
        _must(body[name] >= least, "value", name)
    for name in TEXT:
        _must(type(body[name]) is str, "type", name)
    for name, fields in NESTED.items():
        _must(type(body[name]) is dict, "type", name)
        _must(body[name].keys() == fields, "fields", name)
    _must(type(body["resumes_slot"]) in {int, type(None)}, "type", "resumes_slot")
    _numbers(body)
    _must(body["status"] in {"active", "budget_exhausted", "paused"}, "value", "status")
    _must(body["kind"] in {"slot", "first"}, "value", "kind")
    _must(body["noise"]["mechanism"] == "discrete_laplace", "value", "mechanism")
    for name in ("ledger_id", "nonce"):
        _must(HEX_128.fullmatch(body[name]), "value", name)


def _numbers(body: dict[str, Any]) -> None:
    noise, guarantee = body["noise"], body["guarantee"]
    numbers = [body["cpu"], noise["scale_pp"], noise["granularity_pp"]]
    numbers += [guarantee[name] for name in sorted(NESTED["guarantee"] - {"unit", "covers_seconds"})]
    if guarantee["covers_seconds"] is not None:
        numbers.append(guarantee["covers_seconds"])
    for number in numbers:
        _must(type(number) in {int, float}, "type", "a number")
        _must(math.isfinite(number), "value", "a number that is not finite")
    _must(type(guarantee["unit"]) is str, "type", "unit")
    _must(all(type(value) is int for value in body["sampling"].values()), "type", "sampling")


def _unix(timestamp: str) -> int:
    _must(STAMP.fullmatch(timestamp), "timestamp")
    with suppress(ValueError):
        return int(datetime.strptime(timestamp, TIMESTAMP).replace(tzinfo=UTC).timestamp())
    raise StrictError("timestamp")


def _time(body: dict[str, Any]) -> None:
    slot, length, named = body["slot"], body["slot_seconds"], PRESETS.get(body["preset"])
    _must(named or body["preset"] == "custom", "preset")
    _must(DAY % length == 0 and slot % length == 0, "slot")
    _must(not named or length == named.slot_seconds, "slot", "not the preset's")
    due_within = named.sample_seconds if named else length
    earliest = slot if body["kind"] == "first" else slot + length
    _must(earliest <= _unix(body["timestamp"]) < slot + length + due_within, "timestamp", "not the slot's")
    resumes = body["resumes_slot"]
    _must(resumes is None or (resumes > slot and resumes % length == 0), "value", "resumes_slot")
    _must(body["status"] != "active" or resumes is None, "value", "resumes_slot")
    _must(body["status"] != "budget_exhausted" or resumes is not None, "value", "resumes_slot")
    most = named.full if named else length
    _must(body["windows"] <= (1 if body["kind"] == "first" else most), "windows")


def _privacy(body: dict[str, Any]) -> None:
    k, named = body["windows"], PRESETS.get(body["preset"])
    scale, guarantee = body["noise"]["scale_pp"], body["guarantee"]
    _must(scale > 0, "scale")
    _must(_near(body["noise"]["granularity_pp"], 0.01 / k), "scale", "granularity_pp")
    d_in, releases = _unit(body)
    sensitivity = d_in / (100 * k)
    if named:
        _must(guarantee["unit"] == named.unit, "guarantee", "unit")
        _must(_near(scale, sensitivity / named.epsilon), "scale")
        _must(guarantee["covers_seconds"] == named.covers_seconds, "guarantee", "covers_seconds")
    _must(_near(guarantee["sensitivity_pp"], sensitivity), "guarantee", "sensitivity_pp")
    _must(_near(guarantee["epsilon"], releases * sensitivity / scale), "guarantee", "epsilon")
    _must(guarantee["delta"] == 0, "guarantee", "delta")
    _must(0 < guarantee["epsilon_24h_spent"] <= guarantee["epsilon_24h_cap"], "guarantee", "spent and cap")
    lower, upper = body["sampling"]["lower"] / 100, body["sampling"]["upper"] / 100
    _must(lower - 20 * scale <= body["cpu"] <= upper + 20 * scale, "range", "cpu")
    steps = 100 * k * body["cpu"]
    _must(math.isfinite(steps), "range", "cpu")
    _must(abs(steps - round(steps)) <= 1e-4 * k + RELATIVE, "value", "cpu is no multiple of the granularity")


def _unit(body: dict[str, Any]) -> tuple[int, int]:
    """d_in on the sum in hundredths of a percent, and the releases that one unit is in."""
    sampling, unit, covers = body["sampling"], body["guarantee"]["unit"], body["guarantee"]["covers_seconds"]
    usual = {"n": 50, "interval_ms": 100, "lower": 0, "upper": 10_000}
    _must(sampling == usual or body["preset"] == "custom", "guarantee", "sampling")
    _must(0 <= sampling["lower"] < sampling["upper"] <= usual["upper"], "guarantee", "sampling")
    _must(sampling["n"] > 0 and sampling["interval_ms"] > 0, "guarantee", "sampling")
    reach = sampling["upper"] - sampling["lower"]
    if unit == "participant-day":
        _must(covers is None, "guarantee", "covers_seconds")
        return body["windows"] * reach, DAY // body["slot_seconds"]
    _must(unit in {"reading", "window"}, "guarantee", "unit")
    _must(covers is not None and (covers > 0 if unit == "window" else covers == 0), "guarantee", "covers_seconds")
    return (reach, 1) if unit == "window" else (-(-reach // sampling["n"]), 1)


def _near(value: float, expected: float) -> bool:
    return math.isclose(value, expected, rel_tol=RELATIVE)
