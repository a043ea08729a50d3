"""The parser: which commands there are, what bad input gets, and that `run` stays small."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from cpu_publisher import cli

PUBLISHER = Path(__file__).parents[3] / "publisher"


def test_the_commands_are_those_of_the_contract() -> None:
    assert list(cli.HELP) == ["run", "status", "audit", "preview", "validate", "ledger", "pause", "resume", "leave"]


@pytest.mark.parametrize("words", [[], ["publish"], ["pause", "--json"], ["status", "now"], ["ledger", "drop"]])
def test_words_that_are_none(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(words, {})
    assert end.value.code == 2
    assert "usage: cpu-publisher" in capsys.readouterr().err


@pytest.fixture
def _untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` sets these for the whole process, and for good."""
    monkeypatch.setattr(os, "umask", lambda _: 0)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)


@pytest.mark.usefixtures("_untouched")
@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("CPUTRACKER_EPSILN", "1", "is no setting of the publisher; known: CPUTRACKER_"),
        ("CPUTRACKER_EMAIL", "alice", "CPUTRACKER_EMAIL is 'alice'; allowed: an e-mail address"),
        ("CPUTRACKER_PRESET", "minute", "allowed: hour, window"),
        ("CPUTRACKER_CAP_EPSILON", "3", "one full slot spends 12"),
    ],
)
@pytest.mark.parametrize("command", ["run", "status", "ledger"])
def test_a_bad_setting_is_told_in_one_line(
    command: str, name: str, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {"CPUTRACKER_ISOLATION": "off", name: text}
    assert cli.main([command], environ) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err
    assert said.err.startswith("cpu-publisher: ")
    assert said.err.count("\n") == 1


def test_preview_parses_its_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["preview", "--json"], {}) == 0
    assert json.loads(capsys.readouterr().out)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"], {})
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert all(name in out for name in cli.HELP)


def test_as_a_program_and_run_does_not_load_what_it_has_no_use_for() -> None:
    """Each module that stays loaded costs memory for months."""
    code = (
        "import sys; from cpu_publisher import app\n"
        "for name in ('commands', 'preview', 'validate', 'export', 'status'):\n"
        "    assert f'cpu_publisher.{name}' not in sys.modules, name"
    )
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(PUBLISHER)}, check=True, timeout=60)
