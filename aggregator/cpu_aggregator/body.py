"""From a public file's bytes to one value that may be judged: everything that can be checked without history. Pure.

Two ways that give the same answer. The strict way parses JSON and checks every field. What it accepted is remembered
as a frame: the bytes of that body without what is one participant's own (value, seq, ledger, spend, nonce). A later
body in a known frame needs only those five checked, which costs a tenth. A test holds both ways equal.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from cpu_aggregator import schema
from cpu_aggregator.errors import BodyRefusedError
from cpu_aggregator.policy import CUSTOM, LEGACY, OLD_APP, PRESETS

if TYPE_CHECKING:
    from cpu_aggregator.policy import Policy, Preset

RANGE_B = 20  # a value further out than this many b is refused: noise reaches that once in e^20 draws
_RELATIVE = 1e-6
_PERCENT = 100  # the old app clamps its noisy value to 0..100
_MOST_FRAMES = 8_192  # a slot's due times, k and status make some hundred; then the table starts anew
_STATUS = ("active", "budget_exhausted", "paused")
_KINDS = ("slot", "first")
_HEX = re.compile(r"[0-9a-f]{32}")
# A body as the publisher writes it (json.dumps, indent=2): groups of one participant's own, and all that is between.
# Nothing is taken on trust: a body that is laid out otherwise, or whose rest was never accepted, goes the strict way.
_LAYOUT = re.compile(
    rb'\{\n  "cpu": (-?(?:0|[1-9][0-9]{0,8})\.[0-9]{1,17})(,\n  "timestamp": .{180,260}"seq": )([1-9][0-9]{0,14}),\n'
    rb'  "ledger_id": "([0-9a-f]{32})(",\n  "noise": .{250,400}"epsilon_24h_spent": )'
    rb'((?:0|[1-9][0-9]{0,8})\.[0-9]{1,17})(,\n    "epsilon_24h_cap": .{100,400}"nonce": ")[0-9a-f]{32}"\n\}\n',
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What many bodies share.

    Attributes:
        preset: its number in the policy.
        kind: `slot` or `first`.
        windows: k.
        coarse: fewer than half of the slot's windows.
        low, high: values outside are refused (20 b beyond the bounds).
        cap: ε of 24 h allowed.
        slot: start of the slot; due: the timestamp; both unix seconds.
    """

    preset: int
    kind: str
    windows: int
    coarse: bool
    low: float
    high: float
    cap: float
    slot: int
    due: int


class Body(NamedTuple):
    """One value that is what the contract and the policy demand.

    Attributes:
        cpu: the published value, percent, not clamped.
        seq: number of the release in its ledger.
        ledger: the first 60 bits of the ledger's name: enough to tell one participant's own ledgers apart.
        frame: the rest.
    """

    cpu: float
    seq: int
    ledger: int
    frame: Frame


class Reader:
    """Reads bodies under one policy."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._by_name: dict[str, list[int]] = {}
        for number, preset in enumerate(policy.presets):
            self._by_name.setdefault(preset.name, []).append(number)
        self._frames: dict[tuple[bytes, ...], Frame] = {}

    def read(self, raw: bytes) -> Body:
        """The value in `raw`.

        Raises:
            BodyRefusedError: with a code of `cpu_aggregator.reasons`.
        """
        layout = _LAYOUT.fullmatch(raw) if len(raw) < schema.LIMIT_BYTES else None
        if layout is None:
            return self._strict(raw)
        cpu, before, seq, ledger, between, spent, after = layout.groups()
        key = (before, between, after)
        frame = self._frames.get(key)
        if frame is None:
            body = self._strict(raw)
            if len(self._frames) >= _MOST_FRAMES:
                self._frames.clear()
            self._frames[key] = body.frame
            return body
        return _own(frame, float(cpu), int(seq), ledger, float(spent))

    def _strict(self, raw: bytes) -> Body:
        fields = schema.parse(raw)
        if "schema" not in fields:
            return self._legacy(fields)
        if fields["status"] not in _STATUS or fields["kind"] not in _KINDS:
            raise BodyRefusedError("value")
        if not _HEX.fullmatch(fields["ledger_id"]) or not _HEX.fullmatch(fields["nonce"]):
            raise BodyRefusedError("value")
        if fields["windows"] < 1 or fields["seq"] < 1 or fields["slot"] < 0 or fields["slot_seconds"] < 1:
            raise BodyRefusedError("value")
        _check_resumes(fields)
        frame = self._frame(fields)
        spent = float(fields["guarantee"]["epsilon_24h_spent"])
        return _own(frame, float(fields["cpu"]), fields["seq"], fields["ledger_id"].encode(), spent)

    def _frame(self, fields: dict[str, Any]) -> Frame:
        name, k, scale = fields["preset"], fields["windows"], fields["noise"]["scale_pp"]
        known = PRESETS.get(name)
        if known and fields["slot_seconds"] != known.slot_seconds:
            raise BodyRefusedError("slot")
        if name not in self._by_name:
            same_slot = fields["slot_seconds"] == self._policy.slot_seconds
            fits = same_slot and scale > 0 and (known is None or _near(scale, known.scale_pp(k)))
            named = name if known or name == CUSTOM else ""
            raise BodyRefusedError("preset", named, float(scale) if fits else 0.0)
        refusal = "preset"
        for number in self._by_name[name]:
            preset = self._policy.presets[number]
            refusal = _mismatch(fields, preset)
            if not refusal:
                return _framed(number, preset, fields)
        raise BodyRefusedError(refusal)

    def _legacy(self, fields: dict[str, Any]) -> Body:
        preset = self._policy.legacy
        if preset is None:
            fits = 0 <= fields["cpu"] <= _PERCENT
            raise BodyRefusedError("legacy", LEGACY, OLD_APP.scale_pp(1) if fits else 0.0)
        stamp = schema.unix_seconds(fields["timestamp"])
        if stamp is None:
            raise BodyRefusedError("timestamp")
        cpu = float(fields["cpu"])
        if not 0 <= cpu <= _PERCENT:
            raise BodyRefusedError("range")
        number, slot = self._policy.presets.index(preset), stamp - stamp % preset.slot_seconds
        frame = Frame(number, LEGACY, 1, coarse=False, low=0, high=_PERCENT, cap=0, slot=slot, due=stamp)
        # An old file has no release number: its slot serves, so that its many values in one slot count as one.
        return Body(cpu, slot, 0, frame)


def _near(value: float, expected: float) -> bool:
    return math.isclose(value, expected, rel_tol=_RELATIVE)


def _check_resumes(fields: dict[str, Any]) -> None:
    resumes, status = fields["resumes_slot"], fields["status"]
    if resumes is None:
        fits = status != "budget_exhausted"
    else:
        fits = status != "active" and resumes > fields["slot"] and resumes % fields["slot_seconds"] == 0
    if not fits:
        raise BodyRefusedError("value")


def _mismatch(fields: dict[str, Any], preset: Preset) -> str:
    """Code of the first thing that is not as `preset` demands; "" when all is."""
    noise, says, k = fields["noise"], fields["guarantee"], fields["windows"]
    if fields["slot_seconds"] != preset.slot_seconds:
        return "slot"
    if k > (1 if fields["kind"] == "first" else preset.windows_full):
        return "windows"
    if noise["mechanism"] != "discrete_laplace":
        return "value"
    if not _near(noise["scale_pp"], preset.scale_pp(k)) or not _near(noise["granularity_pp"], 0.01 / k):
        return "scale"
    bounds = {"lower": 100 * preset.lower_percent, "upper": 100 * preset.upper_percent}
    holds = (
        fields["sampling"] == {"n": preset.n, "interval_ms": preset.interval_ms, **bounds}
        and says["unit"] == preset.unit
        and says["covers_seconds"] == preset.covers_seconds
        and _near(says["sensitivity_pp"], preset.sensitivity_pp(k))
        and _near(says["epsilon"], preset.unit_epsilon)
        and says["delta"] == 0
    )
    return "" if holds else "guarantee"


def _framed(number: int, preset: Preset, fields: dict[str, Any]) -> Frame:
    """The frame of a body that is as `preset` demands; slot and timestamp are checked here."""
    slot, kind, k = fields["slot"], fields["kind"], fields["windows"]
    if slot % preset.slot_seconds:
        raise BodyRefusedError("slot")
    due = schema.unix_seconds(fields["timestamp"])
    end = slot + preset.slot_seconds
    if due is None or not (slot if kind == "first" else end) <= due < end + preset.sample_seconds:
        raise BodyRefusedError("timestamp")
    reach = RANGE_B * preset.scale_pp(k)
    return Frame(
        preset=number,
        kind=kind,
        windows=k,
        coarse=2 * k < preset.windows_full,
        low=preset.lower_percent - reach,
        high=preset.upper_percent + reach,
        cap=float(fields["guarantee"]["epsilon_24h_cap"]),
        slot=slot,
        due=due,
    )


def _own(frame: Frame, cpu: float, seq: int, ledger: bytes, spent: float) -> Body:
    """What is a participant's own, checked against what many share."""
    if not 0 < spent <= frame.cap:
        raise BodyRefusedError("guarantee")
    if not frame.low <= cpu <= frame.high:
        raise BodyRefusedError("range")
    steps = 100 * frame.windows * cpu
    if abs(steps - round(steps)) > 1e-4 * frame.windows + _RELATIVE:  # `cpu` is rounded to six decimals
        raise BodyRefusedError("value")
    return Body(cpu, seq, int(ledger[:15], 16), frame)
