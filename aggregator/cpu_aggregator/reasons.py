"""Fixed codes for what happened to a datasite's file, and what each means in words. Nothing else names a reason."""

from __future__ import annotations

from typing import Literal

Group = Literal["counted", "waiting", "warming_up", "late", "stale", "refused"]

# code -> (group, words). The order is that of the page; the position is the code's number in the store.
_CODES: dict[str, tuple[Group, str]] = {
    "counted": ("counted", "its value is in the newest result"),
    "waiting": ("waiting", "good value for a slot whose result is not due yet"),
    "warming_up": ("warming_up", "fewer than half of its slot's windows: too coarse to average"),
    "first": ("warming_up", "the first window of a new participant, alone: too coarse to average"),
    "late": ("late", "came after its slot's result was computed"),
    "stale": ("stale", "no release for 2.5 slots"),
    "preset": ("refused", "preset is not one of this network's policy"),
    "legacy": ("refused", "old two-key file; the policy does not list legacy"),
    "empty": ("refused", "file is empty (being written, or broken)"),
    "size": ("refused", "file is larger than 4 KiB"),
    "link": ("refused", "a symbolic link on the way to the file"),
    "kind_of_file": ("refused", "not a regular file"),
    "unreadable": ("refused", "cannot be opened or read"),
    "json": ("refused", "not one JSON object in UTF-8"),
    "fields": ("refused", "a field is missing, unknown or repeated"),
    "type": ("refused", "a field has the wrong type"),
    "schema": ("refused", "schema is not one this aggregator knows"),
    "value": ("refused", "a field's value is not allowed"),
    "timestamp": ("refused", "timestamp is malformed or not its slot's"),
    "slot": ("refused", "slot does not fit the preset's slot length"),
    "windows": ("refused", "more windows than its slot has"),
    "scale": ("refused", "declared noise is not what preset and windows demand"),
    "guarantee": ("refused", "declared guarantee or sampling is not the preset's"),
    "range": ("refused", "value lies further out than noise can carry it (20 b)"),
    "future": ("refused", "its slot has not ended yet"),
    "seq_back": ("refused", "release number went back within its ledger"),
    "slot_back": ("refused", "slot went back, or another value for a slot it has released already"),
}
CODES: tuple[str, ...] = tuple(_CODES)
NUMBER: dict[str, int] = {code: number for number, code in enumerate(CODES)}
GROUP: dict[str, Group] = {code: group for code, (group, _) in _CODES.items()}
WORDS: dict[str, str] = {code: words for code, (_, words) in _CODES.items()}
