"""The aggregator's errors. Each message says what is wrong, where, and what to do."""

from __future__ import annotations


class AggregatorError(Exception):
    """Base of everything the aggregator raises on purpose."""


class SettingsError(AggregatorError):
    """A setting is unknown, malformed or does not go with the others."""


class TreeError(AggregatorError):
    """The folder of all datasites is missing or cannot be read."""


class HistoryError(AggregatorError):
    """The history cannot be opened, read or written; the last published result stays as it is."""


class PublishError(AggregatorError):
    """The result cannot be written to the aggregator's own public folder."""


class BodyRefusedError(AggregatorError):
    """A public file is not what the contract says.

    Attributes:
        reason: a code of `cpu_aggregator.reasons`; the content itself is never kept.
        preset: name of the preset when that alone is why it was refused, else "".
        scale_pp: its declared scale when it could be averaged under a wider policy (same slot length), else 0.
    """

    def __init__(self, reason: str, preset: str = "", scale_pp: float = 0.0) -> None:
        super().__init__(f"public file refused: {reason}")
        self.reason = reason
        self.preset = preset
        self.scale_pp = scale_pp


class LockedError(AggregatorError):
    """Another aggregator runs on this state folder."""
