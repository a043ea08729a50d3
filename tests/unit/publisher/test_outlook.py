"""The snapshot: what the outside may see, for each state, and nothing that shows load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.publisher.sim import START, Host, no_noise, quick_folder

from cpu_publisher import budget, outlook

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def host() -> Iterator[Host]:
    with no_noise(), quick_folder() as root:
        host = Host(root)
        yield host
        host.stop()


def test_before_the_first_release(host: Host) -> None:
    assert host.view().state == "starting"
    assert host.view().permissions_ok is None
    host.tick()
    view = host.view()
    assert (view.state, view.last, view.permissions_ok, view.spent_micro) == ("starting", None, True, 0)
    host.window()
    host.tick()
    assert host.view().next_due == START + 10
    assert host.view().pooled_windows == 1


def test_active(host: Host) -> None:
    host.run(3_600 + 400)
    view = host.view()
    assert view.state == "active"
    assert view.last is not None
    assert (view.last.kind, view.last.windows, view.last.windows_full, view.last.seq) == ("slot", 11, 12, 2)
    assert view.last.error95_pp == pytest.approx(budget.error95_pp(host.preset, 11))
    assert view.last.timestamp == "2026-11-24 13:00:10"
    assert view.spent_micro == 12_000_000
    assert view.cap_micro == 288_000_000
    assert 0 < view.delta_epsilon <= 12
    assert view.next_due == START + 7_210
    assert view.findings == ()
    assert view.collector_age_seconds is not None
    assert view.guarantee.startswith("Every published number")


@pytest.mark.parametrize("state", ["paused", "closed"])
def test_nothing_is_due_while_nothing_goes_out(host: Host, state: str) -> None:
    host.run(400)
    if state == "paused":
        host.pause()
        host.tick()
    else:
        host.stop()
        host.private.rename(host.root / "away")
        host.open()
        host.engine.tick()
    assert host.view().state == state
    assert host.view().next_due is None


def test_the_clock_behind_the_ledger_names_the_command_in_full(host: Host) -> None:
    host.run(3_700)
    host.clock.utc -= 86_400_000
    host.engine.tick()
    (finding,) = [f for f in host.view().findings if f.code == "clock_behind_ledger"]
    assert finding.message.endswith("run: cpu-publisher ledger accept clock_behind_ledger")
    assert finding.fatal


def test_isolation_off_is_a_warning_beside_everything() -> None:
    with quick_folder() as root:
        host = Host(root, {"ISOLATION": "off"})
        host.tick()
        (finding,) = host.view().findings
        assert (finding.code, finding.fatal) == ("isolation_off", False)
        assert not host.view().isolation
        host.stop()


def test_the_most_serious_comes_first(host: Host) -> None:
    host.public.write_text('{"cpu": 1, "timestamp": "2026-11-24 11:59:58"}')
    host.engine.tick()
    host.go(10_000_000)
    assert [f.fatal for f in host.view().findings] == [True, False]


def test_the_embedded_default_says_so() -> None:
    with quick_folder() as root:
        host = Host(root, {"EMAIL": ""})
        assert host.settings.embedded
        assert host.view().embedded
        host.stop()


def test_rows_of_the_last_24_hours_of_slots(host: Host) -> None:
    host.run(3_700)
    assert [row.kind for row in outlook.horizon(host.ledger, host.preset, host.clock)] == ["first", "slot"]
    host.clock.utc += 2 * 86_400_000
    assert len(outlook.horizon(host.ledger, host.preset, host.clock)) == 2, "a jump frees nothing"
    host.reboot()
    host.tick()
    assert outlook.horizon(host.ledger, host.preset, host.clock) == []
