"""`make up`: from a fresh clone to a published value, or to the reason why not."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from configure import ConfigureError, Place, check_owner, env_text, find_place, place_of
from engine import ROOT, base_image, compose, require_engine, say, states
from env_file import check, known_names, parse_env
from first_release import bound_seconds, wait

if TYPE_CHECKING:
    from cpu_publisher.settings import Settings

ENV = ROOT / ".env"
HOST_PORT = 8765
PUBLIC = "app_data/cpu_tracker/cpu_tracker.json"


def main() -> int:
    """Run it. Returns the exit code."""
    try:
        require_engine()
        values = settings()
        of_container = of_publisher(values)
        place = place_of(values)
        prepare(place, values)
        build(values.get("BASE_IMAGE", ""))
        if states().get("publisher", {}).get("State") != "running":
            say("\n" + compose("run", "--rm", "--no-deps", "-T", "publisher", "preview", "--consent").strip() + "\n")
        compose("up", "--detach", "--no-build", "--remove-orphans")
        address = f"http://127.0.0.1:{values.get('CPUTRACKER_HOST_PORT') or HOST_PORT}"
        file = place.datasite / PUBLIC if place else f"{PUBLIC} in a volume: the embedded default, nobody else sees it"
        return wait(address, bound_seconds(of_container), str(file))
    except ConfigureError as error:
        sys.stderr.write(f"make up: {error}\n")
        return 1


def settings() -> dict[str, str]:
    """The settings in force: .env (written once, if there is none) under the environment.

    Raises:
        ConfigureError: a name is no setting, or a value is not allowed.
    """
    known = known_names((ROOT / ".env.example").read_text(encoding="utf-8"))
    given = {name: text for name, text in os.environ.items() if name.startswith("CPUTRACKER_") or name in known}
    check(given, known)
    if not ENV.exists():
        place = place_of(given) or find_place(home(), os.environ)
        if place:
            check_owner(place, owner_of(place), {})
        ENV.write_text(env_text(place, owner_of(place) if place else None), encoding="utf-8")
        what = f"the datasite {place.datasite}" if place else "the embedded default, no SyftBox found"
        say(f"wrote {ENV.name}: {what}")
    values = {**parse_env(ENV.read_text(encoding="utf-8")), **given}
    check(values, known)
    return values


def of_publisher(values: dict[str, str]) -> Settings:
    """The publisher's view of them, by its own rules, before anything is built or started.

    Raises:
        ConfigureError: names the setting, its value and what is allowed.
    """
    sys.path.append(str(ROOT / "publisher"))
    from cpu_publisher import errors  # noqa: PLC0415 - found only now
    from cpu_publisher import settings as publisher  # noqa: PLC0415 - as above

    try:
        return publisher.read({name: text for name, text in values.items() if name in publisher.NAMES})
    except errors.SettingsError as error:
        raise ConfigureError(str(error)) from None


def owner_of(place: Place) -> tuple[int, int]:
    """Uid and gid of a datasite."""
    status = place.datasite.stat()
    return status.st_uid, status.st_gid


def home() -> Path:
    """The home of the person: under sudo, of who typed it."""
    return Path(f"~{os.environ.get('SUDO_USER', '')}").expanduser()


def prepare(place: Place | None, values: dict[str, str]) -> None:
    """Make the folders that are mounted, as the datasite's owner.

    Raises:
        ConfigureError: the publisher must not run as the datasite's owner, or a folder cannot be made.
    """
    if place is None:
        return
    owner = owner_of(place)
    check_owner(place, owner, values)
    for folder, mode in place.folders(mirror="compose.mirror.yml" in values.get("COMPOSE_FILE", "")):
        if folder.is_symlink():
            raise ConfigureError(f"{folder} is a link: replace it by a folder")
        try:
            if not folder.exists():
                make_folder(folder, mode, owner)
            elif folder.name == "cpu_tracker" and folder.stat().st_uid != owner[0]:
                give = f"sudo chown -R {owner[0]}:{owner[1]} '{folder}'"
                raise ConfigureError(f"{folder} does not belong to the datasite's owner:\n  {give}")
        except OSError as error:
            raise ConfigureError(f"cannot make {folder}: {error.strerror}; make it as the datasite's owner") from None


def make_folder(folder: Path, mode: int, owner: tuple[int, int]) -> None:
    """Make one folder with this mode and owner. Run by root in a user's folder, it follows no link."""
    folder.mkdir(mode=0o700)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(descriptor, *owner)
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def build(base: str = "") -> None:
    """Build what is not built, on `base` or what there is; the engine's cache makes a second time short.

    One after the other: two at once would each make the layers that they share, and the next build would find those of
    one only, so that it makes the other's once more.
    """
    say("building the two images (the first time takes a minute or two)")
    chosen = base or base_image()
    for service in ("collector", "publisher"):
        compose("build", "--quiet", service, env={"BASE_IMAGE": chosen})


if __name__ == "__main__":
    sys.exit(main())
