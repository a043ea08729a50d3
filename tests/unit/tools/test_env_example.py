""".env.example, the Compose files and the settings tables of the three packages say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from env_file import known_names, parse_env

from cpu_aggregator import settings as aggregator
from cpu_collector import settings as collector
from cpu_publisher import settings as publisher

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
COMPOSE_FILES = ("docker-compose.yml", "compose.mounts.yml", "compose.mirror.yml")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
PREFIX = publisher.PREFIX
# What the image fixes: paths, ports and walls inside a container are no choice of its user.
FIXED = {
    "collector": {"ISOLATION", "SOCKET", "PROCFS", "HEARTBEAT"},
    "publisher": {"DATASITE_DIR", "PRIVATE_DIR", "SOCKET", "COLLECTOR_UID", "ISOLATION", "PORT", "HEARTBEAT"},
    "aggregator": {"DATASITES_DIR", "PUBLIC_DIR", "STATE_DIR", "PORT", "HEARTBEAT"},
}
ELSEWHERE = {"publisher": {"MIRROR"}}  # compose.mirror.yml
NAMES = {"collector": collector.NAMES, "publisher": publisher.NAMES, "aggregator": aggregator.NAMES}
# Set for a container from a variable of another name.
RENAMED = {
    ("collector", "PUBLISHER_UID"): "${CPUTRACKER_UID:-60712}",
    ("aggregator", "EMAIL"): "${CPUTRACKER_AGGREGATOR_EMAIL:-}",
    ("aggregator", "LAYOUT"): "${CPUTRACKER_AGGREGATOR_LAYOUT:-}",
}


def notes() -> dict[str, str]:
    """Each setting of the example with the comment above it, on one line."""
    found: dict[str, str] = {}
    comment: list[str] = []
    fresh = True  # the next comment line begins a new comment
    for line in EXAMPLE.splitlines():
        if match := re.fullmatch(r"# ([A-Z_]+)=.*", line):
            found[match[1]] = " ".join(comment)
        elif line.startswith("# ") and not line.startswith("# ---"):
            comment = [line[2:]] if fresh else [*comment, line[2:]]
        fresh = match is not None
    return found


NOTES = notes()


def test_the_example_lists_what_the_compose_files_read() -> None:
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in COMPOSE_FILES)
    read = set(re.findall(r"\$\{([A-Z_]+)", text))
    assert known_names(EXAMPLE) == read | {"COMPOSE_FILE"}
    assert set(NOTES) == known_names(EXAMPLE)


@pytest.mark.parametrize("service", NAMES)
def test_each_container_is_given_its_own_settings_and_no_others(service: str) -> None:
    given: dict[str, str] = COMPOSE["services"][service]["environment"]
    own = {name.removeprefix(PREFIX) for name in NAMES[service]}
    assert set(given) == {PREFIX + name for name in own - FIXED[service] - ELSEWHERE.get(service, set())}
    for name, value in given.items():
        short = name.removeprefix(PREFIX)
        assert value == RENAMED.get((service, short), f"${{{name}:-}}")


def test_everything_in_the_example_is_commented_out_and_valid() -> None:
    assert parse_env(EXAMPLE) == {}
    values = parse_env(re.sub(r"(?m)^# ([A-Z_]+=)", r"\1", EXAMPLE))
    assert set(values) == set(NOTES)
    publisher.read({name: text for name, text in values.items() if name in publisher.NAMES})
    collector.read(
        {name: text for name, text in values.items() if name in collector.NAMES} | {f"{PREFIX}PUBLISHER_UID": "1000"}
    )
    aggregator.read({name: text for name, text in values.items() if name in aggregator.NAMES})


TABLES: list[tuple[str, Any, str]] = [
    *((name, parse, default) for name, (parse, default) in publisher._OTHER.items()),
    *((name, parse, "") for name, (_, parse) in publisher._PRIVACY.items()),
    *((name, parse, default) for name, (parse, default) in aggregator._ALL.items() if name not in publisher._OTHER),
]


@pytest.mark.parametrize(("name", "parse", "default"), [row for row in TABLES if PREFIX + row[0] in NOTES])
def test_range_and_default_are_the_codes(name: str, parse: Any, default: str) -> None:  # noqa: ANN401 - any parser
    note = NOTES[PREFIX + name]
    assert "Default" in note
    if default:
        assert f"Default: {default}" in note
    try:
        parse("no such value")
    except ValueError as error:
        allowed = str(error)
    else:
        return  # any text is a value: what is allowed stands in the code that uses it
    if limits := re.search(r"from (\S+) to (\S+)$", allowed):
        both = f"{float(limits[1]):.12g} to {float(limits[2]):.12g}"
        assert both in note or name in ("LOWER", "UPPER"), f"{name} allows {both}, .env.example says: {note}"
    elif re.fullmatch(r"[\w-]+(, [\w-]+)+", allowed):
        assert all(choice in note for choice in allowed.split(", ")), f"{name} allows {allowed}: {note}"
