"""No window may go missing because the machine is busy: the real pair in its containers under full load of every core.

    python bench/pair_soak.py [MINUTES]

50 readings of 0.1 s each 20 s, slots of 60 s, as many busy loops as cores, 5 minutes unless told otherwise. Each slot
that lies wholly under the load must be released with its three windows, and the collector must have dropped none.
Exits 1 otherwise. Works under a random project name, on the embedded default, and takes everything away again.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.make_up import ROOT, free_port

SAMPLE_SECONDS, SLOT_SECONDS, DUE_SECONDS = 20, 60, 15


def main() -> int:
    """Start, load, wait, count."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    environ = {
        **{name: text for name, text in os.environ.items() if not name.startswith(("CPUTRACKER_", "SYFTBOX_"))},
        "CPUTRACKER_PROJECT": f"cts-{secrets.token_hex(4)}",
        "CPUTRACKER_HOST_PORT": str(free_port()),
        "CPUTRACKER_SAMPLE_SECONDS": str(SAMPLE_SECONDS),
        "CPUTRACKER_SLOT_SECONDS": str(SLOT_SECONDS),
        **dict.fromkeys(("CPUTRACKER_DATA_DIR", "CPUTRACKER_EMAIL", "CPUTRACKER_UID", "CPUTRACKER_GID"), ""),
    }
    try:
        subprocess.run([sys.executable, "tools/up.py"], cwd=ROOT, env=environ, check=True)
        since, until = under_load(60 * minutes)
        time.sleep(DUE_SECONDS)
        ledger = json.loads(inside(environ, "publisher", "cpu-publisher", "ledger", "export"))
        logs = compose(environ, "logs", "--no-color", "collector")
    finally:
        compose(environ, "down", "--volumes", "--timeout", "2")
    first, last = -(-since // SLOT_SECONDS) * SLOT_SECONDS, until // SLOT_SECONDS * SLOT_SECONDS
    wanted = dict.fromkeys(range(first, last, SLOT_SECONDS), SLOT_SECONDS // SAMPLE_SECONDS)
    seen = {row["slot"]: row["k"] for row in ledger["releases"] if row["kind"] == "slot" and row["slot"] in wanted}
    dropped = [line for line in logs.splitlines() if "dropped" in line]
    print(f"{minutes:g} minutes, {os.cpu_count()} cores busy: {sum(seen.values())} of {sum(wanted.values())} windows")
    print(f"released in {len(seen)} of {len(wanted)} slots; dropped by the collector: {dropped or 'none'}")
    return 1 if dropped or seen != wanted else 0


def under_load(seconds: float) -> tuple[int, int]:
    """Keep every core busy that long. Returns from when to when, unix seconds."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    since = time.time()
    try:
        time.sleep(seconds)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    return int(since) + 1, int(time.time())


def compose(environ: dict[str, str], *words: str) -> str:
    """Compose on this project."""
    return subprocess.check_output(["tools/compose", *words], cwd=ROOT, env=environ, text=True)


def inside(environ: dict[str, str], service: str, *words: str) -> str:
    """A command in a container."""
    return compose(environ, "exec", "-T", service, *words)


if __name__ == "__main__":
    sys.exit(main())
