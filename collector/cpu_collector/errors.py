"""The collector's errors. Each message says what is wrong, where, and what to do; none carries a CPU value."""

from __future__ import annotations


class CollectorError(Exception):
    """Base of everything the collector raises on purpose."""


class SettingsError(CollectorError):
    """A setting is unknown, missing, malformed or does not go with the others."""


class IsolationError(CollectorError):
    """The collector runs as a user that leaves no wall between it and the publisher."""


class HandoffError(CollectorError):
    """The hand-off socket or the heartbeat file cannot be made."""


class CountersError(CollectorError):
    """The kernel's counters are unreadable, or are no counters (lxcfs garbage, NaN)."""


class WindowDroppedError(CollectorError):
    """A window is not plausible and is never handed on.

    Attributes:
        reason: `counters`, `implausible`, `late` or `suspended`; nothing that shows load.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"window dropped: {reason}")
        self.reason = reason


class StoppedError(CollectorError):
    """SIGTERM or SIGINT came while waiting; an unfinished window is forgotten."""
