"""`make up` up to the engine: settings, folders, refusals."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import up
from configure import ConfigureError, Place, place_of

EMAIL = "alice@example.com"
EXAMPLE = Path(__file__).resolve().parents[3] / ".env.example"
OWNER = (os.getuid() or 1000, os.getgid() or 1000)  # root gives the datasite away, as `sudo make up` meets it


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A work tree with nothing but .env.example, and a home with a SyftBox folder."""
    for name in [name for name in os.environ if name.startswith(("CPUTRACKER_", "SYFTBOX_", "COMPOSE_", "SUDO_"))]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    datasite = home / "SyftBox" / "datasites" / EMAIL
    datasite.mkdir(parents=True)
    for folder in (home / "SyftBox", datasite.parent, datasite):
        os.chown(folder, *OWNER)
    (home / ".syftbox").mkdir()
    (home / ".syftbox" / "config.json").write_text(f'{{"data_dir": "~/SyftBox", "email": "{EMAIL}"}}', encoding="utf-8")
    shutil.copy(EXAMPLE, tmp_path)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(up, "ROOT", tmp_path)
    monkeypatch.setattr(up, "ENV", tmp_path / ".env")
    return tmp_path


def test_env_is_written_once_and_never_again(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = up.settings()
    assert values["CPUTRACKER_EMAIL"] == EMAIL
    assert f"wrote .env: the datasite {root}/home/SyftBox/datasites/{EMAIL}" in capsys.readouterr().out
    (root / ".env").write_text("CPUTRACKER_PRESET=window\n", encoding="utf-8")
    assert up.settings() == {"CPUTRACKER_PRESET": "window"}
    assert (root / ".env").read_text(encoding="utf-8") == "CPUTRACKER_PRESET=window\n"


def test_the_environment_wins_over_env(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CPUTRACKER_PRESET", "window")
    (root / ".env").write_text("CPUTRACKER_PRESET=day\nCPUTRACKER_EPSILON=2\n", encoding="utf-8")
    assert up.settings() == {"CPUTRACKER_PRESET": "window", "CPUTRACKER_EPSILON": "2"}


def test_a_data_dir_of_the_environment_is_written_down(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "home" / ".syftbox" / "config.json").unlink()
    monkeypatch.setenv("CPUTRACKER_DATA_DIR", str(root / "home" / "SyftBox"))
    monkeypatch.setenv("CPUTRACKER_EMAIL", EMAIL)
    assert up.settings()["CPUTRACKER_UID"] == str(OWNER[0])


@pytest.mark.parametrize("name", ["CPUTRACKER_EPSILLON", "CPUTRACKER_PORT"])
def test_an_unknown_name_leaves_everything_as_it_was(root: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigureError, match=f"{name} is no setting"):
        up.settings()
    assert not (root / ".env").exists()


def test_a_datasite_of_root_is_refused_before_anything_is_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "owner_of", lambda _: (0, 0))
    with pytest.raises(ConfigureError, match="sudo chown -R USER:"):
        up.settings()
    assert not (root / ".env").exists()


def test_values_are_judged_by_the_publishers_own_rules() -> None:
    assert up.of_publisher({"CPUTRACKER_PRESET": "window", "CPUTRACKER_HOST_PORT": "1"}).preset.name == "window"
    with pytest.raises(ConfigureError, match=r"CPUTRACKER_EPSILON is 'abc'; allowed: a number from 0\.001 to 100"):
        up.of_publisher({"CPUTRACKER_EPSILON": "abc"})


@pytest.mark.parametrize("mirror", [False, True])
def test_the_folders_are_made_for_the_owner(root: Path, *, mirror: bool) -> None:
    values = {**up.settings(), "COMPOSE_FILE": "docker-compose.yml:compose.mirror.yml" if mirror else ""}
    place = place_of(values)
    assert place is not None
    up.prepare(place, values)
    for folder, mode in place.folders(mirror=mirror):
        status = folder.stat()
        assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (mode, *OWNER)
    assert (place.datasite / "api_data" / "cpu_tracker").exists() is mirror
    before = {path: path.stat() for path in place.data_dir.rglob("*")}
    up.prepare(place, values)
    assert {path: path.stat() for path in place.data_dir.rglob("*")} == before


def test_a_link_is_not_followed(root: Path) -> None:
    values = up.settings()
    place = place_of(values)
    assert place is not None
    elsewhere = root / "elsewhere"
    elsewhere.mkdir()
    (place.datasite / "app_data").symlink_to(elsewhere)
    with pytest.raises(ConfigureError, match="is a link"):
        up.prepare(place, values)
    assert not list(elsewhere.iterdir())


def test_a_folder_of_another_owner_is_refused_with_the_command(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(root / "home" / "SyftBox", EMAIL, "datasites")
    made = place.datasite / "app_data" / "cpu_tracker"
    made.mkdir(parents=True)
    monkeypatch.setattr(up, "owner_of", lambda _: (4_242, 4_243))
    with pytest.raises(ConfigureError, match=f"sudo chown -R 4242:4243 '{made}'"):
        up.prepare(place, {"CPUTRACKER_UID": "4242", "CPUTRACKER_GID": "4243"})
