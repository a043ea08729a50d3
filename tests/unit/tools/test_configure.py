"""Where `make up` finds the datasite, and what it writes into .env."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from configure import CONFIG_PLACES, ConfigureError, Place, check_owner, env_text, find_place, place_of
from env_file import parse_env

if TYPE_CHECKING:
    from pathlib import Path

EMAIL = "alice@example.com"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "SyftBox" / "datasites" / EMAIL).mkdir(parents=True)
    return tmp_path


def configure(home: Path, place: str = CONFIG_PLACES[0], **config: str) -> Path:
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


@pytest.mark.parametrize("place", CONFIG_PLACES)
@pytest.mark.parametrize("key", ["data_dir", "sync_folder"])
def test_every_place_and_older_name_is_read(home: Path, place: str, key: str) -> None:
    configure(home, place, **{key: str(home / "SyftBox"), "email": EMAIL, "server_url": "x"})
    assert find_place(home, {}) == Place(home / "SyftBox", EMAIL, "datasites")


def test_without_syftbox_there_is_no_place(home: Path) -> None:
    assert find_place(home, {}) is None


@pytest.mark.parametrize("written", ["~/SyftBox", "SyftBox"])
def test_a_data_dir_may_be_relative_to_the_home(home: Path, written: str) -> None:
    configure(home, data_dir=written, email=EMAIL)
    assert find_place(home, {}) == Place(home / "SyftBox", EMAIL, "datasites")


def test_the_environment_wins(home: Path) -> None:
    configure(home, data_dir="/nowhere", email="bob@example.com")
    elsewhere = configure(home, "elsewhere.json", data_dir="/nowhere/else", email="carol@example.com")
    own = {"SYFTBOX_DATA_DIR": str(home / "SyftBox"), "SYFTBOX_EMAIL": EMAIL}
    assert find_place(home, own) == Place(home / "SyftBox", EMAIL, "datasites")
    with pytest.raises(ConfigureError, match="of carol@"):
        find_place(home, {"SYFTBOX_CLIENT_CONFIG_PATH": str(elsewhere)})


def test_the_flat_layout_is_found(home: Path) -> None:
    (home / "Flat" / EMAIL).mkdir(parents=True)
    configure(home, data_dir=str(home / "Flat"), email=EMAIL)
    assert find_place(home, {}) == Place(home / "Flat", EMAIL, "flat")


def test_the_case_of_the_folder_is_kept(home: Path) -> None:
    """The Go client lower-cases its own address, the Python one does not."""
    configure(home, data_dir=str(home / "SyftBox"), email="Alice@Example.com")
    found = find_place(home, {})
    assert found is not None
    assert found.email == EMAIL
    (home / "SyftBox" / "datasites" / "Alice@Example.com").mkdir()
    exact = find_place(home, {})
    assert exact is not None
    assert exact.email == "Alice@Example.com"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "no JSON object"),
        ('{"email": "alice@example.com"}', "names no data_dir or no email"),
        ('{"data_dir": 5, "email": "alice@example.com"}', "names no data_dir or no email"),
        ('{"data_dir": "/nowhere", "email": "alice@example.com"}', "neither /nowhere/datasites/alice@example.com nor"),
    ],
)
def test_a_configuration_that_leads_nowhere_is_refused(home: Path, content: str, message: str) -> None:
    path = configure(home)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigureError, match=message):
        find_place(home, {})


def test_the_written_env_leads_back_to_the_place(home: Path) -> None:
    for layout, root in (("datasites", "SyftBox"), ("flat", "Syft Box")):
        place = Place(home / root, EMAIL, layout)
        place.datasite.mkdir(parents=True, exist_ok=True)
        values = parse_env(env_text(place, (1000, 1001)))
        assert place_of(values) == place
        assert (values["CPUTRACKER_UID"], values["CPUTRACKER_GID"]) == ("1000", "1001")


def test_the_embedded_default_sets_nothing() -> None:
    assert parse_env(env_text(None, None)) == {}
    assert place_of({}) is None
    assert place_of({"CPUTRACKER_EMAIL": "local@example.com"}) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"EMAIL": EMAIL}, "CPUTRACKER_DATA_DIR is not set"),
        ({"DATA_DIR": "/x"}, "CPUTRACKER_EMAIL is not"),
        ({"DATA_DIR": "x", "EMAIL": EMAIL}, "an absolute path"),
        ({"DATA_DIR": "/nowhere", "EMAIL": EMAIL}, "no datasite /nowhere/datasites/alice@example.com"),
        ({"DATA_DIR": "/nowhere", "EMAIL": EMAIL, "LAYOUT": "tall"}, "allowed: datasites, flat"),
    ],
)
def test_values_that_do_not_go_together_are_refused(values: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigureError, match=message):
        place_of({f"CPUTRACKER_{name}": text for name, text in values.items()})


@pytest.mark.parametrize(
    ("owner", "values", "message"),
    [
        ((0, 0), {}, r"sudo chown -R USER: '.*SyftBox'"),
        ((60711, 1000), {}, "the collector's own"),
        ((1000, 1000), {"CPUTRACKER_EMAIL": EMAIL}, "set CPUTRACKER_UID=1000 and CPUTRACKER_GID=1000"),
        ((1000, 1000), {"CPUTRACKER_UID": "1000", "CPUTRACKER_GID": "5"}, "belongs to 1000:1000"),
    ],
)
def test_an_owner_that_the_publisher_cannot_run_as(
    home: Path, owner: tuple[int, int], values: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigureError, match=message):
        check_owner(Place(home / "SyftBox", EMAIL, "datasites"), owner, values)


def test_the_owner_that_is_set_is_taken(home: Path) -> None:
    place = Place(home / "SyftBox", EMAIL, "datasites")
    check_owner(place, (1000, 1001), {"CPUTRACKER_UID": "1000", "CPUTRACKER_GID": "1001"})
    check_owner(place, (1000, 1001), {})  # before there is a .env
