"""tools/venv where Python comes without ensurepip, as Debian's python3 alone does."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "tools" / "venv"
# Debian's: the interpreter is in .venv already when venv finds that there is no pip to put beside it.
PYTHON = """#!/bin/sh
case "$*" in *venv*) mkdir -p .venv/bin && touch .venv/bin/python && chmod +x .venv/bin/python;; esac
[ -e {mended} ] || exit 1
case "$*" in *venv*) echo '#!/bin/sh' >.venv/bin/pip && chmod +x .venv/bin/pip;; esac
"""


def _script(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A work tree whose requirements are empty, a python without ensurepip, an apt-get that only takes note."""
    for folder in ("tools", "bin"):
        (tmp_path / folder).mkdir()
    shutil.copy(SCRIPT, tmp_path / "tools" / "venv")
    (tmp_path / "tools" / "requirements-dev.txt").touch()
    _script(tmp_path / "bin" / "python3", PYTHON.format(mended=tmp_path / "mended"))
    _script(tmp_path / "bin" / "id", "#!/bin/sh\necho 0\n")
    _script(tmp_path / "bin" / "apt-get", f'#!/bin/sh\necho "$*" >>{tmp_path}/asked\n')
    return tmp_path


def _run(tree: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PATH": f"{tree / 'bin'}:{os.environ['PATH']}", "PYTHON": "python3"}
    return subprocess.run(
        [tree / "tools" / "venv", "dev"], env=environ, check=False, capture_output=True, text=True, timeout=60
    )


def test_root_on_debian_gets_what_is_missing(tree: Path) -> None:
    _script(tree / "bin" / "apt-get", f'#!/bin/sh\necho "$*" >>{tree}/asked\ntouch {tree}/mended\n')
    done = _run(tree)
    assert done.returncode == 0, done.stderr
    assert "python3-venv" in (tree / "asked").read_text(encoding="utf-8")
    assert (tree / ".venv" / ".stamp-dev").exists()


def test_what_cannot_be_installed_is_said_and_the_next_call_goes_on(tree: Path) -> None:
    done = _run(tree)
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
    (tree / "mended").touch()
    assert _run(tree).returncode == 0, "a half-made environment must not be taken for a whole one"


def test_another_user_is_told_and_nothing_is_installed(tree: Path) -> None:
    _script(tree / "bin" / "id", "#!/bin/sh\necho 1000\n")
    assert _run(tree).returncode == 1
    assert not (tree / "asked").exists()


def test_an_environment_that_is_there_needs_nothing_installed(tree: Path) -> None:
    (tree / ".venv" / "bin").mkdir(parents=True)
    _script(tree / ".venv" / "bin" / "pip", "#!/bin/sh\n")
    assert _run(tree).returncode == 0
    assert not (tree / "asked").exists()
