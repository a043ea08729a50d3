"""The command `cpu-collector`: run, health. By hand: argparse costs 0.4 MB of the collector's 11."""

from __future__ import annotations

import os
import sys

from cpu_collector import health
from cpu_collector.errors import CollectorError, IsolationError, SettingsError

USAGE = """usage: cpu-collector run | health

run     measure one window in each sample interval and hand its mean to the publisher
health  exit 0 if the sampling loop lives, 1 if not
Settings are environment variables with the prefix CPUTRACKER_.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; exit code 0, 1 (failed) or 2 (called or set wrongly)."""
    match sys.argv[1:] if arguments is None else arguments:
        case ["run"]:
            return _run()
        case ["health"]:
            return health.main()
        case ["-h" | "--help" | "help"]:
            sys.stdout.write(USAGE)
            return 0
        case _:
            sys.stderr.write(USAGE)
            return 2


def _run() -> int:
    from cpu_collector import app  # noqa: PLC0415 - `health` needs no psutil, which takes most of its start

    try:
        app.run(os.environ)
    except CollectorError as error:
        sys.stderr.write(f"cpu-collector error: {error}\n")
        return 2 if isinstance(error, (SettingsError, IsolationError)) else 1
    return 0
