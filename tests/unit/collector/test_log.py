import io

from cpu_collector.log import Log


def test_levels() -> None:
    stream = io.StringIO()
    log = Log("warning", stream)
    log.write("info", "not this")
    log.write("warning", "this")
    log.write("error", "and this")
    assert stream.getvalue() == "cpu-collector warning: this\ncpu-collector error: and this\n"


def test_a_crowd_cannot_flood_the_log() -> None:
    stream = io.StringIO()
    log = Log("info", stream)
    for _ in range(1_000):
        log.count("peer refused", "uid")
    log.count("window dropped", "late")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[0] == "cpu-collector info: peer refused: uid (1 since the start)"
    assert lines[-1] == "cpu-collector info: window dropped: late (1 since the start)"
