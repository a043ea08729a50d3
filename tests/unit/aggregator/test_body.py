"""Public files, strictly: the contract's golden files, both ways of reading, and what a policy accepts."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.aggregator.sites import HOUR, SLOT, fields, raw, stamp

from cpu_aggregator import policy
from cpu_aggregator.body import Reader
from cpu_aggregator.errors import BodyRefusedError
from cpu_aggregator.reasons import CODES

if TYPE_CHECKING:
    from cpu_aggregator.policy import Policy

GOLDEN = Path(__file__).parents[2] / "contract" / "golden" / "public"
INDEX = json.loads((GOLDEN / "index.json").read_bytes())
CUSTOM = {
    "unit": "window",
    "epsilon": 0.5,
    "sample_seconds": 60,
    "slot_seconds": 300,
    "n": 40,
    "interval_ms": 200,
    "lower": 10,
    "upper": 90,
}
HOURLY = policy.make(("hour",), ())


def accepting(preset: str) -> Policy:
    return policy.make((preset,), (policy.custom(dict(CUSTOM)),) if preset == "custom" else ())


def verdict(content: bytes, accepted: Policy = HOURLY) -> str | None:
    try:
        Reader(accepted).read(content)
    except BodyRefusedError as error:
        return error.reason
    return None


def content(entry: dict[str, object]) -> bytes:
    if "made_bytes" in entry:
        good = (GOLDEN / "valid" / "hour-slot.json").read_bytes()
        return good + b" " * (int(str(entry["made_bytes"])) - len(good))
    return (GOLDEN / str(entry["file"])).read_bytes()


@pytest.mark.parametrize("entry", [e for e in INDEX if e["file"].startswith("valid/")], ids=lambda e: e["file"])
def test_each_valid_file_is_read_under_its_own_preset(entry: dict[str, object]) -> None:
    document = json.loads(content(entry))
    body = Reader(accepting(document["preset"])).read(content(entry))
    assert body.cpu == document["cpu"]
    assert (body.seq, body.frame.slot, body.frame.windows) == (document["seq"], document["slot"], document["windows"])
    assert stamp(body.frame.due) == document["timestamp"]


BROKEN = [e for e in INDEX if e["file"].startswith("broken/")]
OF_OTHER_PRESETS = [e for e in BROKEN if e["file"].startswith(("broken/custom-", "broken/day-"))]


@pytest.mark.parametrize("entry", [e for e in BROKEN if e not in OF_OTHER_PRESETS], ids=lambda e: e["file"])
def test_each_broken_file_is_refused_for_its_reason(entry: dict[str, object]) -> None:
    expected = "legacy" if "two-key-" in str(entry["file"]) and entry["why"] == "fields" else entry["why"]
    assert verdict(content(entry)) == expected


@pytest.mark.parametrize("entry", OF_OTHER_PRESETS, ids=lambda e: e["file"])
def test_a_broken_file_of_another_preset_is_refused_whatever_the_policy(entry: dict[str, object]) -> None:
    assert verdict(content(entry)) == "preset"
    assert verdict(content(entry), accepting(json.loads(content(entry))["preset"])) in CODES


def test_old_files_count_only_where_the_policy_lists_them() -> None:
    old = (GOLDEN / "legacy" / "two-key.json").read_bytes()
    assert verdict(old) == "legacy"
    body = Reader(policy.make(("hour", "legacy"), ())).read(old)
    assert body.frame.slot % HOUR == 0
    assert body.frame.slot <= body.frame.due < body.frame.slot + HOUR


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"cpu": 100.5, "timestamp": "2026-11-24 13:00:17"}', "range"),
        (b'{"cpu": -0.1, "timestamp": "2026-11-24 13:00:17"}', "range"),
        (b'{"cpu": 1.5, "timestamp": "2026-11-24T13:00:17"}', "timestamp"),
        (b'{"cpu": NaN, "timestamp": "2026-11-24 13:00:17"}', "value"),
        (b'{"cpu": true, "timestamp": "2026-11-24 13:00:17"}', "type"),
    ],
)
def test_a_bad_old_file_is_refused_even_there(content: bytes, reason: str) -> None:
    assert verdict(content, policy.make(("legacy",), ())) == reason


def test_a_preset_outside_the_policy_is_named_with_its_scale_only_if_it_could_join() -> None:
    with pytest.raises(BodyRefusedError) as other_slot:
        Reader(HOURLY).read((GOLDEN / "valid" / "window.json").read_bytes())
    assert (other_slot.value.reason, other_slot.value.preset, other_slot.value.scale_pp) == ("preset", "window", 0)
    with pytest.raises(BodyRefusedError) as joins:
        Reader(HOURLY).read(raw(preset="custom", noise={**fields()["noise"], "scale_pp": 20.0}))
    assert (joins.value.preset, joins.value.scale_pp) == ("custom", 20.0)


def test_the_remembered_layout_gives_the_same_answer_as_the_strict_way() -> None:
    """Mutants of good bodies, each read by a reader that knows their frame and by one that knows nothing."""
    seed = 20_261_124
    rng = random.Random(seed)
    knowing = Reader(HOURLY)
    for k in (1, 6, 12):
        knowing.read(raw(windows=k))
    good = raw()
    alphabet = b'0123456789.-+eE_ "abcdefxyz,:{}\n'
    refused = 0
    for number in range(4_000):
        mutant = bytearray(good if number % 2 else raw(cpu=rng.randrange(-99_999, 99_999) / 1_200, seq=number + 1))
        for _ in range(rng.randrange(1, 3)):
            at = rng.randrange(len(mutant))
            if rng.random() < 0.7:  # aim at what differs between participants
                field = rng.choice((b'"cpu": ', b'"seq": ', b'"ledger_id": ', b"_spent", b'"nonce": '))
                at = min(len(mutant) - 1, mutant.find(field) + len(field) + rng.randrange(30))
            mutant[at : at + rng.randrange(2)] = bytes([rng.choice(alphabet)])
        outcome = []
        for reader in (knowing, Reader(HOURLY)):
            try:
                outcome.append(str(reader.read(bytes(mutant))))
            except BodyRefusedError as error:
                outcome.append(error.reason)
        assert outcome[0] == outcome[1], (seed, number, bytes(mutant))
        refused += outcome[0] in CODES
    assert 500 < refused < 3_900  # both kinds were met


def test_a_known_frame_is_read_without_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(HOURLY)
    reader.read(raw())
    monkeypatch.setattr("cpu_aggregator.schema.parse", None)
    assert reader.read(raw(cpu=-12.5, seq=77)).seq == 77


def test_endless_frames_do_not_grow_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cpu_aggregator.body._MOST_FRAMES", 3)
    reader = Reader(HOURLY)
    for number in range(10):
        reader.read(raw(slot=SLOT + number * HOUR))
    assert len(reader._frames) <= 3
