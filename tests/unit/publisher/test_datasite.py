"""What is written into a datasite: exact permission files first, whole files, never through a link."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

import pytest
import yaml

from cpu_publisher import permissions
from cpu_publisher.datasite import Datasite
from cpu_publisher.errors import FolderError
from cpu_publisher.folder import Folder

if TYPE_CHECKING:
    from pathlib import Path

EMAIL = "alice@example.com"
AGGREGATOR = "aggregator@openmined.org"
GO = """terminal: true
rules:
- pattern: cpu_tracker.json
  access: {admin: [], write: [], read: [aggregator@openmined.org]}
- pattern: '**'
  access: {admin: [], write: [], read: []}
"""
PY04 = """- path: '**'
  user: alice@example.com
  permissions: [admin, create, write, read]
- path: cpu_tracker.json
  user: aggregator@openmined.org
  permissions: [read]
"""
BODY = b'{"cpu": 12.5}\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / EMAIL / "app_data" / "cpu_tracker").mkdir(parents=True)
    return tmp_path / EMAIL


@pytest.fixture
def home(root: Path) -> Path:
    return root / "app_data" / "cpu_tracker"


@pytest.fixture
def datasite(root: Path) -> Datasite:
    return Datasite(root, email=EMAIL, aggregators=(AGGREGATOR,), layout="datasites")


def codes(datasite: Datasite, *, fatal: bool | None = None) -> list[str]:
    return [one.code for one in datasite.inspect() if fatal is None or one.fatal == fatal]


def test_the_permission_files_are_these_bytes(datasite: Datasite, home: Path) -> None:
    assert datasite.write_permissions() == ("syft.pub.yaml", "syftperm.yaml")
    assert (home / "syft.pub.yaml").read_text() == GO
    assert (home / "syftperm.yaml").read_text() == PY04
    assert datasite.write_permissions() == ()


def test_a_flat_layout_has_only_todays_file(root: Path, home: Path) -> None:
    flat = Datasite(root, email=EMAIL, aggregators=(AGGREGATOR,), layout="flat")
    assert flat.write_permissions() == ("syft.pub.yaml",)
    assert [path.name for path in home.iterdir()] == ["syft.pub.yaml"]


def test_several_aggregators_and_both_spellings() -> None:
    files = permissions.texts("Alice@Example.com", ("Agg@openmined.org", "b@x.org", "b@x.org"), "datasites")
    go = yaml.safe_load(files["syft.pub.yaml"])
    assert go["rules"][0]["access"]["read"] == ["Agg@openmined.org", "agg@openmined.org", "b@x.org"]
    rules = yaml.safe_load(files["syftperm.yaml"])
    owners = [rule["user"] for rule in rules if rule["path"] == "**"]
    assert owners == ["Alice@Example.com", "alice@example.com"]
    assert [rule["user"] for rule in rules if rule["path"] == "cpu_tracker.json"] == go["rules"][0]["access"]["read"]


@pytest.mark.parametrize("name", ["&a@x.org", "!a@x.org", "a:b@x.org", "#a@x.org", "%a@x.org", "`a@x.org", "a#b@x.org"])
def test_odd_addresses_are_still_text(name: str) -> None:
    files = permissions.texts(name, (name,), "datasites")
    assert yaml.safe_load(files["syft.pub.yaml"])["rules"][0]["access"]["read"] == [name]
    assert {rule["user"] for rule in yaml.safe_load(files["syftperm.yaml"])} == {name}


def test_permissions_come_before_the_data(datasite: Datasite, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    write = Folder.write

    def note(self: Folder, name: str, data: bytes, *, mode: int, mtime_ms: int | None = None) -> None:
        order.append(name)
        write(self, name, data, mode=mode, mtime_ms=mtime_ms)

    monkeypatch.setattr(Folder, "write", note)
    datasite.publish(BODY, 0)
    assert order == ["syft.pub.yaml", "syftperm.yaml", "cpu_tracker.json"]


def test_no_data_when_a_permission_file_cannot_be_written(
    datasite: Datasite, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "syft.pub.yaml").mkdir()
    with pytest.raises(FolderError, match=r"syft\.pub\.yaml"):
        datasite.publish(BODY, 0)
    assert not (home / "cpu_tracker.json").exists()


def test_public_modes_and_time_whatever_the_umask(datasite: Datasite, home: Path) -> None:
    home.chmod(0o700)
    old = os.umask(0o077)
    try:
        datasite.publish(BODY, 1_790_000_000_123)
    finally:
        os.umask(old)
    assert stat.S_IMODE(home.stat().st_mode) == 0o755
    for name in ("cpu_tracker.json", "syft.pub.yaml", "syftperm.yaml"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o644
    assert (home / "cpu_tracker.json").stat().st_mtime_ns == 1_790_000_000_123_000_000
    assert datasite.read_public() == BODY


def test_tampering_is_restored_and_named(datasite: Datasite, home: Path, tmp_path: Path) -> None:
    datasite.publish(BODY, 0)
    (home / "syftperm.yaml").write_text("- {path: '**', user: '*', permissions: [read]}\n")
    assert codes(datasite) == ["permissions_changed"]
    assert codes(datasite, fatal=True) == []
    assert datasite.write_permissions() == ("syftperm.yaml",)
    (home / "syft.pub.yaml").chmod(0o600)
    assert datasite.write_permissions() == ("syft.pub.yaml",)
    (home / "syft.pub.yaml").unlink()
    (tmp_path / "theirs").write_text(GO)
    (home / "syft.pub.yaml").symlink_to(tmp_path / "theirs")
    assert datasite.write_permissions() == ("syft.pub.yaml",)
    assert (tmp_path / "theirs").read_text() == GO
    assert codes(datasite) == []


@pytest.mark.parametrize("part", ["", "app_data", "app_data/cpu_tracker"])
def test_a_link_planted_at_any_component_redirects_nothing(root: Path, tmp_path: Path, part: str) -> None:
    datasite = Datasite(root, email=EMAIL, aggregators=(AGGREGATOR,), layout="datasites")
    datasite.publish(BODY, 0)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(root / part, elsewhere)
    before = {path: path.stat().st_mtime_ns for path in elsewhere.rglob("*")}
    (root / part).rename(tmp_path / "moved")
    (root / part).symlink_to(elsewhere)
    with pytest.raises(FolderError, match="is a link"):
        datasite.publish(b"{}", 0)
    assert "datasite_unusable" in codes(datasite, fatal=True)
    assert {path: path.stat().st_mtime_ns for path in elsewhere.rglob("*")} == before


def test_a_public_file_that_is_a_link_is_not_read_and_is_replaced(
    datasite: Datasite, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    (home / "cpu_tracker.json").symlink_to(tmp_path / "secret")
    with pytest.raises(FolderError, match="is a link"):
        datasite.read_public()
    datasite.publish(BODY, 0)
    assert datasite.read_public() == BODY
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_folder_deleted_under_us_is_reported_and_taken_up_again(datasite: Datasite, home: Path) -> None:
    datasite.publish(BODY, 0)
    shutil.rmtree(home)
    assert codes(datasite, fatal=True) == ["datasite_unusable"]
    with pytest.raises(FolderError, match="does not exist"):
        datasite.publish(BODY, 0)
    home.mkdir()
    datasite.publish(BODY, 0)
    assert (home / "cpu_tracker.json").read_bytes() == BODY


def test_a_folder_replaced_under_us_is_taken_up(datasite: Datasite, home: Path) -> None:
    datasite.publish(BODY, 0)
    home.rename(home.with_name("old"))
    home.mkdir()
    datasite.publish(b"{}", 0)
    assert (home / "cpu_tracker.json").read_bytes() == b"{}"
    assert (home.with_name("old") / "cpu_tracker.json").read_bytes() == BODY


def test_temps_of_a_crash_are_swept(datasite: Datasite, home: Path) -> None:
    (home / ".cpu_tracker.json.0123456789abcdef.tmp").write_text("half")
    datasite.publish(BODY, 0)
    assert sorted(path.name for path in home.iterdir()) == ["cpu_tracker.json", "syft.pub.yaml", "syftperm.yaml"]


@pytest.mark.parametrize(
    "name", ["cpu_tracker.conflict.json", "cpu_tracker.rejected.json", "cpu_tracker.syftrejected.json"]
)
def test_conflict_and_rejected_files_are_noticed(datasite: Datasite, home: Path, name: str) -> None:
    (home / name).write_text("{}")
    (finding,) = datasite.inspect()
    assert (finding.code, finding.fatal) == ("sync_conflict", False)
    assert name in finding.message


def test_somebody_elses_folder_is_fatal(datasite: Datasite, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    assert codes(datasite, fatal=True) == ["datasite_owner"]


def test_a_folder_that_cannot_be_written_is_fatal(datasite: Datasite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert codes(datasite, fatal=True) == ["datasite_not_writable"]


def test_a_folder_open_to_every_user_is_a_warning(datasite: Datasite, root: Path) -> None:
    root.chmod(0o777)
    assert codes(datasite, fatal=False) == ["datasite_mode"]


def test_a_leak_above_is_fatal_and_says_where(datasite: Datasite, root: Path) -> None:
    (root / "syftperm.yaml").write_text("- path: '**'\n  user: '*'\n  permissions: [read]\n")
    (finding,) = datasite.inspect()
    assert finding.code == "permissions_leak"
    assert f"{EMAIL}/syftperm.yaml, line 1: rule '**' lets anyone read" in finding.message


def test_leaving_takes_our_files_and_no_others(datasite: Datasite, home: Path) -> None:
    datasite.publish(BODY, 0)
    (home / "notes.txt").write_text("the owner's own")
    assert datasite.leave() == tuple(
        str(home / name) for name in ("cpu_tracker.json", "syft.pub.yaml", "syftperm.yaml")
    )
    assert [path.name for path in home.iterdir()] == ["notes.txt"]
    assert datasite.leave() == ()


def test_descriptors_are_given_back(datasite: Datasite, home: Path) -> None:
    datasite.publish(BODY, 0)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted only
    for _ in range(5):
        shutil.rmtree(home)
        home.mkdir()
        datasite.publish(BODY, 0)
        datasite.inspect()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - counted only
    datasite.close()
    assert len(os.listdir("/proc/self/fd")) == before - 1  # noqa: PTH208 - counted only
