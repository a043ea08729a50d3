"""Strict parsing of a public file into fields whose types are checked (wire-contract section 3). Pure.

A strict reader beats a lenient one here: whatever two readers could understand differently is refused.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import Any, NoReturn

from cpu_aggregator.errors import BodyRefusedError

LIMIT_BYTES = 4_096  # a public file is shorter
_MOST_BRACKETS = 8  # schema 1 has four objects; deeper nesting would only cost a parser its stack
_DIGITS = 15  # of an integer: beyond that floats stop being exact

_TEXT, _WHOLE, _NUMBER, _OBJECT, _WHOLE_OR_NULL, _NUMBER_OR_NULL = range(6)
FIELDS: dict[str, int] = {
    "cpu": _NUMBER,
    "timestamp": _TEXT,
    "schema": _WHOLE,
    "status": _TEXT,
    "resumes_slot": _WHOLE_OR_NULL,
    "slot": _WHOLE,
    "slot_seconds": _WHOLE,
    "kind": _TEXT,
    "windows": _WHOLE,
    "preset": _TEXT,
    "seq": _WHOLE,
    "ledger_id": _TEXT,
    "noise": _OBJECT,
    "guarantee": _OBJECT,
    "sampling": _OBJECT,
    "nonce": _TEXT,
}
NESTED: dict[str, dict[str, int]] = {
    "noise": {"mechanism": _TEXT, "scale_pp": _NUMBER, "granularity_pp": _NUMBER},
    "guarantee": {
        "unit": _TEXT,
        "covers_seconds": _NUMBER_OR_NULL,
        "sensitivity_pp": _NUMBER,
        "epsilon": _NUMBER,
        "delta": _NUMBER,
        "epsilon_24h_spent": _NUMBER,
        "epsilon_24h_cap": _NUMBER,
    },
    "sampling": {"n": _WHOLE, "interval_ms": _WHOLE, "lower": _WHOLE, "upper": _WHOLE},
}
LEGACY_FIELDS: dict[str, int] = {"cpu": _NUMBER, "timestamp": _TEXT}
_ALLOWED: dict[int, tuple[type, ...]] = {
    _TEXT: (str,),
    _WHOLE: (int,),
    _NUMBER: (int, float),
    _OBJECT: (dict,),
    _WHOLE_OR_NULL: (int, type(None)),
    _NUMBER_OR_NULL: (int, float, type(None)),
}
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


def parse(raw: bytes) -> dict[str, Any]:
    """The file's one object: exactly the fields of schema 1, or exactly the old two, each of its type and finite.

    Raises:
        BodyRefusedError: empty, size, json, fields, type, schema or value.
    """
    document = _load(raw)
    if document.keys() == LEGACY_FIELDS.keys():
        _shape(document, LEGACY_FIELDS)
        return document
    if "schema" in document and (type(document["schema"]) is not int or document["schema"] != 1):
        raise BodyRefusedError("schema")
    _shape(document, FIELDS)
    for name, fields in NESTED.items():
        _shape(document[name], fields)
    return document


def _load(raw: bytes) -> dict[str, Any]:
    if not raw:
        raise BodyRefusedError("empty")
    if len(raw) >= LIMIT_BYTES:
        raise BodyRefusedError("size")
    if raw.count(b"{") + raw.count(b"[") > _MOST_BRACKETS:
        raise BodyRefusedError("json")
    try:
        document = json.loads(
            raw.decode(), object_pairs_hook=_pairs, parse_constant=_refuse_constant, parse_int=_integer
        )
    except ValueError:
        raise BodyRefusedError("json") from None
    if type(document) is not dict:
        raise BodyRefusedError("json")
    return document


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise BodyRefusedError("fields")
    return document


def _refuse_constant(_text: str) -> NoReturn:
    raise BodyRefusedError("value")


def _integer(text: str) -> int:
    if len(text) > _DIGITS:
        raise BodyRefusedError("value")
    return int(text)


def _shape(document: dict[str, Any], fields: dict[str, int]) -> None:
    if document.keys() != fields.keys():
        raise BodyRefusedError("fields")
    for name, kind in fields.items():
        value = document[name]
        if type(value) not in _ALLOWED[kind]:
            raise BodyRefusedError("type")
        if type(value) is float and not math.isfinite(value):
            raise BodyRefusedError("value")


def unix_seconds(timestamp: str) -> int | None:
    """Unix seconds of `YYYY-MM-DD HH:MM:SS`, UTC, ASCII digits; None if it is anything else."""
    if not _STAMP.fullmatch(timestamp):
        return None
    try:
        return int(datetime.strptime(timestamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None
