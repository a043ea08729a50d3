"""The SyftBox app cpu_tracker: keeps the pair running for as long as its client wants it. Started by run.sh.

With a Docker engine it does what `make up` does, and stops the two containers at the end. Without one it runs
collector and publisher as two processes of one user (tools/bare_pair.py), which nothing keeps apart, and says so.
It stays in the foreground and ends with its parent: some clients stop an app by a signal to its shell alone, and leave
it behind when they are killed. With words it runs that command of the publisher: `./run.sh status`.
Only the standard library: nothing is installed yet.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tools"))

import bare_pair  # noqa: E402 - found only now
import up  # noqa: E402
from configure import ConfigureError  # noqa: E402
from engine import require_engine  # noqa: E402
from first_release import NOT_YET  # noqa: E402

LOOK_SECONDS = 1.0  # how soon a parent's end is noticed
AGAIN_SECONDS = 60.0  # before a failure ends the app: a client starts it again within seconds


class Watch:
    """Whether the app should end: told by a signal, or left alone by its parent."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._told = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._tell)

    def _tell(self, *_: object) -> None:
        self._told = True

    @property
    def over(self) -> bool:
        """True once it should end."""
        return self._told or os.getppid() != self._parent

    def wait(self, seconds: float) -> bool:
        """Wait that long, or until it is over. True if it is."""
        end = time.monotonic() + seconds
        while not self.over and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, LOOK_SECONDS))  # ended by a signal: its handler runs, then the rest is slept
        return self.over


def main(words: list[str]) -> int:
    """Run it, or a command of the publisher. Returns the exit code."""
    watch = Watch()
    try:
        values = up.settings()
        engine = has_engine()
        if words:
            return command(words, values, engine=engine)
        if not engine:
            return bare_pair.run(values, watch)
        code = with_engine(values.get("CPUTRACKER_PROJECT") or "cpu-tracker", watch)
    except ConfigureError as error:
        say(str(error))
        code = 1
    if code:
        say(f"trying again in {AGAIN_SECONDS:.0f} s")
        watch.wait(AGAIN_SECONDS)
    return 0 if watch.over else code


def has_engine() -> bool:
    """Whether an engine that can keep the two apart answers."""
    try:
        require_engine()
    except ConfigureError:
        return False
    return True


def with_engine(project: str, watch: Watch) -> int:
    """Start the pair, stay, and stop it at the end. Returns the exit code."""
    started = subprocess.Popen([sys.executable, str(ROOT / "tools" / "up.py")], cwd=ROOT, start_new_session=True)
    while started.poll() is None and not watch.wait(LOOK_SECONDS / 4):
        pass
    if started.poll() is None:
        os.killpg(started.pid, signal.SIGTERM)
        started.wait()
    elif started.returncode not in (0, NOT_YET):  # not yet: both run, and publish as soon as they may
        return 1
    while not watch.wait(AGAIN_SECONDS):
        pass
    # By label: an uninstalled app has no folder any more, and Compose no file.
    label = f"label=com.docker.compose.project={project}"
    for service in ("collector", "publisher"):
        one = ["--filter", label, "--filter", f"label=com.docker.compose.service={service}"]
        found = subprocess.run(["docker", "ps", "--quiet", *one], capture_output=True, text=True, check=False, cwd="/")
        subprocess.run(
            ["docker", "stop", "--time", "2", *found.stdout.split()], capture_output=True, check=False, cwd="/"
        )
    say("stopped")
    return 0


def command(words: list[str], values: dict[str, str], *, engine: bool) -> int:
    """Run a command of the publisher where the pair runs."""
    if engine:
        compose = [str(ROOT / "tools" / "compose"), "exec", "publisher", "cpu-publisher"]
        return subprocess.run([*compose, *words], check=False, cwd=ROOT).returncode
    return bare_pair.command(words, values)


def say(text: str) -> None:
    """One line into the app's log."""
    sys.stderr.write(f"cpu_tracker: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
