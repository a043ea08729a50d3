from collections import namedtuple
from types import SimpleNamespace

import psutil
import pytest

from cpu_collector import times
from cpu_collector.errors import CountersError

NAMES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
VALUES = dict(zip(NAMES, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 0.5, 0.25), strict=True))


def test_fields_are_taken_by_name_in_whatever_order_psutil_has_them() -> None:
    today = namedtuple("today", NAMES)  # type: ignore[misc] # noqa: PYI024 - names known at run time only
    psutil8 = namedtuple("psutil8", sorted(NAMES))  # type: ignore[misc] # noqa: PYI024 - as above
    for fields in (today, psutil8):
        assert times.spent((0,) * 8, times.ticks(fields(**VALUES), 100)) == (2700, 3600)


def test_psutil_has_the_names_that_are_used() -> None:
    assert set(psutil.cpu_times()._fields) >= set(NAMES)


def test_an_old_kernel_lacks_the_newer_fields() -> None:
    old = SimpleNamespace(user=1.0, nice=2.0, system=3.0, idle=4.0)
    assert times.spent((0,) * 8, times.ticks(old, 100)) == (600, 1000)


@pytest.mark.parametrize("missing", ["user", "nice", "system", "idle"])
def test_the_fields_every_kernel_has_must_be_there(missing: str) -> None:
    cut = SimpleNamespace(**{name: value for name, value in VALUES.items() if name != missing})
    with pytest.raises(CountersError):
        times.ticks(cut, 100)


@pytest.mark.parametrize(
    ("busy", "total", "expected"),
    [(0, 20, 0), (1, 20, 500), (20, 20, 10_000), (1, 3, 3_333), (2, 3, 6_666), (30, 20, 10_000)],
)
def test_a_reading_is_in_hundredths_of_a_percent_rounded_down(busy: int, total: int, expected: int) -> None:
    assert times.reading(busy, total, 0, 10_000) == expected


def test_a_reading_is_clipped_to_the_bounds() -> None:
    assert [times.reading(busy, 20, 1_000, 6_000) for busy in (0, 2, 7, 12, 20)] == [1_000, 1_000, 3_500, 6_000, 6_000]
