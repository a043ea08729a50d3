"""`cpu-publisher`: the parser. Exit codes: 0 done, 1 something is wrong, 2 bad input, 3 not yet.

The other commands live in `commands`, imported when one is called: `run` stays for months and has no use for them.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sqlite3
import sys
from typing import TYPE_CHECKING

from cpu_publisher.errors import PublisherError, SettingsError
from cpu_publisher.settings import read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HELP = {
    "run": "publish until stopped",
    "status": "state, last release, budget, what is wrong",
    "audit": "who could read, write or replace our files, by each generation of SyftBox",
    "preview": "what each preset would show, before anything is enabled",
    "validate": "how far noise was from truth, from the private history",
    "ledger": "show or export the ledger; accept CODE: go on after it was closed",
    "pause": "publish nothing until resumed",
    "resume": "publish again",
    "leave": "remove the public and permission files",
}
OWN_PARSER = ("preview", "validate")  # they parse their own words


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run one command. Returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    args, rest = _parser().parse_known_args(words)
    if rest and args.command not in OWN_PARSER:
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        settings = read(environ)
        logging.basicConfig(
            level=settings.log_level.upper(), format="%(levelname)s %(name)s %(message)s", stream=sys.stderr
        )
        module = "app" if args.command == "run" else args.command if args.command in OWN_PARSER else "commands"
        loaded = importlib.import_module(f"cpu_publisher.{module}")
        if args.command == "run":
            return int(loaded.run(settings))
        if args.command in OWN_PARSER:
            return int(loaded.main(words[1:], settings))
        return int(loaded.COMMANDS[args.command](args, settings))
    except SettingsError as error:
        sys.stderr.write(f"cpu-publisher: {error}\n")
        return 2
    except (PublisherError, OSError, sqlite3.DatabaseError) as error:
        sys.stderr.write(f"cpu-publisher: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cpu-publisher", description="Publishes this machine's noisy CPU mean.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in HELP.items():
        command = commands.add_parser(name, help=text, add_help=name not in OWN_PARSER)
        if name in ("status", "audit", "leave"):
            command.add_argument("--json", action="store_true", help="as JSON")
        if name == "ledger":
            command.add_argument("action", choices=("show", "export", "accept"), nargs="?", default="show")
            command.add_argument("code", nargs="?", help="accept: the reason code that closed it")
            command.add_argument("--format", choices=("json", "csv"), default="json", help="export: json or csv")
            command.add_argument("--json", action="store_true", help="show: as JSON")
    return parser
