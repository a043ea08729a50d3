"""The kernel's CPU counters through psutil: the only module that touches it."""

from __future__ import annotations

import os

import psutil

from cpu_collector import times
from cpu_collector.errors import CountersError

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# What psutil raises on a stat file that is absent, cut short, or holds other things than numbers.
_UNREADABLE = (OSError, ValueError, TypeError, IndexError)


def use(procfs: str) -> None:
    """Read from `procfs` from now on; psutil keeps the path in a module attribute."""
    psutil.PROCFS_PATH = procfs


def read() -> times.Ticks:
    """The line of all CPUs together (which survives hotplug), in ticks.

    Own state and own differences on purpose: psutil's `cpu_percent` keeps its last counters per thread and its first
    answer covers the time since import; its `cpu_times_percent` is wrong below one second (psutil issue 1586).

    Raises:
        CountersError: unreadable, or no counters.
    """
    try:
        seconds = psutil.cpu_times()
    except _UNREADABLE as error:
        raise CountersError(f"{psutil.PROCFS_PATH}/stat cannot be read as counters: {type(error).__name__}") from None
    return times.ticks(seconds, TICKS_PER_SECOND)


def cpus() -> int:
    """How many CPUs that file lists now.

    Raises:
        CountersError: none, or unreadable.
    """
    try:
        number = len(psutil.cpu_times(percpu=True))
    except _UNREADABLE as error:
        raise CountersError(f"{psutil.PROCFS_PATH}/stat cannot be read as counters: {type(error).__name__}") from None
    if number == 0:
        raise CountersError(f"{psutil.PROCFS_PATH}/stat lists no CPU")
    return number
