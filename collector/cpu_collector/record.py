"""Wire record v1: one window as one line (docs/wire-contract.md)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cpu_collector.settings import Settings
    from cpu_collector.window import Window


def encode(window: Window, settings: Settings) -> bytes:
    """The line, its line feed included. Written by hand: integers alone need no `json`, and the bytes are fixed so."""
    return (
        f'{{"v":1,"started_at_ms":{window.started_at_ms},"boot_ms":{window.boot_ms},"span_ms":{window.span_ms},'
        f'"n":{settings.n},"interval_ms":{settings.interval_ms},"lower":{settings.lower},"upper":{settings.upper},'
        f'"mean":{window.mean}}}\n'
    ).encode("ascii")
