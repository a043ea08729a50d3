"""The wire record: golden bytes both ways, a round trip over all valid ones, and 100,000 that are not."""

from __future__ import annotations

import random
import re
import secrets
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract import vectors

from cpu_collector import settings as collector_settings
from cpu_collector.record import encode
from cpu_collector.window import Window as Measured
from cpu_publisher.errors import RecordRejectedError
from cpu_publisher.presets import DEFAULT_PRESET, PRESETS, Preset, customise
from cpu_publisher.record import LINE_LIMIT, REASONS, TIME_LIMIT_MS, Window, check_fresh, decode

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR = PRESETS[DEFAULT_PRESET]
ACCEPT = vectors.wire("accept")
REJECT = vectors.wire("reject")
NOW_MS = 1_790_000_005_200  # when the golden records arrive
LAST_MS = NOW_MS - 315_100  # and when the window before them started
MUTANTS = 100_000
DIVISORS = [seconds for seconds in range(1, 86_401) if 86_400 % seconds == 0]


def preset_of(entry: dict[str, Any]) -> Preset:
    return customise(PRESETS[entry.get("preset", DEFAULT_PRESET)], **entry.get("changes", {}))


@pytest.mark.parametrize("entry", ACCEPT, ids=lambda entry: entry["file"])
def test_decoder_takes_each_golden_record(entry: dict[str, Any]) -> None:
    expected = Window(entry["started_at_ms"], entry["boot_ms"], entry["span_ms"], entry["mean"])
    assert decode(entry["line"], preset_of(entry)) == expected


def collector_of(preset: Preset) -> collector_settings.Settings:
    """The collector's settings for the publisher's `preset`."""
    given = {
        "SAMPLE_SECONDS": preset.sample_seconds,
        "READINGS": preset.n,
        "INTERVAL_MS": preset.interval_ms,
        "LOWER": preset.lower_percent,
        "UPPER": preset.upper_percent,
        "PUBLISHER_UID": 1_000,
    }
    return collector_settings.read({f"CPUTRACKER_{name}": str(value) for name, value in given.items()})


@pytest.mark.parametrize("entry", ACCEPT, ids=lambda entry: entry["file"])
def test_encoder_makes_each_golden_record(entry: dict[str, Any]) -> None:
    window = Measured(entry["started_at_ms"], entry["boot_ms"], entry["span_ms"], entry["mean"])
    assert encode(window, collector_of(preset_of(entry))) == entry["line"]


@st.composite
def records(draw: st.DrawFn) -> tuple[Preset, Measured]:
    """Any settings that the publisher allows, and any window that the collector could measure under them."""
    sample = draw(st.sampled_from(DIVISORS))
    # ms that the readings may take so that covers is positive, also rounded down
    reach = 1_000 * sample - min(3_000, 150 * sample) - min(500, 25 * sample) - (1_000 if sample >= 10 else 1)
    interval_ms = draw(st.integers(20, min(10_000, reach)))
    lower = draw(st.integers(0, 99))
    preset = customise(
        HOUR,
        sample_seconds=sample,
        slot_seconds=sample,
        interval_ms=interval_ms,
        n=draw(st.integers(1, min(1_000, reach // interval_ms))),
        lower_percent=lower,
        upper_percent=draw(st.integers(lower + 1, 100)),
    )
    moments = st.integers(0, TIME_LIMIT_MS - 1)
    span = draw(st.integers(preset.n * preset.interval_ms, preset.longest_span_ms))
    return preset, Measured(draw(moments), draw(moments), span, draw(st.integers(preset.lower, preset.upper)))


@settings(max_examples=300, deadline=None)
@given(records())
def test_whatever_the_collector_can_measure_arrives_as_it_was(record: tuple[Preset, Measured]) -> None:
    preset, measured = record
    expected = Window(measured.started_at_ms, measured.boot_ms, measured.span_ms, measured.mean)
    assert decode(encode(measured, collector_of(preset)), preset) == expected


@pytest.mark.parametrize("entry", REJECT, ids=lambda entry: entry["file"])
def test_decoder_refuses_each_golden_reject_with_its_reason_and_keeps_nothing_of_it(entry: dict[str, Any]) -> None:
    preset = preset_of(entry)
    if "fresh" in entry:
        window = decode(entry["line"], preset)
        with pytest.raises(RecordRejectedError) as refusal:
            check_fresh(window, preset=preset, **entry["fresh"])
    else:
        with pytest.raises(RecordRejectedError) as refusal:
            decode(entry["line"], preset)
    assert refusal.value.reason == entry["reason"]
    assert refusal.value.args == (f"record rejected: {entry['reason']}",)
    assert refusal.value.__cause__ is refusal.value.__context__ is None  # a JSONDecodeError would hold the line


def test_every_reason_has_a_golden_reject() -> None:
    assert {entry["reason"] for entry in REJECT} == set(REASONS) - {"boot_clock"}  # needs a clock, not a line


@pytest.mark.parametrize("kind", ["accept", "reject"])
def test_index_names_every_file_and_nothing_else(kind: str) -> None:
    folder = vectors.GOLDEN / "wire"
    named = [entry["file"] for entry in vectors.wire(kind)]
    assert sorted(named) == sorted(str(path.relative_to(folder)) for path in folder.glob(f"{kind}/*"))


def strictly_valid(line: bytes, preset: Preset, now_ms: int, last_ms: int) -> bool:
    """What the contract says of a line, by a grammar and without JSON: a second opinion on the decoder."""
    pair = rb'[ \t\r]*"([a-z_]+)"[ \t\r]*:[ \t\r]*(0|[1-9][0-9]*)[ \t\r]*'
    whole = rb"[ \t\r]*\{" + rb",".join([pair] * 9) + rb"\}[ \t\r]*\n"
    match = re.fullmatch(whole, line)
    if match is None or len(line) >= LINE_LIMIT:
        return False
    names, numbers = match.groups()[::2], [int(digits) for digits in match.groups()[1::2]]
    record = dict(zip(names, numbers, strict=True))
    own = {b"v": 1, b"n": preset.n, b"interval_ms": preset.interval_ms, b"lower": preset.lower, b"upper": preset.upper}
    return (
        record.keys() == {b"started_at_ms", b"boot_ms", b"span_ms", b"mean", *own}
        and record | own == record
        and preset.n * preset.interval_ms <= record[b"span_ms"] <= preset.longest_span_ms
        and preset.lower <= record[b"mean"] <= preset.upper
        and record[b"boot_ms"] < 253_402_300_800_000
        and max(last_ms + 1, now_ms - 1_000 * preset.sample_seconds - 15_000)
        <= record[b"started_at_ms"]
        <= now_ms + 1_000
    )


NUMBERS = [
    b"0", b"1", b"-1", b"-0", b"01", b"1.0", b"1e3", b"NaN", b"Infinity", b"true", b"null", b'"1"', b"[]", b"{}",
    b"2", b"49", b"50", b"51", b"99", b"100", b"101", b"4999", b"5000", b"8000", b"8001", b"9999", b"10000", b"10001",
    b"%d" % (NOW_MS + 1_000), b"%d" % (NOW_MS + 1_001), b"%d" % (NOW_MS - 315_000), b"%d" % (NOW_MS - 315_001),
    b"%d" % LAST_MS, b"%d" % (LAST_MS + 1), b"253402300799999", b"253402300800000", b"9" * 200, b"1" + b"0" * 16,
]  # fmt: skip


def mutants(rng: random.Random, seeds: list[bytes]) -> Iterator[bytes]:
    """Endless mutated lines: number edits, byte flips, splices, truncation, repetition, blanks."""
    good = [seed for seed in seeds if seed.endswith(b"}\n")]
    number = re.compile(rb"-?[0-9]+")
    while True:
        line = rng.choice(good)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            at = rng.randrange(len(line) + 1)
            match rng.randrange(8):
                case 0 | 1 | 2:
                    spots = list(number.finditer(line))
                    if spots:
                        spot = rng.choice(spots)
                        line = line[: spot.start()] + rng.choice(NUMBERS) + line[spot.end() :]
                case 3:
                    line = line[:at] + bytes([rng.randrange(256)]) + line[at + 1 :]
                case 4:
                    other = rng.choice(seeds)
                    line = line[:at] + other[rng.randrange(len(other) + 1) :]
                case 5:
                    line = line[:at] + (b"\n" if rng.random() < 0.5 else b"")
                case 6:
                    line = line[:at] + line[rng.randrange(len(line) + 1) :]
                case _:
                    line = line[:at] + rng.choice((b" ", b"\t", b"\r", b"\0", b",", b'"', b"[" * 90)) + line[at:]
        yield line


def test_mutated_lines_are_refused_unless_a_second_opinion_finds_them_valid() -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it with a failure
    lines = mutants(random.Random(seed), [entry["line"] for entry in (*ACCEPT, *REJECT) if entry["line"]])
    refused: dict[str, int] = {}
    accepted = 0
    for _ in range(MUTANTS):
        line = next(lines)
        try:
            check_fresh(decode(line, HOUR), now_utc_ms=NOW_MS, last_started_ms=LAST_MS, preset=HOUR)
        except RecordRejectedError as refusal:
            refused[refusal.reason] = refused.get(refusal.reason, 0) + 1
        else:
            accepted += 1
            assert strictly_valid(line, HOUR, NOW_MS, LAST_MS), line
    assert accepted > MUTANTS / 1_000  # else the loop would show nothing about what is let through
    assert set(REASONS) - {"not_object", "boot_clock"} <= refused.keys() <= set(REASONS)
