"""The publisher's errors. Each message says what is wrong, where, and what to do; none carries a CPU value."""

from __future__ import annotations


class PublisherError(Exception):
    """Base of everything the publisher raises on purpose."""


class SettingsError(PublisherError):
    """A setting is unknown, malformed or does not go with the others."""


class NoiseError(PublisherError):
    """OpenDP cannot be loaded, or its map says more than the ε that was asked for. Nothing is published."""


class RecordRejectedError(PublisherError):
    """A wire record was refused.

    Attributes:
        reason: one of the fixed reason codes of docs/wire-contract.md; the line itself is never kept.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"record rejected: {reason}")
        self.reason = reason


class FolderError(PublisherError):
    """A folder or file is missing, unsafe (a link, wrong owner or mode) or cannot be written."""


class LedgerError(PublisherError):
    """The ledger cannot be trusted or used.

    Attributes:
        code: short fixed reason for `/readyz` and the log.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class LockedError(PublisherError):
    """Another publisher holds the lock of this private folder."""


class HandoffError(PublisherError):
    """The collector's socket is absent, not the collector's, or talks out of turn."""
