"""Which ledger may be used: its identity held against the public file, or a new one with what it must carry.

A restored backup, a second host and a cloned machine all look the same from here: the public file knows more than the
ledger, or something else. Then nothing is released until the owner says so (`cpu-publisher ledger accept CODE`).
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cpu_publisher import ledger_schema
from cpu_publisher.errors import LedgerError
from cpu_publisher.ledger import CARRIED, FOLLOWS, Identity, Ledger, Row
from cpu_publisher.ledger_schema import LEDGER_NAME
from cpu_publisher.slots import PPM, slot_of, timestamp
from cpu_publisher.view import Finding

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cpu_publisher.clock import Clock
    from cpu_publisher.release import Terms

OTHER_MODE = "ledger_other_mode"
BEHIND_CLOCK = "clock_behind_ledger"
ACCEPTABLE = ("ledger_corrupt", "ledger_other", "ledger_behind", "ledger_forked", BEHIND_CLOCK, OTHER_MODE)
_CORRUPT = f"{LEDGER_NAME}.corrupt-"
_ABOVE_ALL = 1 << 62  # seq of a public file that has none: never one of ours
_MISSING = Finding(
    "ledger_missing",
    "there was no ledger beside a public file: what was spent is not known, a whole day's budget counts as spent",
    fatal=False,
)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A public file: of the old app, of a ledger (its name and number), or neither."""

    old: bool = False
    ledger_id: str | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Birth:
    """What a new ledger is made from.

    Attributes:
        mode: `container` or `app`.
        randbelow: secure random integers, `secrets.randbelow`.
        token: secure random hex of 128 bits.
    """

    mode: str
    randbelow: Callable[[int], int]
    token: Callable[[], str]


def open_ledger(
    folder: Path, public: bytes | None, terms: Terms, clock: Clock, birth: Birth
) -> tuple[Ledger, tuple[Finding, ...]]:
    """The ledger of this private folder, made if there is none, and warnings about what stands in the public file.

    Call with the lock held.

    Raises:
        LedgerError: it may not be used; `code` says why, the message what to do.
    """
    path = folder / LEDGER_NAME
    born: tuple[Finding, ...] = ()
    if ledger_schema.is_missing(path):
        if aside := sorted(p.name for p in folder.glob(f"{_CORRUPT}*Z")):  # without its journal
            raise LedgerError(
                "ledger_corrupt",
                f"the ledger was damaged and is kept as {folder / aside[-1]};" + _go_on("ledger_corrupt"),
            )
        seen = _parse(public)
        carried = seen is not None and not seen.old
        _create(path, terms, clock, birth, carried=carried, public=public)
        born = (_MISSING,) if carried else ()
    try:
        ledger = Ledger(path)
    except LedgerError as error:
        if error.code != "ledger_corrupt":
            raise
        aside_path = path.with_name(_CORRUPT + _stamp(clock))
        _move(path, aside_path)
        raise LedgerError("ledger_corrupt", f"{error}; kept as {aside_path};" + _go_on("ledger_corrupt")) from error
    try:
        _check_mode(ledger, birth.mode)
        return ledger, (*born, *check_public(ledger, public))
    except LedgerError:
        ledger.close()
        raise


def _check_mode(ledger: Ledger, mode: str) -> None:
    """Locks do not cross the VM of Docker Desktop, so the second kind of publisher is refused by the ledger."""
    if ledger.identity.mode != mode:
        raise LedgerError(
            OTHER_MODE,
            f"this ledger is kept by the {ledger.identity.mode} publisher and this is the {mode} one: use that one, or"
            f" stop it for good and run: cpu-publisher ledger accept {OTHER_MODE}",
        )


def check_public(ledger: Ledger, public: bytes | None) -> tuple[Finding, ...]:
    """Hold the public file against the ledger; warnings about a file that is nobody's.

    Raises:
        LedgerError: `ledger_behind`, `ledger_forked` or `ledger_other`: somebody else publishes, or did.
    """
    seen = _parse(public)
    if seen is None:
        return ()
    if seen.old:
        return (
            Finding(
                "public_file_foreign",
                "the public file is of the old app: it is replaced at the next release;"
                " stop the old app if it still runs",
                fatal=False,
            ),
        )
    if seen.ledger_id is None:
        return (
            Finding(
                "public_file_foreign", "the public file cannot be read: it is replaced at the next release", fatal=False
            ),
        )
    if ledger.follows == _digest(public or b""):
        return ()
    code, newest = "", ledger.newest_body()
    if seen.ledger_id != ledger.identity.ledger_id:
        code, what = "ledger_other", "the public file comes from another ledger (a second host, or a reinstall)"
    elif newest is None or seen.seq > newest[0]:
        code, what = "ledger_behind", "the public file is newer than the ledger (a restored backup, or a second host)"
    elif seen.seq == newest[0] and not ledger.has_body(newest[0], public or b""):
        code, what = "ledger_forked", "the public file has this ledger's number but other contents (a cloned machine)"
    if code:
        raise LedgerError(
            code,
            f"{what}: nothing is released. Make sure that no other machine publishes for this e-mail;" + _go_on(code),
        )
    return ()


def check_clock(ledger: Ledger, clock: Clock) -> None:
    """Refuse to go on while the last release lies in a later slot than now.

    Raises:
        LedgerError: `clock_behind_ledger`: the clock was stepped back, or was wrong when that was released.
    """
    last = ledger.last()
    if last is not None and slot_of(clock.utc_ms(), last.slot_seconds) < last.slot:
        raise LedgerError(
            BEHIND_CLOCK,
            f"the clock is behind the last release ({timestamp(1_000 * last.slot)} UTC): nothing is released until it"
            " has caught up. Set the clock, or, if it was wrong before," + _go_on(BEHIND_CLOCK),
        )


def accept(folder: Path, code: str, public: bytes | None, *, terms: Terms, clock: Clock, birth: Birth) -> str:
    """The owner's word that publishing may go on after `code`; returns what was done. Call with the lock held.

    A new ledger begins with a whole day's ε counted as spent, for what was spent elsewhere cannot be known; the old
    one is kept aside. Only a change of mode keeps the ledger: nothing is unknown there.
    """
    path = folder / LEDGER_NAME
    if code == OTHER_MODE:
        ledger = Ledger(path)
        ledger.set_mode(birth.mode)
        ledger.close()
        return f"the ledger is now kept by the {birth.mode} publisher"
    kept = ""
    if path.exists():
        aside = path.with_name(f"{LEDGER_NAME}.aside-{_stamp(clock)}")
        _move(path, aside)
        kept = f"; the old one is kept as {aside}"
    _create(path, terms, clock, birth, carried=True, public=public)
    return f"a new ledger begins, with a whole day's budget counted as spent{kept}"


def _create(path: Path, terms: Terms, clock: Clock, birth: Birth, *, carried: bool, public: bytes | None) -> None:
    """Make the new ledger beside its place, complete, and then put it there."""
    identity = Identity(birth.token(), birth.randbelow(PPM + 1), birth.randbelow(PPM), birth.mode)
    meta = {name: getattr(identity, name) for name in Identity.__slots__}
    fresh = path.with_name(f"{LEDGER_NAME}.new")
    _move(fresh, None)
    ledger_schema.create(fresh, {**meta, FOLLOWS: _digest(public) if public is not None else ""})
    if carried:
        ledger = Ledger(fresh)
        with ledger.transaction():
            ledger.insert(_carried(terms, clock), ())
        ledger.close()
    _move(path, None)
    _move(fresh, path)


def _carried(terms: Terms, clock: Clock) -> Row:
    preset, now = terms.preset, clock.utc_ms()
    return Row(
        seq=0,
        slot=slot_of(now, preset.slot_seconds),
        slot_seconds=preset.slot_seconds,
        kind=CARRIED,
        mode="",
        k=0,
        noisy_sum=None,
        scale=0.0,
        spend_micro=terms.cap_micro,
        unit=preset.unit,
        preset=preset.name,
        epsilon=preset.epsilon,
        due_ms=now,
        boot_id=clock.boot_id(),
        boot_ms=clock.boot_ms(),
    )


def _move(path: Path, target: Path | None) -> None:
    """Move a ledger with its journal (a journal left behind would be played into the next one), or remove both."""
    for ending in ("-journal", ""):
        source = path.with_name(path.name + ending)
        if not source.exists():
            continue
        if target is None:
            source.unlink()
        else:
            source.rename(target.with_name(target.name + ending))
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _parse(public: bytes | None) -> _Seen | None:
    """What the public file says of its ledger; None without a file."""
    if public is None:
        return None
    try:
        document = json.loads(public)
    except (ValueError, RecursionError):
        return _Seen()
    if not isinstance(document, dict):
        return _Seen()
    if "ledger_id" not in document:
        return _Seen(old={"cpu", "timestamp"} <= document.keys())
    seq = document.get("seq")
    return _Seen(ledger_id=str(document["ledger_id"]), seq=seq if type(seq) is int else _ABOVE_ALL)


def _digest(public: bytes) -> str:
    return hashlib.sha256(public).hexdigest()


def _stamp(clock: Clock) -> str:
    return datetime.fromtimestamp(clock.utc_ms() / 1_000, UTC).strftime("%Y%m%dT%H%M%SZ")


def _go_on(code: str) -> str:
    return f" to go on with a whole day's budget counted as spent, run: cpu-publisher ledger accept {code}"
