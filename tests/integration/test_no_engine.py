"""Where no engine answers, the tests that need one fail, each with the same clear line; none is skipped."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.integration.pair import NO_ENGINE, ROOT


def test_without_an_engine_the_tests_fail_and_say_why() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "tests/integration/test_checklist.py"],
        cwd=ROOT,
        env={**os.environ, "DOCKER_HOST": "unix:///nonexistent/docker.sock"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert NO_ENGINE in done.stdout
    summary = done.stdout.splitlines()[-1]
    assert "skipped" not in summary
    assert "passed" not in summary
