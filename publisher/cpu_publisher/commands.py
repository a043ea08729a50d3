"""The commands of `cpu-publisher` that are not `run`: each takes the parsed words and the settings, returns a code."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from cpu_publisher import app, export, guard, outlook, reconcile
from cpu_publisher import status as status_of
from cpu_publisher.clock import SystemClock
from cpu_publisher.datasite import Datasite
from cpu_publisher.engine import terms_of
from cpu_publisher.errors import LedgerError, LockedError, SettingsError
from cpu_publisher.ledger import Ledger
from cpu_publisher.ledger_schema import LEDGER_NAME, is_missing
from cpu_publisher.pool import POOL_NAME
from cpu_publisher.private import PrivateFolder
from cpu_publisher.release import spent_micro

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from cpu_publisher.settings import Settings


def status(args: argparse.Namespace, settings: Settings) -> int:
    """State, last release and budget."""
    answer = status_of.collect(settings, terms_of(settings), SystemClock())
    _say(json.dumps(answer, indent=2, ensure_ascii=False) if args.json else status_of.text(answer))
    return 0 if answer["ready"] else 1


def audit(args: argparse.Namespace, settings: Settings) -> int:
    """Who can read, write or replace our files."""
    report = guard.report(
        settings.datasite_dir,
        email=settings.email,
        aggregators=settings.aggregators,
        layout=settings.layout,
        mirror=settings.mirror,
    )
    _say(json.dumps(report, indent=2, ensure_ascii=False) if args.json else _audit_text(report))
    return 0 if report["ok"] else 1


def ledger(args: argparse.Namespace, settings: Settings) -> int:
    """Show, export, or accept a new beginning."""
    terms, clock = terms_of(settings), SystemClock()
    if args.action == "accept":
        return _accept(args.code, settings)
    path = settings.private_dir / LEDGER_NAME
    if is_missing(path, read_only=True):
        raise SettingsError(f"there is no ledger in {settings.private_dir} yet: nothing was released")
    ledger = Ledger(path, read_only=True)
    try:
        if args.action == "export":
            _say(export.as_csv(ledger) if args.format == "csv" else export.as_json(ledger))
        else:
            rows = outlook.horizon(ledger, terms.preset, clock)
            numbers = export.summary(ledger, rows, spent_micro(rows, terms.cap_micro), terms.cap_micro)
            _say(json.dumps(numbers, indent=2) if args.json else "\n".join(f"{k:<26} {v}" for k, v in numbers.items()))
    finally:
        ledger.close()
    return 0


def _accept(code: str | None, settings: Settings) -> int:
    if code not in reconcile.ACCEPTABLE:
        raise SettingsError(f"ledger accept needs the code that closed it: {', '.join(reconcile.ACCEPTABLE)}")
    terms, clock, birth = terms_of(settings), SystemClock(), app.birth_of(settings)
    with _locked(settings) as (private, datasite):
        public = datasite.read_public()
        try:
            ledger, _ = reconcile.open_ledger(settings.private_dir, public, terms, clock, birth)
            found = "nothing"
            with closing(ledger):
                reconcile.check_clock(ledger, clock)
        except LedgerError as error:
            found = error.code
        if found != code:
            raise SettingsError(f"the ledger is closed by {found}, not by {code}: nothing was changed")
        done = reconcile.accept(settings.private_dir, code, public, terms=terms, clock=clock, birth=birth)
        private.folder.remove(POOL_NAME)
    _wake(settings)
    _say(done)
    return 0


def pause(args: argparse.Namespace, settings: Settings) -> int:
    """Set or clear the owner's pause flag."""
    private = PrivateFolder(settings.private_dir)
    paused = args.command == "pause"
    private.set_paused(paused)
    _wake(settings)
    _say("paused: the last value stays, nothing new is published" if paused else "resumed: the next slot is published")
    return 0


def leave(args: argparse.Namespace, settings: Settings) -> int:
    """Take the public and permission files away; say what stays."""
    with _locked(settings) as (_, datasite):
        removed = datasite.leave()
    stays = (
        f"{settings.private_dir}: ledger, newest raw mean and history, for you alone; delete the folder to lose them"
    )
    if args.json:
        _say(json.dumps({"removed": list(removed), "stays": stays}, indent=2))
    else:
        _say("\n".join([*(f"removed {path}" for path in removed), f"stays   {stays}"]))
        _say("What others already copied cannot be taken back.")
    return 0


@contextmanager
def _locked(settings: Settings) -> Iterator[tuple[PrivateFolder, Datasite]]:
    """The private folder with its lock, and the datasite, for a command that changes what a publisher rests on."""
    private = PrivateFolder(settings.private_dir)
    lock = private.lock(settings.mode)
    datasite = Datasite(
        settings.datasite_dir,
        email=settings.email,
        aggregators=settings.aggregators,
        layout=settings.layout,
        mirror=settings.mirror,
    )
    try:
        yield private, datasite
    finally:
        datasite.close()
        lock.release()


def _wake(settings: Settings) -> None:
    """Let the running publisher look at once, where its process can be reached; else it does at its next turn."""
    private = PrivateFolder(settings.private_dir)
    try:
        private.lock(settings.mode).release()
    except LockedError:
        pass
    else:
        return  # nobody holds it: the number in the file may be any process by now
    holder = (private.folder.read("lock", 64) or b"").decode("ascii", "replace")
    found = re.fullmatch(r"pid (\d+), mode (\w+)\s*", holder)
    if found and found[2] == settings.mode and int(found[1]) != os.getpid():
        try:
            os.kill(int(found[1]), signal.SIGHUP)
        except (ProcessLookupError, PermissionError):
            return


def _say(text: str) -> None:
    sys.stdout.write(text.rstrip("\n") + "\n")


def _audit_text(report: dict[str, Any]) -> str:
    lines = [
        f"{generation}: " + "; ".join(f"{act} {', '.join(names) or 'nobody'}" for act, names in acts.items())
        for generation, acts in report["who"].items()
    ]
    lines += [f"{path}: {state}" for path, state in report["own_files"].items()]
    lines += [f"LEAK  {leak['message']}" for leak in report["leaks"]]
    return "\n".join([*lines, *report["notes"], "ok" if report["ok"] else "not as it must be"])


COMMANDS = {"status": status, "audit": audit, "ledger": ledger, "pause": pause, "resume": pause, "leave": leave}
