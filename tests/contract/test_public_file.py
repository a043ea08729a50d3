"""Golden public files against the strict reader, and the strict reader against itself."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.contract import strict_reader, vectors

from cpu_publisher import body, budget
from cpu_publisher.presets import PRESETS, customise

if TYPE_CHECKING:
    from pathlib import Path

CASES = [pytest.param(file, id=file.file) for file in vectors.public()]


@pytest.mark.parametrize("file", CASES)
def test_strict_reader_says_of_each_golden_file_what_the_index_says(file: vectors.Public) -> None:
    if file.group == "valid":
        assert strict_reader.parse(file.data)["schema"] == 1
        return
    with pytest.raises(strict_reader.StrictError) as error:
        strict_reader.parse(file.data)
    assert error.value.why == (file.why or "fields")  # a legacy file lacks fields


def test_index_names_every_file_once_and_nothing_else() -> None:
    named = [file.file for file in vectors.public() if file.why != "size"]
    folder = vectors.GOLDEN / "public"
    assert sorted(named) == sorted(str(path.relative_to(folder)) for path in folder.glob("*/*"))


@pytest.mark.parametrize("file", vectors.public("valid") + vectors.public("legacy"), ids=lambda file: file.file)
def test_old_leader_reads_every_good_file(file: vectors.Public) -> None:
    cpu, when = strict_reader.as_old_leader(file.data)
    assert abs(cpu) < 1_000
    assert when.year == 2026


def test_strict_reader_knows_the_presets_as_the_publisher_does() -> None:
    ours = {
        preset.name: strict_reader.Named(
            preset.unit,
            preset.sample_seconds,
            preset.slot_seconds,
            preset.windows_per_slot,
            preset.epsilon,
            budget.default_cap_micro(preset) / budget.MICRO,
            preset.covers_seconds,
        )
        for preset in PRESETS.values()
    }
    assert ours == strict_reader.PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_golden_numbers_are_those_that_the_mechanism_gives(name: str) -> None:
    preset = PRESETS[name]
    golden = strict_reader.parse(vectors.public_bytes(f"valid/{'hour-slot' if name == 'hour' else name}"))
    k = golden["windows"]
    assert golden["noise"]["scale_pp"] == pytest.approx(budget.scale_pp(preset, k), rel=1e-9)
    assert golden["guarantee"]["sensitivity_pp"] == pytest.approx(budget.sensitivity_pp(preset, k), rel=1e-9)
    spent = 1_000_000 * golden["guarantee"]["epsilon_24h_spent"]
    assert spent % budget.spend_micro(preset, 1 if preset.unit != "participant-day" else k) == 0
    assert golden["guarantee"]["epsilon_24h_cap"] * budget.MICRO == budget.default_cap_micro(preset)


def test_read_demands_the_mode_and_that_mtime_is_the_timestamp(tmp_path: Path) -> None:
    file = tmp_path / "cpu_tracker.json"
    file.write_bytes(vectors.public_bytes("valid/hour-slot"))
    file.chmod(0o644)
    due = datetime(2026, 11, 24, 13, 0, 17, tzinfo=UTC).timestamp()
    os.utime(file, (due, due))
    assert strict_reader.read(file)["seq"] == 5
    os.utime(file, (due, due + 1))
    with pytest.raises(strict_reader.StrictError, match="mtime"):
        strict_reader.read(file)
    file.chmod(0o600)
    with pytest.raises(strict_reader.StrictError, match="mode"):
        strict_reader.read(file)


CUSTOM = customise(
    PRESETS["hour"],
    epsilon=0.5,
    sample_seconds=60,
    slot_seconds=300,
    n=40,
    interval_ms=200,
    lower_percent=10,
    upper_percent=90,
)


@pytest.mark.parametrize("file", vectors.public("valid"), ids=lambda file: file.file)
def test_publisher_writes_each_valid_file_byte_for_byte(file: vectors.Public) -> None:
    golden = strict_reader.parse(file.data)
    due = datetime.strptime(golden["timestamp"], strict_reader.TIMESTAMP).replace(tzinfo=UTC)
    written = body.release_body(
        PRESETS.get(golden["preset"], CUSTOM),
        noisy_sum=round(100 * golden["windows"] * golden["cpu"]),
        k=golden["windows"],
        slot=golden["slot"],
        kind=golden["kind"],
        seq=golden["seq"],
        ledger_id=golden["ledger_id"],
        due_ms=1_000 * int(due.timestamp()),
        spent_micro=round(budget.MICRO * golden["guarantee"]["epsilon_24h_spent"]),
        cap_micro=round(budget.MICRO * golden["guarantee"]["epsilon_24h_cap"]),
        nonce=golden["nonce"],
    )
    if golden["status"] != "active":
        written = body.status_body(written, golden["status"], golden["resumes_slot"], golden["nonce"])
    assert written == file.data
