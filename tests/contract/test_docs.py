"""docs/wire-contract.md held against the code: each table lists what is there, no more and no less."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract import strict_reader, vectors
from tests.unit.aggregator import views
from tests.unit.publisher.views import ACTIVE

import cpu_aggregator.metrics
import cpu_aggregator.web
from cpu_aggregator import publish, reasons
from cpu_collector import server
from cpu_publisher import counters, handoff, metrics, record, settings, web
from cpu_publisher.presets import PRESETS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "wire-contract.md").read_text(encoding="utf-8")
TEXT_IN_ONE_LINE = " ".join(TEXT.split())


def table(header: str) -> dict[str, str]:
    """First column (without backquotes) -> the rest, of the one table whose header row begins so."""
    (found,) = re.findall(rf"^\| {re.escape(header)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    rows = [row.strip("| ").split(" | ", 1) for row in found.splitlines()]
    assert len({first for first, _ in rows}) == len(rows)
    return {first.strip("`| "): rest for first, rest in rows}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_record_example_is_the_golden_one_and_the_table_has_its_fields_in_order() -> None:
    (line,) = blocks("")
    golden = vectors.wire("accept")[0]["line"].decode()
    assert line == golden
    assert list(table("field | unit")) == list(json.loads(golden))


@pytest.mark.parametrize(("header", "codes"), [("reason", record.REASONS), ("trouble", handoff.TROUBLES)])
def test_every_code_is_listed_in_order(header: str, codes: tuple[str, ...]) -> None:
    assert tuple(table(header)) == codes


SOURCES = {
    name: (ROOT / "publisher" / "cpu_publisher" / f"{name}.py").read_text(encoding="utf-8")
    for name in ("pool", "session", "engine")
}


def test_counters_are_listed_with_the_reasons_that_the_code_gives() -> None:
    listed = table("counter")
    assert tuple(listed) == counters.NAMES
    given = re.findall(r'\.add\("(\w+)", "(\w+)"', "\n".join(SOURCES.values()))
    assert len(given) >= 5
    for name, reason in given:
        assert f"`{reason}`" in listed[name] or reason in table("window dropped"), (name, reason)


def test_reasons_to_drop_a_window_are_those_of_the_code() -> None:
    """The places where such a reason stands: returned, dropped by, counted, or named for a file of the pool."""
    counted = r'"windows_dropped", "(\w+)"'
    places = [
        counted,
        r'return "(\w+)"',
        r'else "(\w+)", pooled',
        r'return \{"(\w+)": ',
        r'reason = "(\w+)"',
        r'_drop\(.*, "(\w+)"\)',
    ]
    in_code = set(re.findall(counted, SOURCES["engine"]))
    for place in places:
        in_code |= set(re.findall(place, SOURCES["pool"] + SOURCES["session"]))
    assert in_code == table("window dropped").keys()


@pytest.mark.parametrize(
    "words",
    [
        f"lines of less than {record.LINE_LIMIT} bytes",
        f"at most {server.MOST_PEERS} peers",
        f"(`{settings.read({}).socket}`)",
        f"0 … {record.TIME_LIMIT_MS - 1}",
        f"of more than {len(str(record.TIME_LIMIT_MS))} digits",
        f"at most {record.AHEAD_MS // 1_000} s ahead",
        f"a sample interval and {record.OLD_MS // 1_000} s",
        f"after {handoff.FIRST_RETRY_SECONDS} s, doubling up to {handoff.LONGEST_RETRY_SECONDS:g} s",
        f"a connection of {handoff.SETTLED_SECONDS:g} s or more",
        f"within {handoff.LINE_SECONDS:g} s",
        f"more than {handoff.WORK_PER_SECOND} reads and lines within a second",
        f"under {strict_reader.LIMIT // 1_024} KiB",
    ],
)
def test_number_is_that_of_the_code(words: str) -> None:
    assert words in TEXT_IN_ONE_LINE


def test_derived_lengths_are_those_of_the_code() -> None:
    covers = [replace(PRESETS["hour"], sample_seconds=seconds).covers_ms // 1_000 for seconds in (300, 60, 20)]
    assert (
        f"{covers[0]} s for the default, {covers[1]} and {covers[2]} s for samples of 60 and 20 s" in TEXT_IN_ONE_LINE
    )


def test_public_example_is_the_golden_one() -> None:
    (example,) = blocks("json")
    assert json.loads(example) == strict_reader.parse(vectors.public_bytes("valid/hour-slot"))


def test_every_field_of_the_public_file_is_explained() -> None:
    body = strict_reader.parse(vectors.public_bytes("valid/hour-slot"))
    fields = set()
    for name, value in body.items():
        nested = value if isinstance(value, dict) and name != "sampling" else ()
        fields |= {f"{name}.{inner}" for inner in nested} or {name}
    (rows,) = re.findall(r"^\| field \| meaning \|\n\|[-|]+\|\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert {field for row in rows.splitlines() for field in re.findall(r"`([^`]+)`", row.split("|")[1])} == fields


def test_endpoints_are_those_of_the_application() -> None:
    rules = {rule.rule for rule in web.create_app(lambda: ACTIVE, ()).url_map.iter_rules()}
    assert {"/static/" if rule.startswith("/static/") else rule for rule in rules} == table("endpoint").keys()


def test_metrics_are_those_of_the_exposition() -> None:
    lines = metrics.exposition(replace(ACTIVE, counters={})).splitlines()
    families = {line.split()[2].removeprefix(metrics.PREFIX) for line in lines if line.startswith("# TYPE")}
    assert families == table("metric (`cputracker_…`)").keys()


def names(header: str) -> set[str]:
    """What stands in backquotes in the first column of that table."""
    return {name for first in table(header) for name in first.replace("`", "").split(", ")}


def test_the_result_has_the_fields_that_are_explained() -> None:
    assert views.LIVE.newest
    content = publish.document([views.LIVE.newest], policy=("hour",), words="", minimum=10, peers=["a@example.com"])
    assert names("field of the result") == json.loads(content).keys()


def test_endpoints_of_the_aggregator_are_those_of_its_application() -> None:
    rules = {rule.rule for rule in cpu_aggregator.web.create_app(lambda *_: views.LIVE, ()).url_map.iter_rules()}
    assert {"/static/" if rule.startswith("/static/") else rule for rule in rules} == names("path")


def test_metrics_of_the_aggregator_are_those_of_its_exposition() -> None:
    lines = cpu_aggregator.metrics.exposition(views.LIVE).splitlines()
    prefix = cpu_aggregator.metrics.PREFIX
    families = {line.split()[2].removeprefix(prefix) for line in lines if line.startswith("# TYPE")}
    assert families == names("metric (`cputracker_network_…`)")


def test_what_becomes_of_a_file_is_listed_in_order_and_words() -> None:
    listed = table("code")
    assert tuple(listed) == reasons.CODES
    assert {code: row.split(" | ")[1] for code, row in listed.items()} == reasons.WORDS


@pytest.mark.parametrize("command", ["cpu-collector", "cpu-publisher", "cpu-aggregator"])
def test_subcommands_are_those_that_the_program_names(command: str) -> None:
    package = command.replace("-", "_")
    folder = package.removeprefix("cpu_")
    shown = subprocess.run(
        [sys.executable, "-m", package, "--help"], cwd=ROOT / folder, capture_output=True, text=True, check=True
    ).stdout
    usage = re.split(r"\n\s*\n", shown.replace("|", ","))[0]
    named = re.sub(r"[\s{}]", "", usage.partition(command)[2]).replace("[-h]", "").replace("[--version]", "")
    assert named.rstrip(".").split("...")[0].split(",") == table("command")[command].split(", ")
