"""The golden files of the contract, for the tests of every package.

`golden/wire/*.json` and `golden/public/index.json` name each file with what is special about it and what a reader must
say of it. A public file that is too long to keep is made here from `valid/hour-slot.json`, padded with blanks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Public:
    """One golden public file.

    Attributes:
        file: its path below golden/public, e.g. `broken/cpu-nan.json`.
        data: its bytes.
        why: what tests/contract/strict_reader.py says of a broken one; None: nothing is wrong with it.
        what: what is special about it, in words.
        strict_only: broken for our own output, while a reader of others' files may let it pass.
    """

    file: str
    data: bytes
    why: str | None
    what: str
    strict_only: bool

    @property
    def group(self) -> str:
        """`valid`, `legacy` (the old app's two keys) or `broken`."""
        return self.file.partition("/")[0]


def public(group: str | None = None) -> list[Public]:
    """Every golden public file, or those of a group."""
    files = [_public(entry) for entry in json.loads((GOLDEN / "public" / "index.json").read_bytes())]
    return [file for file in files if group in {None, file.group}]


def public_bytes(name: str) -> bytes:
    """Bytes of one of them, e.g. `valid/hour-slot`."""
    return (GOLDEN / "public" / f"{name}.json").read_bytes()


def wire(kind: str) -> list[dict[str, Any]]:
    """Golden wire records of kind `accept` or `reject`: the entries of the index, each with its bytes as `line`."""
    entries = json.loads((GOLDEN / "wire" / f"{kind}.json").read_bytes())
    return [{**entry, "line": (GOLDEN / "wire" / entry["file"]).read_bytes()} for entry in entries]


def _public(entry: dict[str, Any]) -> Public:
    if "made_bytes" in entry:
        data = public_bytes("valid/hour-slot").ljust(entry["made_bytes"])
    else:
        data = (GOLDEN / "public" / entry["file"]).read_bytes()
    return Public(entry["file"], data, entry["why"], entry["what"], entry.get("strict_only", False))
