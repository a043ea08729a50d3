"""`cpu-aggregator`: run, once, plan, export. Exit 0 done, 1 something is wrong (said on stderr), 2 wrong usage."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cpu_aggregator import __version__, export, plan, plan_picture, policy, service, settings
from cpu_aggregator.clock import SystemClock
from cpu_aggregator.errors import AggregatorError
from cpu_aggregator.publish import stamp
from cpu_aggregator.snapshot import snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cpu_aggregator.clock import Clock
    from cpu_aggregator.view import View

RANGES = {"1h": 3_600, "24h": 86_400, "7d": 7 * 86_400, "90d": 90 * 86_400, "all": 2**40}


def main(
    arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None, clock: Clock | None = None
) -> int:
    """The program. Arguments, environment and clock default to the process's own."""
    given = _parser().parse_args(arguments)
    clock = clock or SystemClock()
    try:
        if given.command == "plan":
            return _plan(given)
        chosen = settings.read(os.environ if environ is None else environ)
        logging.basicConfig(level=chosen.log_level.upper(), format="%(levelname)s %(message)s", stream=sys.stderr)
        if given.command == "run":
            return service.run(chosen, clock)
        return _once(chosen, clock, as_json=given.json) if given.command == "once" else _export(chosen, clock, given)
    except AggregatorError as error:
        sys.stderr.write(f"cpu-aggregator: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cpu-aggregator", description="Averages what participants published.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="rounds and page until SIGTERM; settings from the environment")
    once = commands.add_parser("once", help="one round: read, compute what is due, publish, say how things stand")
    once.add_argument("--json", action="store_true", help="the whole snapshot")
    planned = commands.add_parser("plan", help="how sure the mean of so many participants would be")
    planned.add_argument("--participants", type=_positive, required=True, metavar="N")
    planned.add_argument("--preset", choices=sorted(policy.PRESETS), default="hour")
    planned.add_argument("--want", type=_above_zero, metavar="PP", help="also: how many participants ± PP needs")
    planned.add_argument("--smoothing-seconds", type=_above_zero, help="time constant; default 6 slots")
    planned.add_argument("--spread", type=_above_zero, default=plan.SPREAD_PP, help="spread of hosts' means, pp")
    shape = planned.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true")
    shape.add_argument("--html", type=Path, metavar="FILE", help="write a picture, self-contained, no script")
    exported = commands.add_parser("export", help="results of every slot")
    exported.add_argument("--format", choices=("csv", "json"), default="csv")
    exported.add_argument("--json", action="store_const", dest="format", const="json", help="the same as --format json")
    exported.add_argument("--range", choices=tuple(RANGES), default="7d")
    return parser


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 10**9:
        raise argparse.ArgumentTypeError("a whole number from 1 to 1000000000")
    return int(text)


def _above_zero(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 10**9:
        raise argparse.ArgumentTypeError("a number above 0")
    return value


def _once(chosen: settings.Settings, clock: Clock, *, as_json: bool) -> int:
    with service.opened(chosen, clock) as aggregator:
        aggregator.round(service.public_page)
        view = snapshot(aggregator, RANGES["24h"])
    sys.stdout.write(export.view_json(view) if as_json else _words(view))
    for finding in view.findings:
        sys.stderr.write(f"cpu-aggregator: {finding.code}: {finding.message}\n")
    return 1 if view.fatal else 0


def _words(view: View) -> str:
    lines = [f"{view.state}: {view.known} datasites with a file, {view.active} active"]
    if view.result and view.result.estimate:
        e = view.result.estimate
        sampling = "" if e.total_pp is None else f", ± {e.total_pp:.2f} noise and sampling"
        lines.append(
            f"network mean {e.headline:.2f} % ± {e.noise_pp:.2f} noise{sampling} (95 %), plain {e.plain:.2f}, median"
            f" {e.median:.2f}, {view.result.n} counted, slot {stamp(view.result.slot)} UTC"
        )
    lines += [f"  {count:6} {code}" for code, count in view.reasons.items()]
    return "\n".join((*lines, view.policy_words, ""))


def _plan(given: argparse.Namespace) -> int:
    preset = policy.PRESETS[given.preset]
    smoothing = given.smoothing_seconds or settings.SMOOTHED_SLOTS * preset.slot_seconds
    rows = plan.rows(preset, given.participants, smoothing, given.spread)
    b = preset.scale_pp(preset.windows_full)
    words = (
        f"Preset {preset.name}: b {b:.3g} pp for a full slot of {preset.slot_seconds} s; half-widths of 95 % intervals"
        f" in points; smoothed over {smoothing:g} s; hosts' means taken to spread by {given.spread:g} pp."
    )
    wanted = None
    if given.want:
        raw, smooth = plan.needed(preset, given.want), plan.needed(preset, given.want, smoothing)
        wanted = {"want_pp": given.want, "participants": raw, "participants_smoothed": smooth}
        words += f" ± {given.want:g} from noise needs {raw:,} participants, smoothed {smooth:,}."
    if given.json:
        document = {
            "preset": preset.name,
            "b_pp": b,
            "slot_seconds": preset.slot_seconds,
            "smoothing_seconds": smoothing,
            "spread_pp": given.spread,
            "rows": [row._asdict() for row in rows],
            "needed": wanted,
        }
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return 0
    if given.html:
        try:
            given.html.write_text(plan_picture.page(f"How sure: {preset.name}", words, rows), encoding="utf-8")
        except OSError as error:
            raise AggregatorError(f"cannot write {given.html} ({error.strerror})") from None
        return 0
    lines = [words, f"{'participants':>12} {'± noise':>9} {'smoothed':>9} {'and sampling':>13}"]
    for row in rows:
        total = "-" if row.total_pp is None else f"{row.total_pp:.3g}"
        lines.append(f"{row.participants:>12,} {row.noise_pp:>9.3g} {row.smoothed_pp:>9.3g} {total:>13}")
    sys.stdout.write("\n".join((*lines, "")))
    return 0


def _export(chosen: settings.Settings, clock: Clock, given: argparse.Namespace) -> int:
    with service.history_of(chosen) as history:
        now = clock.utc()
        points = history.points(now - RANGES[given.range], now)
    sys.stdout.write(export.to_csv(points) if given.format == "csv" else export.to_json(points))
    return 0
