"""The body of the public file, held by the strict reader of the contract."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.contract import strict_reader

from cpu_publisher import body, budget
from cpu_publisher.presets import PRESETS

NOON = 1_795_521_600
MIDNIGHT = NOON - 43_200


def made(preset: str, k: int, noisy_sum: int, **other: Any) -> bytes:  # noqa: ANN401 - any argument of release_body
    p = PRESETS[preset]
    slot = NOON if 43_200 % p.slot_seconds == 0 else MIDNIGHT
    values: dict[str, Any] = {
        "noisy_sum": noisy_sum,
        "k": k,
        "slot": slot,
        "kind": "slot",
        "seq": 3,
        "ledger_id": "0f" * 16,
        "due_ms": 1_000 * (slot + p.slot_seconds) + 1_017,
        "spent_micro": budget.spend_micro(p, k),
        "cap_micro": budget.default_cap_micro(p),
        "nonce": "a1" * 16,
    }
    return body.release_body(p, **{**values, **other})


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_makes_a_file_that_the_strict_reader_takes(name: str) -> None:
    for k in {1, PRESETS[name].windows_per_slot}:
        document = strict_reader.parse(made(name, k, 1_234 * k))
        assert document["cpu"] == 12.34
        assert document["windows"] == k


@pytest.mark.parametrize(
    ("noisy_sum", "k", "cpu"), [(-60_000, 12, -50.0), (240_007, 12, 200.005833), (1, 12, 0.000833)]
)
def test_the_value_is_the_noisy_sum_by_k_and_never_clamped(noisy_sum: int, k: int, cpu: float) -> None:
    assert json.loads(made("hour", k, noisy_sum))["cpu"] == cpu


def test_a_status_keeps_everything_but_itself_and_the_nonce() -> None:
    release = made("hour", 12, 100)
    paused = body.status_body(release, "paused", None, "b2" * 16)
    until = body.status_body(release, "budget_exhausted", NOON + 7_200, "c3" * 16)
    assert body.status_of(release) == ("active", None)
    assert body.status_of(paused) == ("paused", None)
    assert body.status_of(until) == ("budget_exhausted", NOON + 7_200)
    for changed in (paused, until):
        strict_reader.parse(changed)
        before, after = json.loads(release), json.loads(changed)
        assert {key for key in before if before[key] != after[key]} <= {"status", "resumes_slot", "nonce"}
        assert before["nonce"] != after["nonce"]


def test_the_first_release_says_that_it_is_one_window() -> None:
    document = strict_reader.parse(made("hour", 1, 900, kind="first", due_ms=1_000 * NOON + 31_000))
    assert document["kind"] == "first"
    assert document["noise"]["scale_pp"] == pytest.approx(100, rel=1e-6)
