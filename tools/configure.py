"""What `make up` writes into .env, and what may stand in there. Reads the files it is pointed at, writes nothing."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

EMBEDDED_EMAIL = "local@example.com"
CONFIG_PLACES = (
    ".syftbox/config.json",
    ".config/syftbox/config.json",
    ".syftbox/client_config.json",
    ".config/syftbox/client_config.json",
)
LAYOUTS = ("datasites", "flat")
COLLECTOR_UID, HANDOFF_GID = 60711, 60710
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


class ConfigureError(Exception):
    """Something a person has to mend; the message says what, where and how."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the owner's datasite is.

    Attributes:
        data_dir: the folder that holds `datasites` (or the datasites themselves) and `private`.
        email: the owner, as the folder is named.
        layout: `datasites` (`<data_dir>/datasites/<email>`) or `flat` (`<data_dir>/<email>`).
    """

    data_dir: Path
    email: str
    layout: str

    @property
    def datasite(self) -> Path:
        """The owner's datasite."""
        return (self.data_dir / "datasites" if self.layout == "datasites" else self.data_dir) / self.email

    @property
    def folders(self) -> tuple[tuple[Path, int], ...]:
        """The folders that must exist before anything is mounted, with their modes."""
        public, private = self.datasite / "app_data", self.data_dir / "private"
        return (public, 0o755), (public / "cpu_tracker", 0o755), (private, 0o755), (private / "cpu_tracker", 0o700)


def find_place(home: Path, environ: Mapping[str, str]) -> Place | None:
    """The datasite that SyftBox knows of, or None where there is no SyftBox.

    Its settings may lie in several places under several names, and the environment wins over all of them.

    Raises:
        ConfigureError: there is a configuration, but no datasite where it says.
    """
    named = environ.get("SYFTBOX_CLIENT_CONFIG_PATH")
    places = [home / place for place in CONFIG_PLACES] if not named else [home / named]
    path = next((place for place in places if place.is_file()), None)
    config = {} if path is None else _load(path)
    data_dir = environ.get("SYFTBOX_DATA_DIR") or config.get("data_dir") or config.get("sync_folder")
    email = environ.get("SYFTBOX_EMAIL") or config.get("email")
    if not data_dir and not email:
        return None
    source = path or "the environment (SYFTBOX_DATA_DIR, SYFTBOX_EMAIL)"
    if not isinstance(data_dir, str) or not isinstance(email, str) or not data_dir or not email:
        raise ConfigureError(f"{source} names no data_dir or no email; set both, or CPUTRACKER_DATA_DIR in .env")
    root = home / data_dir.replace("~", str(home), 1) if data_dir.startswith("~") else home / data_dir
    for layout in LAYOUTS:
        for name in dict.fromkeys((email, email.lower())):  # the Go client lower-cases its own address
            place = Place(root, name, layout)
            if place.datasite.is_dir():
                return place
    raise ConfigureError(
        f"{source} says that the datasite of {email} is in {root}, but neither {root / 'datasites' / email} nor"
        f" {root / email} exists; start the SyftBox client once, or set CPUTRACKER_DATA_DIR in .env"
    )


def env_text(place: Place | None, owner: tuple[int, int] | None) -> str:
    """The .env of a first `make up`: what was found, and nothing that has a default."""
    head = "# Written once by `make up`; yours to edit. Every setting: .env.example\n"
    if place is None:
        return f"{head}# No SyftBox was found: the embedded default, named volumes and {EMBEDDED_EMAIL}.\n"
    if owner is None:
        raise ConfigureError(f"the owner of {place.datasite} is not known")
    lines = {
        "CPUTRACKER_DATA_DIR": str(place.data_dir),
        "CPUTRACKER_EMAIL": place.email,
        "CPUTRACKER_UID": str(owner[0]),
        "CPUTRACKER_GID": str(owner[1]),
    }
    if place.layout != LAYOUTS[0]:
        lines["CPUTRACKER_LAYOUT"] = place.layout
    return head + "".join(f"{name}={_quoted(value)}\n" for name, value in lines.items())


def parse_env(text: str) -> dict[str, str]:
    """Names and values of a .env file as Compose reads it: comments, blank lines, optional quotes."""
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = re.fullmatch(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", stripped)
        if match is None:
            raise ConfigureError(f".env line {number} is no NAME=value: {stripped[:60]!r}")
        value = match[2].strip()
        quoted = re.fullmatch(r"'([^']*)'|\"([^\"]*)\"", value)
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
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigureError(f"{name} is no setting{hint} Every setting is in .env.example")
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


def place_of(values: Mapping[str, str]) -> Place | None:
    """The datasite that .env (or the environment) names; None for the embedded default.

    Raises:
        ConfigureError: the values do not go together, or there is no such datasite.
    """
    data_dir, email = values.get("CPUTRACKER_DATA_DIR"), values.get("CPUTRACKER_EMAIL")
    if not data_dir:
        if email and email != EMBEDDED_EMAIL:
            raise ConfigureError(
                f"CPUTRACKER_EMAIL is {email}, but CPUTRACKER_DATA_DIR is not set: set both or neither"
            )
        return None
    if not email:
        raise ConfigureError("CPUTRACKER_DATA_DIR is set, but CPUTRACKER_EMAIL is not: set both or neither")
    if not data_dir.startswith("/"):
        raise ConfigureError(f"CPUTRACKER_DATA_DIR is {data_dir!r}; allowed: an absolute path")
    layout = values.get("CPUTRACKER_LAYOUT") or LAYOUTS[0]
    if layout not in LAYOUTS:
        raise ConfigureError(f"CPUTRACKER_LAYOUT is {layout!r}; allowed: {', '.join(LAYOUTS)}")
    place = Place(Path(data_dir), email, layout)
    if not place.datasite.is_dir():
        raise ConfigureError(
            f"there is no datasite {place.datasite}: check CPUTRACKER_DATA_DIR, CPUTRACKER_EMAIL and CPUTRACKER_LAYOUT"
        )
    return place


def check_owner(place: Place, owner: tuple[int, int], values: Mapping[str, str]) -> None:
    """Refuse a datasite that the publisher could not, or must not, write as its owner.

    Args:
        place: where the datasite is.
        owner: its uid and gid.
        values: the settings in force; before there are any, an empty mapping.

    Raises:
        ConfigureError: says which command or setting mends it.
    """
    if owner[0] == 0:
        raise ConfigureError(
            f"{place.datasite} belongs to root, and the publisher never runs as root. Give it to the user who runs the"
            f" SyftBox client:\n  sudo chown -R USER: '{place.data_dir}'"
        )
    if owner[0] == COLLECTOR_UID:
        raise ConfigureError(f"{place.datasite} belongs to uid {COLLECTOR_UID}, which is the collector's own")
    told = tuple(values.get(f"CPUTRACKER_{name}") for name in ("UID", "GID"))
    if values and told != tuple(map(str, owner)):
        raise ConfigureError(
            f"{place.datasite} belongs to {owner[0]}:{owner[1]}, and the publisher must run as its owner: set"
            f" CPUTRACKER_UID={owner[0]} and CPUTRACKER_GID={owner[1]} in .env"
        )


def _load(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigureError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(document, dict):
        raise ConfigureError(f"{path} holds no JSON object")
    return document


def _quoted(value: str) -> str:
    return value if re.fullmatch(r"[\w@%+=:,./-]*", value) else f"'{value}'"
