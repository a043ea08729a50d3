"""From a public file's bytes to one value that may be judged: everything that can be checked without history. Pure.

Two ways that give the same answer. The strict way parses JSON and checks every field. What it accepted is remembered
as a frame: the bytes of that body without the six things that differ between participants (value, timestamp, slot,
seq, ledger, spend; the nonce is only looked at). A later body of a known frame needs only those six checked, which
costs a quarter. A test holds both ways equal.
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
_MOST_FRAMES = 1_024  # k, status and preset make a few dozen; a liar may not make it grow
_STATUS = ("active", "budget_exhausted", "paused")
_KINDS = ("slot", "first")
_HEX = re.compile(r"[0-9a-f]{32}")
# The head of a body as the publisher writes it (json.dumps, indent=2), up to the last field that differs there.
_HEAD = re.compile(
    rb'\{\n  "cpu": (-?(?:0|[1-9][0-9]{0,8})\.[0-9]{1,17}),\n  "timestamp": "([0-9 :-]{19})",\n'
    rb'(  "schema": 1,\n  "status": "[a-z_]++",\n  "resumes_slot": null,\n  )"slot": ([1-9][0-9]{0,14}),\n'
    rb'(  "slot_seconds": [0-9]++,\n  "kind": "[a-z]++",\n  "windows": [0-9]++,\n  "preset": "[a-z-]++",\n  )'
    rb'"seq": ([1-9][0-9]{0,14}),\n  "ledger_id": "([0-9a-f]{32})",\n'
)
_SPENT_AT = b'"epsilon_24h_spent": '
_SPENT = re.compile(rb'"epsilon_24h_spent": ((?:0|[1-9][0-9]{0,8})\.[0-9]{1,17}),\n')
_NONCE = re.compile(rb'"nonce": "[0-9a-f]{32}"\n\}\n')


@dataclass(frozen=True, slots=True)
class Frame:
    """What many bodies share.

    Attributes:
        preset: its number in the policy.
        first: kind is `first`.
        windows: k.
        coarse: fewer than half of the slot's windows.
        scale_pp: b of the value.
        low, high: values outside are refused (20 b beyond the bounds).
        cap: ε of 24 h allowed; slot_seconds, sample_seconds: of the preset.
    """

    preset: int
    first: bool
    windows: int
    coarse: bool
    scale_pp: float
    low: float
    high: float
    cap: float
    slot_seconds: int
    sample_seconds: int


class Body(NamedTuple):
    """One value that is what the contract and the policy demand.

    Attributes:
        cpu: the published value, percent, not clamped.
        slot: start of its slot; timestamp: its due time; both unix seconds.
        seq, ledger: number of the release, 16 bytes of the ledger's name.
        frame: the rest.
    """

    cpu: float
    slot: int
    timestamp: int
    seq: int
    ledger: bytes
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
        cut = _cut(raw)
        if cut is None:
            return self._strict(raw)
        frame = self._frames.get(cut[0])
        if frame is None:
            body = self._strict(raw)
            if len(self._frames) < _MOST_FRAMES:
                self._frames[cut[0]] = body.frame
            return body
        cpu, timestamp, slot, seq, ledger, spent = cut[1]
        return _checked(frame, (float(cpu), timestamp.decode(), int(slot), int(seq), ledger.decode(), float(spent)))

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
        cpu, spent = float(fields["cpu"]), fields["guarantee"]["epsilon_24h_spent"]
        own = (cpu, fields["timestamp"], fields["slot"], fields["seq"], fields["ledger_id"], spent)
        return _checked(frame, own)

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
                cap = float(fields["guarantee"]["epsilon_24h_cap"])
                return _frame(number, preset, k, first=fields["kind"] == "first", cap=cap)
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
        frame = _frame(self._policy.presets.index(preset), preset, 1, first=False, cap=0.0)
        slot = stamp - stamp % preset.slot_seconds
        # An old file has no release number: its slot serves, so that its many values in one slot count as one.
        return Body(cpu, slot, stamp, slot, bytes(16), frame)


def _cut(raw: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]] | None:
    """(frame, what differs) of a body in the publisher's own form; None of any other."""
    head = _HEAD.match(raw)
    if head is None or len(raw) >= schema.LIMIT_BYTES:
        return None
    cpu, timestamp, before, slot, after, seq, ledger = head.groups()
    at = raw.find(_SPENT_AT, head.end())
    spent = _SPENT.match(raw, at) if at > 0 else None
    nonce = raw.rfind(b'"nonce"')
    if spent is None or nonce < 0 or _NONCE.fullmatch(raw, nonce) is None:
        return None
    shared = (before, after, raw[head.end() : at], raw[spent.end() : nonce])
    return shared, (cpu, timestamp, slot, seq, ledger, spent[1])


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


def _frame(number: int, preset: Preset, k: int, *, first: bool, cap: float) -> Frame:
    scale = preset.scale_pp(k)
    return Frame(
        preset=number,
        first=first,
        windows=k,
        coarse=2 * k < preset.windows_full,
        scale_pp=scale,
        low=preset.lower_percent - RANGE_B * scale,
        high=preset.upper_percent + RANGE_B * scale,
        cap=cap,
        slot_seconds=preset.slot_seconds,
        sample_seconds=preset.sample_seconds,
    )


def _checked(frame: Frame, own: tuple[float, str, int, int, str, float]) -> Body:
    """What is a participant's own (value, timestamp, slot, seq, ledger, spend), checked against what many share."""
    cpu, timestamp, slot, seq, ledger, spent = own
    if not 0 < spent <= frame.cap:
        raise BodyRefusedError("guarantee")
    if slot % frame.slot_seconds:
        raise BodyRefusedError("slot")
    if not frame.low <= cpu <= frame.high:
        raise BodyRefusedError("range")
    steps = 100 * frame.windows * cpu
    if abs(steps - round(steps)) > 1e-4 * frame.windows + _RELATIVE:  # `cpu` is rounded to six decimals
        raise BodyRefusedError("value")
    due = schema.unix_seconds(timestamp)
    end = slot + frame.slot_seconds
    if due is None or not (slot if frame.first else end) <= due < end + frame.sample_seconds:
        raise BodyRefusedError("timestamp")
    return Body(cpu, slot, due, seq, bytes.fromhex(ledger), frame)
