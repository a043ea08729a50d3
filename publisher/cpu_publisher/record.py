"""Wire record v1: strict decoding of one line into a window (docs/wire-contract.md)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Window:
    """One accepted window.

    Attributes:
        started_at_ms: unix time of its start.
        boot_ms: CLOCK_BOOTTIME of its start.
        span_ms: how long it took.
        mean: window mean in hundredths of a percent; never shown by repr.
    """

    started_at_ms: int
    boot_ms: int
    span_ms: int
    mean: int = field(repr=False)

    @property
    def ended_at_ms(self) -> int:
        """Unix time of its end."""
        return self.started_at_ms + self.span_ms

    @property
    def boot_end_ms(self) -> int:
        """CLOCK_BOOTTIME of its end."""
        return self.boot_ms + self.span_ms
