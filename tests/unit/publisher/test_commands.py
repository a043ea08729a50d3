"""The owner's commands: what each says and changes, and its exit code."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from tests.unit.publisher.sim import Host, no_noise, quick_folder

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def host() -> Iterator[Host]:
    with no_noise(), quick_folder() as root:
        host = Host(root)
        host.run(3_700)
        host.stop()
        yield host


def say(host: Host, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = host.cli(*words)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_ledger_show_and_export(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: path.read_bytes() for path in host.private.iterdir()}
    code, out, _ = say(host, capsys, "ledger")
    assert code == 0
    assert "epsilon_24h_spent          12.0" in out
    assert json.loads(say(host, capsys, "ledger", "show", "--json")[1])["releases"] == 2
    assert len(json.loads(say(host, capsys, "ledger", "export")[1])["releases"]) == 2
    assert say(host, capsys, "ledger", "export", "--format", "csv")[1].startswith("seq,slot,")
    assert {path.name: path.read_bytes() for path in host.private.iterdir()} == before


def test_a_ledger_that_is_not_there_yet(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(host.private)
    host.private.mkdir()
    code, _, err = say(host, capsys, "ledger")
    assert code == 2
    assert "nothing was released" in err


@pytest.mark.parametrize("words", [["accept"], ["accept", "ledger_newer"], ["accept", "no-such-code"]])
def test_accept_needs_a_code_that_can_be_accepted(
    host: Host, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    code, _, err = say(host, capsys, "ledger", *words)
    assert code == 2
    assert "ledger_behind" in err


def test_accept_changes_nothing_of_a_sound_ledger(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    before = (host.private / "ledger.sqlite3").read_bytes()
    code, _, err = say(host, capsys, "ledger", "accept", "ledger_behind")
    assert code == 2
    assert "nothing was changed" in err
    assert (host.private / "ledger.sqlite3").read_bytes() == before
    assert (host.private / "pool.json").exists()


def test_pause_and_resume(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = say(host, capsys, "pause")
    assert (code, (host.private / "paused").exists()) == (0, True)
    assert "the last value stays" in out
    assert say(host, capsys, "resume")[0] == 0
    assert not (host.private / "paused").exists()


def test_only_a_publisher_that_holds_the_lock_is_woken(
    host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock file stays when a publisher ends: the number in it may be any process of the owner by then."""
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    lock = host.private / "lock"
    lock.write_text("pid 1234567, mode container\n")
    say(host, capsys, "pause")
    assert killed == []
    lock.write_text("pid 1234567, mode container\n")
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        say(host, capsys, "resume")
        assert killed == [(1_234_567, signal.SIGHUP)]
        host.environ["ISOLATION"] = "off"
        say(host, capsys, "pause")
        assert len(killed) == 1, "a process number of another kind of publisher means nothing here"


def test_leave_takes_away_what_others_can_see_and_says_what_stays(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = say(host, capsys, "leave", "--json")
    answer = json.loads(out)
    assert code == 0
    assert [path.rsplit("/", 1)[1] for path in answer["removed"]] == [
        "cpu_tracker.json",
        "syft.pub.yaml",
        "syftperm.yaml",
    ]
    assert list(host.public.parent.iterdir()) == []
    assert (host.private / "ledger.sqlite3").exists()
    assert str(host.private) in answer["stays"]
    code, out, _ = say(host, capsys, "leave")
    assert code == 0
    assert "cannot be taken back" in out


def test_leave_waits_for_the_publisher_to_stop(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.open()
    host.tick()
    code, _, err = say(host, capsys, "leave")
    assert code == 1
    assert "another publisher" in err
    assert host.public.exists()
    host.stop()


def test_audit_of_a_sound_datasite_and_of_a_leak(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = say(host, capsys, "audit", "--json")
    assert (code, json.loads(out)["ok"]) == (0, True)
    (host.datasite / "syftperm.yaml").write_text("- path: '**'\n  user: '*'\n  permissions: [read]\n")
    code, out, _ = say(host, capsys, "audit")
    assert code == 1
    assert "LEAK" in out
    assert "syftperm.yaml" in out


@pytest.mark.parametrize("words", [["pause"], ["leave"], ["ledger", "accept", "ledger_other"], ["validate"]])
def test_a_missing_private_folder(host: Host, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    shutil.rmtree(host.private)
    code, _, err = say(host, capsys, *words)
    assert code == 1
    assert "does not exist: make it" in err


@pytest.mark.parametrize("words", [["leave"], ["ledger", "accept", "ledger_other"]])
def test_a_missing_datasite(host: Host, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    shutil.rmtree(host.datasite)
    code, _, err = say(host, capsys, *words)
    assert code == 1
    assert "does not exist" in err


@pytest.mark.parametrize(
    ("words", "call"),
    [(["pause"], call) for call in ("fchmod", "open", "rename")]
    + [(["leave"], call) for call in ("fchmod", "open", "unlink")],
)
def test_a_read_only_file_system(
    host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], call: str
) -> None:
    real = getattr(os, call)

    def refuse(*args: object, **kwargs: object) -> object:
        if call == "open" and not int(str(args[1])) & (os.O_CREAT | os.O_WRONLY):
            return real(*args, **kwargs)
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, call, refuse)
    code, _, err = say(host, capsys, *words)
    assert code == 1
    assert str(host.root) in err
    assert "read-only" in err.lower()


def test_a_folder_of_root_or_of_anybody_else(
    host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    code, _, err = say(host, capsys, "pause")
    assert code == 1
    assert f"belongs to uid {uid}" in err
    assert "chown" in err
