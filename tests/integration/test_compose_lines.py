"""Each line of the Compose file that hardens, turned in its text: the checklist must name what it broke."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.checklist import violations
from tests.integration.pair import ROOT
from tests.integration.rendered import as_inspected
from tests.integration.test_checklist import inspected

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.pair import Pair

FILES = ("docker-compose.yml", "compose.mounts.yml")
GONE = ""
SOCKET = "      - /var/run/docker.sock:/var/run/docker.sock\n"
# Section of the file, text in it, what it is turned into, and the rules that must be named.
BOTH: list[tuple[str, str, str]] = [
    ("restart: unless-stopped", "restart: always", "unless-stopped"),
    ("read_only: true", GONE, "ReadonlyRootfs"),
    ("privileged: false", "privileged: true", "not Privileged"),
    ("cap_drop: [ALL]", "cap_drop: [NET_RAW]", "CapDrop ALL"),
    ("cap_drop: [ALL]", "cap_drop: [ALL]\n  cap_add: [SYS_PTRACE]", "CapAdd none"),
    ('security_opt: ["no-new-privileges:true"]', GONE, "no-new-privileges"),
    ('["no-new-privileges:true"]', '["no-new-privileges:true", "seccomp=unconfined"]', "nothing unconfined"),
    ("ipc: private", "ipc: host", "IpcMode private"),
    ("ulimits: {core: 0}", "ulimits: {core: 1000000}", "no core files"),
    ("max-size: 1m", "max-size: 100m", "log rotation"),
]
OWN: list[tuple[str, str, str, str]] = [
    ("collector", 'user: "60711:60710"', 'user: "0:60710"', "numeric uid that is not 0"),
    ("collector", 'user: "60711:60710"', 'user: "60712:60710"', "distinct uids"),
    ("collector", "pid: host", GONE, "PidMode host"),
    ("collector", "network_mode: none", "network_mode: bridge", "NetworkMode none"),
    ("collector", "network_mode: none", 'network_mode: bridge\n    ports: ["1:1"]', "no ports"),
    ("collector", "pids_limit: 32", GONE, "PidsLimit"),
    ("collector", "mem_limit: 48m", "mem_limit: 0", "Memory"),
    ("collector", "memswap_limit: 48m", "memswap_limit: 96m", "MemorySwap equal to Memory"),
    ("collector", "cpus: 0.5", GONE, "NanoCpus"),
    ("collector", "cpu_shares: 4096", GONE, "more CPU shares than others"),
    ("collector", "volumes:\n", "volumes:\n      - /:/host:ro\n", "mounts exactly the hand-off, rw"),
    ("collector", "volumes:\n", f"volumes:\n{SOCKET}", "no docker.sock"),
    ("collector", "retries: 2", "disable: true", "a health check"),
    ("publisher", "user: ", "pid: host\n    user: ", "PidMode its own"),
    ("publisher", 'group_add: ["60710"]', GONE, "group of the hand-off"),
    ("publisher", "networks: [web]", "network_mode: host", "a user-defined network"),
    ("publisher", '"127.0.0.1:', '"', "ports on 127.0.0.1 only"),
    ("publisher", "pids_limit: 64", "pids_limit: 640", "PidsLimit"),
    ("publisher", "mem_limit: 160m", GONE, "Memory"),
    ("publisher", "memswap_limit: 160m", GONE, "MemorySwap equal to Memory"),
    ("publisher", "cpus: 1.0", GONE, "NanoCpus"),
    ("publisher", "target: /handoff, read_only: true", "target: /handoff", "mounts and their modes"),
    ("publisher", "volumes:\n", f"volumes:\n{SOCKET}", "no docker.sock"),
    ("publisher", "retries: 2", "disable: true", "a health check"),
]
TURNS = [
    *(("x-hardening", old, new, (f"collector: {rule}", f"publisher: {rule}")) for old, new, rule in BOTH),
    *((who, old, new, (rule if rule == "distinct uids" else f"{who}: {rule}",)) for who, old, new, rule in OWN),
]


def rendered(folder: Path, text: str) -> dict[str, Any]:
    """The services as Compose understands this text, with nothing set."""
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    (folder / FILES[0]).write_text(text, encoding="utf-8")
    words = [str(ROOT / "tools" / "compose"), "--project-directory", str(folder), "--env-file", os.devnull]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CPUTRACKER_", "COMPOSE_"))}
    done = subprocess.run(
        [*words, "--file", str(folder / FILES[0]), "config", "--format", "json"],
        env=kept,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    return {name: as_inspected(services[name]) for name in ("collector", "publisher")}


def turned(section: str, old: str, new: str) -> str:
    """The file with the first `old` of a section replaced."""
    text = (ROOT / FILES[0]).read_text(encoding="utf-8")
    heading = f"\n{section}:" if section.startswith("x-") else f"\n  {section}:"
    before, found, after = text.partition(heading)
    assert found, section
    head, _, rest = after.partition(old)
    assert "\n  aggregator:" not in head, f"{old!r} is not in {section}"
    return before + found + head + new + rest


def test_the_file_as_it_is_breaks_no_rule(tmp_path: Path) -> None:
    assert violations(**rendered(tmp_path, (ROOT / FILES[0]).read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(("section", "old", "new", "rules"), TURNS)
def test_a_line_turned_is_named(tmp_path: Path, section: str, old: str, new: str, rules: tuple[str, ...]) -> None:
    assert set(rules) <= set(violations(**rendered(tmp_path, turned(section, old, new))))


def test_the_foretold_is_what_the_engine_says(pair: Pair, tmp_path: Path) -> None:
    """The rendered twin and the real inspect agree in every field that the checklist looks at."""
    foretold = rendered(tmp_path, (ROOT / FILES[0]).read_text(encoding="utf-8"))
    for name, real in inspected(pair).items():
        for field, value in foretold[name]["HostConfig"].items():
            seen = real["HostConfig"][field]
            if field == "SecurityOpt":  # the daemon adds label=disable where host processes are in view
                assert set(value) <= set(seen)
            elif field == "NetworkMode" and name == "publisher":
                assert seen == f"{pair.project}_{value}"
            elif field == "PortBindings":
                assert [b["HostIp"] for bound in (seen or {}).values() for b in bound] == [
                    b["HostIp"] for bound in value.values() for b in bound
                ]
            else:
                assert (seen or 0) == (value or 0), (name, field)
