"""The whole path, wire line to public file: what can be told from its files, and are they what was recorded?"""

from __future__ import annotations

import pytest
from tests.audit import checks
from tests.audit.measure import Run, run_path

from cpu_publisher import budget
from cpu_publisher.presets import PRESETS

RELEASES = 2_000


@pytest.fixture(scope="module", params=["window", "hour"])
def run(request: pytest.FixtureRequest) -> Run:
    return run_path(PRESETS[request.param], RELEASES)


def test_one_run_audit(run: Run) -> None:
    found = checks.one_run(*run.guesses(), run.preset.epsilon, run.preset.name)
    assert found.ok, found.detail
    assert found.lower is not None
    assert found.lower > 0.4, found.detail  # the audit itself is awake; 0.82 on average


def test_noise_of_the_files_is_what_they_say(run: Run) -> None:
    k = run.preset.windows_per_slot
    declared = {d["noise"]["scale_pp"] for d in run.documents}
    assert declared == {budget.scale_pp(run.preset, k)}
    found = checks.scale_and_shape(run.noise(), declared.pop() * 100 * k)
    assert found.ok, found.detail


def test_values_are_not_clamped(run: Run) -> None:
    values = [d["cpu"] for d in run.documents]
    if run.preset.name == "window":
        assert min(values) < 0
        assert max(values) > 100
