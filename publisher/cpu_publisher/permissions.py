"""The exact texts of the two permission files. Pure.

SyftBox has had three generations: today's read `syft.pub.yaml`, the Python 0.4 line read `syftperm.yaml`. Each treats
the other's file as ordinary payload, so every rule names the one file it opens. `type: disallow` is never used in
`syftperm.yaml`: syft-core turns it into a grant to everyone.

E-mail case: users are compared case-sensitively, but the Go client lower-cases its own e-mail. An address with upper
case is therefore written as given and in lower case: both spellings are one mailbox at every provider we know of.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DATA_NAME = "cpu_tracker.json"
GO_NAME = "syft.pub.yaml"
PY04_NAME = "syftperm.yaml"
# A plain YAML scalar for certain; anything else is put in single quotes.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9][A-Za-z0-9.-]*")


def spellings(emails: Iterable[str]) -> tuple[str, ...]:
    """Each address as given and, where it differs, in lower case; no repeats."""
    return tuple(dict.fromkeys(form for email in emails for form in (email, email.lower())))


def go_text(readers: Iterable[str]) -> str:
    """`syft.pub.yaml`: `readers` may read the data file, nobody but the owner anything else."""
    names = ", ".join(_scalar(name) for name in spellings(readers))
    return f"""terminal: true
rules:
- pattern: {DATA_NAME}
  access: {{admin: [], write: [], read: [{names}]}}
- pattern: '**'
  access: {{admin: [], write: [], read: []}}
"""


def py04_text(owner: str, readers: Iterable[str]) -> str:
    """`syftperm.yaml`: the owner may do everything, `readers` may read the data file."""
    rules = [("'**'", name, "admin, create, write, read") for name in spellings([owner])]
    rules += [(DATA_NAME, name, "read") for name in spellings(readers)]
    return "".join(f"- path: {path}\n  user: {_scalar(user)}\n  permissions: [{what}]\n" for path, user, what in rules)


def texts(owner: str, readers: Iterable[str], layout: str) -> Mapping[str, str]:
    """Name -> text of the permission files of a layout: `flat` (today's line) knows only `syft.pub.yaml`."""
    readers = tuple(readers)
    files = {GO_NAME: go_text(readers)}
    if layout != "flat":
        files[PY04_NAME] = py04_text(owner, readers)
    return files


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else "'" + text.replace("'", "''") + "'"
