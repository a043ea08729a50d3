"""How long `make up` takes from a fresh clone to a first publication: from no image at all, and with images built.

    python bench/make_up.py

Works on a clone of what is committed, under random names, with an empty home (the embedded default); takes everything
away again. Needs an engine, and, as root, mmdebstrap for the base image, which it makes anew. Exits 1 above a target.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGETS = {"images built": 15.0, "from no image at all": 150.0}


def main() -> int:
    """Measure both, print them beside the targets of the design."""
    name = f"ctb-{secrets.token_hex(4)}"
    base = f"{name}-base:trixie"
    with tempfile.TemporaryDirectory(prefix=name) as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        environ = {
            **{key: text for key, text in os.environ.items() if not key.startswith(("CPUTRACKER_", "SYFTBOX_"))},
            "HOME": folder,
            "BASE_IMAGE": base,
            "CPUTRACKER_PROJECT": name,
            "CPUTRACKER_IMAGES": name,
            "CPUTRACKER_HOST_PORT": str(free_port()),
        }
        try:
            making = seconds(["tools/base-image", base], clone, environ)
            nothing = making + seconds(["make", "up"], clone, environ)
            seconds(["tools/compose", "down", "--volumes"], clone, environ)
            built = seconds(["make", "up"], clone, environ)
        finally:
            subprocess.run(["tools/compose", "down", "--volumes"], cwd=clone, env=environ, check=False)
            images = [f"{name}-collector", f"{name}-publisher", base]
            subprocess.run(["docker", "rmi", *images], check=False, capture_output=True)
    print(f"base image made by mmdebstrap: {making:.1f} s")
    took = {"images built": built, "from no image at all": nothing}
    for what, target in TARGETS.items():
        print(f"make up to the first publication, {what}: {took[what]:.1f} s (target {target:.0f})")
    return 1 if any(took[what] > target for what, target in TARGETS.items()) else 0


def seconds(words: list[str], folder: Path, environ: dict[str, str]) -> float:
    """Run it; how long it took."""
    started = time.monotonic()
    subprocess.run(words, cwd=folder, env=environ, check=True)
    return time.monotonic() - started


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
