"""What collector and publisher each say for themselves must be the same, and their ends of the socket must meet."""

from __future__ import annotations

import os
import queue
import select
import threading
from typing import TYPE_CHECKING

import pytest
from tests.contract import vectors

from cpu_collector import settings as collector_settings
from cpu_collector.server import Server
from cpu_publisher import settings as publisher_settings
from cpu_publisher.handoff import Client
from cpu_publisher.presets import DEFAULT_PRESET, PRESETS
from cpu_publisher.record import decode

if TYPE_CHECKING:
    from pathlib import Path

UID = {"CPUTRACKER_PUBLISHER_UID": "1000"}
PATIENCE = 10.0  # seconds until an awaited thing counts as not coming


def test_collector_knows_the_sample_interval_of_each_preset() -> None:
    ours = {preset.name: preset.sample_seconds for preset in PRESETS.values()}
    assert ours == collector_settings.PRESET_SAMPLE_SECONDS
    assert collector_settings.DEFAULT_PRESET == DEFAULT_PRESET


@pytest.mark.parametrize(
    "environ",
    [{"CPUTRACKER_PRESET": name} for name in PRESETS]
    + [
        {},
        {"CPUTRACKER_SAMPLE_SECONDS": "1", "CPUTRACKER_READINGS": "5", "CPUTRACKER_INTERVAL_MS": "20"}
        | {"CPUTRACKER_SLOT_SECONDS": "5", "CPUTRACKER_PUBLISH_DELAY_SECONDS": "0.5"},
        {"CPUTRACKER_SAMPLE_SECONDS": "20", "CPUTRACKER_SLOT_SECONDS": "60"},
        {"CPUTRACKER_PRESET": "reading", "CPUTRACKER_LOWER": "10", "CPUTRACKER_UPPER": "90"},
        {"CPUTRACKER_SAMPLE_SECONDS": "400", "CPUTRACKER_SLOT_SECONDS": "400", "CPUTRACKER_READINGS": "1000"},
    ],
    ids=lambda environ: " ".join(environ.values()) or "defaults",
)
def test_both_derive_the_same_lengths_and_bounds_from_the_same_environment(environ: dict[str, str]) -> None:
    shared = {name: text for name, text in environ.items() if name in collector_settings.NAMES}
    collector = collector_settings.read(shared | UID)
    preset = publisher_settings.read(environ).preset
    names = ("sample_seconds", "n", "interval_ms", "lower", "upper", "lateness_ms", "longest_span_ms")
    assert [getattr(collector, name) for name in names] == [getattr(preset, name) for name in names]
    assert 0 <= collector.covers_ms - preset.covers_ms < 1_000  # the publisher's is rounded down to whole seconds


@pytest.mark.parametrize("name", ["SAMPLE_SECONDS", "READINGS", "INTERVAL_MS", "LOWER", "UPPER"])
def test_both_allow_the_same_range(name: str) -> None:
    """A value that one takes and the other refuses would let half a pair start."""
    low, high, _ = collector_settings._WHOLE[name]
    parse = publisher_settings._PRIVACY[name][1]
    assert [parse(str(low)), parse(str(high))] == [low, high]
    for outside in (low - 1, high + 1):
        with pytest.raises(ValueError, match="a whole number from"):
            parse(str(outside))


def test_default_socket_is_one() -> None:
    assert collector_settings.read(UID).socket == str(publisher_settings.read({}).socket)


def test_client_and_server_meet(tmp_path: Path) -> None:
    """The newest record at once, each next one, and after a reconnect the newest again."""
    path = tmp_path / "collector.sock"
    first, second = vectors.wire("accept")[0]["line"], vectors.wire("accept")[1]["line"]
    lines: queue.Queue[bytes] = queue.Queue()
    troubles: queue.Queue[str] = queue.Queue()
    refused: list[str] = []
    poller = select.poll()
    server = Server(str(path), os.getuid(), poller, refused.append)
    server.publish(first)
    client = Client(path, os.getuid(), lines.put, troubles.put, first_seconds=0.01)
    thread = threading.Thread(target=client.run, daemon=True)
    thread.start()
    server.handle(poller.poll(PATIENCE * 1_000))
    assert lines.get(timeout=PATIENCE) == first
    server.publish(second)
    assert lines.get(timeout=PATIENCE) == second
    server.close()
    assert troubles.get(timeout=PATIENCE) == "hung_up"

    poller = select.poll()
    server = Server(str(path), os.getuid(), poller, refused.append)
    server.publish(second)
    server.handle(poller.poll(PATIENCE * 1_000))
    assert decode(lines.get(timeout=PATIENCE), PRESETS["hour"])
    client.close()
    thread.join(PATIENCE)
    server.close()
    assert refused == []
