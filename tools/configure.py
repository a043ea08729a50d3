"""What `make up` writes into .env, and what may stand in there. Reads the files it is pointed at, writes nothing."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

EMBEDDED_EMAIL = "local@example.com"
CONFIG_PLACES = (
    ".syftbox/config.json",
    ".config/syftbox/config.json",
    ".syftbox/client_config.json",
    ".config/syftbox/client_config.json",
)
LAYOUTS = ("datasites", "flat")
COLLECTOR_UID = 60711


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

    def folders(self, *, mirror: bool) -> tuple[tuple[Path, int], ...]:
        """The folders that must exist before anything is mounted, with their modes, parents first."""
        public, private = self.datasite / "app_data", self.data_dir / "private"
        made = (public, 0o755), (public / "cpu_tracker", 0o755), (private, 0o755), (private / "cpu_tracker", 0o700)
        old = self.datasite / "api_data"
        return (*made, (old, 0o755), (old / "cpu_tracker", 0o755)) if mirror else made


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
    if "'" in value or "\n" in value:
        raise ConfigureError(f"{value!r} cannot stand in .env: rename the folder, or set CPUTRACKER_DATA_DIR yourself")
    return value if re.fullmatch(r"[\w@%+=:,./-]*", value) else f"'{value}'"
