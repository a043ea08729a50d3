"""The file .env: its text, the names that may stand in it, and the values of those that no container checks. Pure."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from configure import COLLECTOR_UID, ConfigureError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

HANDOFF_GID = 60710
_ID = (1, 2**32 - 2)
# Settings that only Compose and `make up` read, with what is allowed: the containers check all the others.
_WHOLE = {
    "CPUTRACKER_UID": _ID,
    "CPUTRACKER_GID": _ID,
    "CPUTRACKER_HOST_PORT": (1, 65_535),
    "CPUTRACKER_AGGREGATOR_UID": _ID,
    "CPUTRACKER_AGGREGATOR_GID": _ID,
    "CPUTRACKER_AGGREGATOR_HOST_PORT": (1, 65_535),
}
_NAMES = ("CPUTRACKER_PROJECT", "CPUTRACKER_IMAGES")


def parse_env(text: str) -> dict[str, str]:
    """Names and values of a .env file as Compose reads it: comments, blank lines, optional quotes."""
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = re.fullmatch(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)", stripped)
        if match is None:
            raise ConfigureError(f".env line {number} is no NAME=value: {stripped[:60]!r}")
        value = match[2].strip()
        quoted = re.fullmatch(r"(?:'([^']*)'|\"([^\"]*)\")(?:\s+#.*)?", value)
        found[match[1]] = (quoted[1] or quoted[2] or "") if quoted else re.sub(r"\s+#.*$", "", value)
    return found


def known_names(example: str) -> frozenset[str]:
    """Every setting that .env.example lists, set or commented out."""
    return frozenset(re.findall(r"^#?\s?([A-Z_]+)=", example, flags=re.MULTILINE))


def check(values: Mapping[str, str], known: Collection[str]) -> None:
    """Refuse a name that is no setting (a typing error would silently leave a default in force) or a bad host value.

    Raises:
        ConfigureError: names the setting, its value and what is allowed.
    """
    for name, value in values.items():
        if name.startswith("CPUTRACKER_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise ConfigureError(f"{name} is no setting{hint}; every setting is in .env.example")
        if not value:
            continue
        if name in _WHOLE and not (
            re.fullmatch(r"\d{1,10}", value) and _WHOLE[name][0] <= int(value) <= _WHOLE[name][1]
        ):
            low, high = _WHOLE[name]
            raise ConfigureError(f"{name} is {value!r}; allowed: a whole number from {low} to {high}")
        if name in _NAMES and not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", value):
            raise ConfigureError(f"{name} is {value!r}; allowed: lower case letters, digits, - and _")
    if values.get("CPUTRACKER_UID") == str(COLLECTOR_UID) or values.get("CPUTRACKER_GID") == str(HANDOFF_GID):
        raise ConfigureError(
            f"CPUTRACKER_UID and CPUTRACKER_GID must not be {COLLECTOR_UID} and {HANDOFF_GID}: the collector's own"
        )
