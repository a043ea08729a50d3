import subprocess
import sys

import pytest

from cpu_collector import cli


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["walk"], 2), (["run", "now"], 2), (["--help"], 0)])
def test_usage(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == code
    out, err = capsys.readouterr()
    assert "cpu-collector run | health" in (err if code else out)


def test_health_is_the_probe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CPUTRACKER_HEARTBEAT", "/none/heartbeat")
    assert cli.main(["health"]) == 1
    assert capsys.readouterr().out == "no heartbeat\n"


def test_nothing_heavy_is_imported() -> None:
    heavy = {"argparse", "dataclasses", "inspect", "json", "logging", "pathlib", "typing"}
    code = "import sys, psutil; before = set(sys.modules); import cpu_collector.app; print(*set(sys.modules) - before)"
    path = [p for p in sys.path if p]
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = {path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    own = set(done.stdout.split())
    assert "cpu_collector.app" in own
    assert not own & heavy
