"""Writes docs/audit.md: what the audit measures, on this machine, now.

    python tests/audit/report.py [--kills 100]

Exit code 1 if a check found a fault, or a fault made on purpose went unnoticed.
"""

from __future__ import annotations

import argparse
import platform
import secrets
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "publisher"), str(ROOT / "collector")]

from tests.audit import behaviour, checks, kill  # noqa: E402
from tests.audit.measure import (  # noqa: E402
    HOUR,
    MECHANISM,
    THRESHOLD,
    K,
    exact_draws,
    forked,
    on_lattice,
    published,
    run_path,
    vector_draws,
)
from tests.audit.mutants import MUTANTS, WINDOW  # noqa: E402

from cpu_publisher import budget  # noqa: E402 - the paths above come first

DOCUMENT = ROOT / "docs" / "audit.md"
RELEASES = 2_000
HEAD = """# What the audit found

Written by `make audit` (`python tests/audit/report.py`), which measures everything anew; `python -m pytest tests/audit`
runs the same checks as tests, together with days of random crashes, clock steps and reboots (test_schedules.py).

An audit cannot prove privacy: the proof is OpenDP's map and the arithmetic of [privacy.md](privacy.md). It can find
lies. Each check looks at draws or at published files only, and would fail on faultless noise once in a million runs.
*Lower bound* is the ε that the observations prove at 99.9 % confidence: it must not be above the ε that is promised for
one window, and should not be far below it, else the audit is asleep.
"""


def measurements(kills: int) -> list[tuple[str, checks.Found, float | None]]:
    """(check, what it found, promised ε where it measures one)."""
    draws, exact = vector_draws(200_000), exact_draws(50_000)
    idle, busy = published(40_000, 0), published(40_000, HOUR.delta)
    found: list[tuple[str, checks.Found, float | None]] = [
        ("OpenDP's noise: scale and shape", checks.scale_and_shape(draws, MECHANISM.scale), None),
        ("an exact sampler's noise: scale and shape", checks.scale_and_shape(exact, MECHANISM.scale), None),
        ("both draw from one law", checks.same_law(draws, exact, MECHANISM.scale), None),
        ("half-line audit of the scalar path", checks.half_line(idle, busy, THRESHOLD, HOUR.epsilon), HOUR.epsilon),
        ("precision attack", checks.one_lattice(idle, busy, on_lattice), None),
        ("forked and restarted processes", checks.no_repeats(*forked("opendp"), *forked("opendp")), None),
    ]
    for preset in (WINDOW, HOUR):
        run = run_path(preset, RELEASES)
        k = preset.windows_per_slot
        what = f"through the whole path, k = {k}"
        scale = budget.scale_pp(preset, k) * 100 * k
        found += [
            (f"one-run audit {what}", checks.one_run(*run.guesses(), preset.epsilon, preset.name), preset.epsilon),
            (f"noise of the files {what}", checks.scale_and_shape(run.noise(), scale), None),
        ]
    seen = kill.killed(kills, secrets.randbelow(2**32))
    return [
        *found,
        ("kill -9 at random moments", checks.Found(ok=seen.ok, detail=seen.detail), None),
        ("failed commit", behaviour.nothing_visible_without_a_record(), None),
        ("restart", behaviour.restart_repeats(), None),
        ("each window once", behaviour.windows_once(), None),
        ("busy machine", behaviour.no_window_missing_when_busy(), None),
    ]


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows])


def main() -> int:
    """Measure and write. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="how often the publisher is killed")
    found = measurements(parser.parse_args().kills)
    caught = [(mutant, mutant.found()) for mutant in MUTANTS]
    bounds = [
        [name, f"{result.lower:.3f}", f"{promised:g}", "window", f"{checks.CONFIDENCE:.1%}"]
        for name, result, promised in found
        if result.lower is not None
    ]
    good = all(result.ok for _, result, _ in found) and not any(result.ok for _, result in caught)
    setting = (
        f"OpenDP {version('opendp')}, Python {platform.python_version()}, preset `hour` with k = {K} windows a release"
        " unless said otherwise."
    )
    DOCUMENT.write_text(
        "\n".join(
            [
                HEAD,
                setting,
                "",
                "## Measured lower bounds on ε",
                "",
                table(["check", "lower bound", "promised", "unit", "confidence"], bounds),
                "",
                "## Checks",
                "",
                table(
                    ["check", "verdict", "found"],
                    [[name, "passed" if result.ok else "**FAILED**", result.detail] for name, result, _ in found],
                ),
                "",
                "## Faults made on purpose",
                "",
                "Each breaks the program in one place; the check named has to notice it.",
                "",
                table(
                    ["fault", "noticed by", "verdict", "what it saw"],
                    [
                        [m.name, m.noticed_by, "**MISSED**" if result.ok else "noticed", result.detail]
                        for m, result in caught
                    ],
                ),
                "",
            ]
        ),
        encoding="utf-8",
    )
    sys.stdout.write(f"wrote {DOCUMENT}: {'all as it should be' if good else 'SOMETHING IS WRONG'}\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
