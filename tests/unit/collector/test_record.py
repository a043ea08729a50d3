import json

from cpu_collector.record import encode
from cpu_collector.settings import read
from cpu_collector.window import Window


def test_the_line_of_the_contract() -> None:
    settings = read({"CPUTRACKER_PUBLISHER_UID": "1"})
    assert encode(Window(1_790_000_000_123, 86_400_123, 5_003, 1_234), settings) == (
        b'{"v":1,"started_at_ms":1790000000123,"boot_ms":86400123,"span_ms":5003,"n":50,"interval_ms":100,'
        b'"lower":0,"upper":10000,"mean":1234}\n'
    )


def test_the_longest_line_is_short_and_json() -> None:
    settings = read(
        {
            "CPUTRACKER_PUBLISHER_UID": "1",
            "CPUTRACKER_SAMPLE_SECONDS": "86400",
            "CPUTRACKER_READINGS": "1000",
            "CPUTRACKER_INTERVAL_MS": "10000",
            "CPUTRACKER_LOWER": "99",
        }
    )
    line = encode(Window(10**15, 10**15, 10**8, 10_000), settings)
    assert len(line) < 512
    assert line.count(b"\n") == 1
    assert all(type(value) is int for value in json.loads(line).values())
