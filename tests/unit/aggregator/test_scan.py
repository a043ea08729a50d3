"""The tree that others write: nothing followed, nothing but small regular files, unchanged ones not read again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.aggregator.sites import HOUR, PLACE, SLOT, put, raw

from cpu_aggregator import policy
from cpu_aggregator.body import Reader
from cpu_aggregator.errors import TreeError
from cpu_aggregator.reasons import CODES
from cpu_aggregator.scan import Scanner
from cpu_aggregator.store import ABSENT, Store
from cpu_aggregator.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

LATER = 4_000_000_000.0  # no file of a test is younger: none counts as still changing
CLOSED = SLOT - HOUR
ALICE = "alice@example.com"


def scanner(root: Path, *, openat2: bool = True, accepted: tuple[str, ...] = ("hour",)) -> Scanner:
    return Scanner(Tree(root, openat2=openat2), Reader(policy.make(accepted, ())), Store())


def look(one: Scanner, *, now: float = LATER, newest: int = SLOT) -> dict[str, str]:
    """One scan: name -> code."""
    one.scan(now=now, newest=newest, closed=CLOSED)
    return {
        os.fsdecode(name): CODES[one.store.code[row]]
        for name, row in one.store.index.items()
        if one.store.code[row] != ABSENT
    }


@pytest.fixture(params=[True, False], ids=["openat2", "walk"])
def openat2(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_both_layouts_and_the_old_place(tmp_path: Path, openat2: bool) -> None:
    for root in (tmp_path / "nested" / "datasites", tmp_path / "flat"):
        put(root, ALICE, raw())
        put(root, "bob@example.com", raw(), place="api_data/cpu_tracker/cpu_tracker.json")
        (root / "carol@example.com" / "public").mkdir(parents=True)
        (root / "no-datasite" / "app_data").mkdir(parents=True)
        (root / ".hidden@example.com").mkdir()
    expected = {ALICE: "waiting", "bob@example.com": "waiting"}
    assert look(scanner(tmp_path / "nested", openat2=openat2)) == expected
    assert look(scanner(tmp_path / "flat", openat2=openat2)) == expected


def test_the_new_place_wins_over_the_old(tmp_path: Path) -> None:
    put(tmp_path, ALICE, raw(cpu=1.0))
    put(tmp_path, ALICE, raw(cpu=2.0), place="api_data/cpu_tracker/cpu_tracker.json")
    one = scanner(tmp_path)
    look(one)
    assert list(one.pending[SLOT].cpu) == [1.0]


def plant_file_link(site: Path, outside: Path) -> None:
    file = site / PLACE
    file.unlink()
    file.symlink_to(outside / PLACE)


def plant_folder_link(site: Path, outside: Path) -> None:
    (site / PLACE).unlink()
    (site / "app_data" / "cpu_tracker").rmdir()
    (site / "app_data" / "cpu_tracker").symlink_to((outside / PLACE).parent)


def plant_top_link(site: Path, outside: Path) -> None:
    (site / PLACE).unlink()
    (site / "app_data" / "cpu_tracker").rmdir()
    (site / "app_data").rmdir()
    (site / "app_data").symlink_to(outside / "app_data")


def plant_site_link(site: Path, outside: Path) -> None:
    site.rename(site.with_name("moved"))
    site.symlink_to(outside)


def plant_relative_link(site: Path, outside: Path) -> None:
    file = site / PLACE
    file.rename(file.with_name("other.json"))
    file.symlink_to("other.json")
    assert outside.exists()


def plant_folder_link_within_the_tree(site: Path, outside: Path) -> None:
    """Another participant's file under one's own name: nothing leaves the tree, and yet it is no file of theirs."""
    plant_folder_link(site, outside)
    link = site / "app_data" / "cpu_tracker"
    link.unlink()
    put(site.parent, "bob", raw())
    link.symlink_to("../../bob/app_data/cpu_tracker")


@pytest.mark.parametrize(
    "plant",
    [
        plant_file_link,
        plant_folder_link,
        plant_folder_link_within_the_tree,
        plant_top_link,
        plant_site_link,
        plant_relative_link,
    ],
)
def test_no_link_is_followed_wherever_it_stands(
    tmp_path: Path, openat2: bool, plant: Callable[[Path, Path], None]
) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    put(tmp_path, "outside", raw())
    put(root, ALICE, raw())
    plant(root / ALICE, outside)
    assert look(scanner(root, openat2=openat2)) == {ALICE: "link"}


def test_a_link_to_a_system_file_is_not_opened(tmp_path: Path, openat2: bool) -> None:
    path = put(tmp_path, ALICE, raw())
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert look(scanner(tmp_path, openat2=openat2)) == {ALICE: "link"}


def test_a_fifo_does_not_hold_the_round_up(tmp_path: Path, openat2: bool) -> None:
    path = put(tmp_path, ALICE, raw())
    path.unlink()
    os.mkfifo(path)
    assert look(scanner(tmp_path, openat2=openat2)) == {ALICE: "kind_of_file"}


def test_a_folder_a_device_and_an_unreadable_place(tmp_path: Path, openat2: bool) -> None:
    path = put(tmp_path, ALICE, raw())
    path.unlink()
    path.mkdir()
    (tmp_path / "bob@example.com").write_bytes(b"a file where a datasite is")
    assert look(scanner(tmp_path, openat2=openat2)) == {ALICE: "kind_of_file"}


def test_a_million_bytes_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, ALICE, raw() + b" " * 1_000_000)
    monkeypatch.setattr("os.read", None)
    assert look(scanner(tmp_path)) == {ALICE: "size"}


def test_hostile_names_are_datasites_like_any_other(tmp_path: Path, openat2: bool) -> None:
    names = [
        "a\nb@example.com",
        "<script>@example.com",
        "a'\"&@example.com",
        "@",
        "a" * 240 + "@example.com",
        "\u202e@x",
    ]
    for name in names:
        put(tmp_path, name, raw())
    broken = tmp_path / os.fsdecode(b"\xff\xfe@example.com")
    put(tmp_path, broken.name, raw())
    assert look(scanner(tmp_path, openat2=openat2)) == dict.fromkeys([*names, broken.name], "waiting")


def test_what_did_not_change_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, ALICE, raw())
    put(tmp_path, "broken@example.com", b"{")
    one = scanner(tmp_path)
    look(one)
    with monkeypatch.context() as patched:
        patched.setattr("os.read", None)
        assert look(one) == {ALICE: "waiting", "broken@example.com": "json"}
        assert look(one, newest=SLOT + HOUR) == {ALICE: "waiting", "broken@example.com": "json"}
    put(tmp_path, ALICE, raw(seq=6, slot=SLOT + HOUR))
    put(tmp_path, "broken@example.com", raw())
    assert look(one) == {ALICE: "waiting", "broken@example.com": "waiting"}
    assert sorted(one.pending) == [SLOT, SLOT + HOUR]


def test_a_file_changed_just_now_is_read_again_for_it_may_change_within_the_same_tick(tmp_path: Path) -> None:
    path = put(tmp_path, ALICE, b"{")
    one = scanner(tmp_path)
    changed = path.stat().st_ctime
    assert one.scan(now=changed, newest=SLOT, closed=CLOSED) == [ALICE.encode()]
    assert one.store.key[0] == 0
    assert look(one, now=changed + 5) == {ALICE: "json"}
    assert one.store.key[0] != 0


def test_a_half_written_file_is_looked_at_again(tmp_path: Path) -> None:
    path = put(tmp_path, ALICE, b"")
    one = scanner(tmp_path)
    changed = path.stat().st_ctime
    torn = one.scan(now=changed, newest=SLOT, closed=CLOSED)
    assert torn == [ALICE.encode()]
    path.write_bytes(raw())  # in place, as some clients do
    one.look_again(torn, now=changed, closed=CLOSED)
    assert CODES[one.store.code[0]] == "waiting"


def test_vanished_datasites_are_known_no_more_and_give_their_rows_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cpu_aggregator.scan._MOST_GONE", 2)
    for number in range(8):
        put(tmp_path, f"u{number}@example.com", raw(windows=12 if number in {0, 7} else 3))
    one = scanner(tmp_path)
    look(one)
    for number in range(7):
        (tmp_path / f"u{number}@example.com").rename(tmp_path / f"gone{number}")
    assert look(one) == {"u7@example.com": "waiting"}
    assert len(one.store.index) == 2  # u0's value still waits for its result
    assert [one.store.code[row] == ABSENT for row in one.pending[SLOT].row].count(True) == 1
    (tmp_path / "gone0").rename(tmp_path / "u0@example.com")
    assert look(one) == {"u0@example.com": "waiting", "u7@example.com": "waiting"}
    assert len(one.pending[SLOT].row) == 2


def test_a_file_that_goes_is_forgotten(tmp_path: Path) -> None:
    path = put(tmp_path, ALICE, raw())
    one = scanner(tmp_path)
    look(one)
    path.unlink()
    assert look(one) == {}


def test_a_missing_root_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(TreeError, match="CPUTRACKER_DATASITES_DIR"):
        look(scanner(tmp_path / "nowhere"))


def test_descriptors_do_not_leak(tmp_path: Path, openat2: bool) -> None:
    for number, content in enumerate((raw(), b"", b"{", raw() + b" " * 9_000)):
        put(tmp_path, f"u{number}@example.com", content)
    (put(tmp_path, "link@example.com", b"x")).unlink()
    (tmp_path / "link@example.com" / PLACE).symlink_to("/etc/passwd")
    one = scanner(tmp_path, openat2=openat2)
    look(one)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        one.store.key[:] = type(one.store.key)("q", [0] * len(one.store.key))
        look(one)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
