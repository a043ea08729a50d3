"""`cpu-publisher status`: what the running publisher says of itself, beside what the ledger holds. Changes nothing."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from cpu_publisher import budget, guarantee, outlook
from cpu_publisher.errors import LedgerError
from cpu_publisher.ledger import Ledger
from cpu_publisher.ledger_schema import LEDGER_NAME, is_missing
from cpu_publisher.release import spent_micro
from cpu_publisher.slots import phase_ms, slot_due_ms, slot_of, timestamp

if TYPE_CHECKING:
    from cpu_publisher.clock import Clock
    from cpu_publisher.release import Terms
    from cpu_publisher.settings import Settings

STOPPED = "stopped"


def collect(settings: Settings, terms: Terms, clock: Clock) -> dict[str, Any]:
    """State, last release and budget as one JSON-able object.

    `state` is the running publisher's, or `stopped`; `last` is null before the first release; `next_due` is unix
    seconds, null unless releases go on.
    """
    state, ready, findings = _ask(settings.port)
    preset = terms.preset
    answer: dict[str, Any] = {
        "state": state,
        "ready": ready,
        "findings": findings,
        "preset": preset.name,
        "email": settings.email,
        "aggregators": list(settings.aggregators),
        "embedded": settings.embedded,
        "public_path": str(settings.datasite_dir / "app_data" / "cpu_tracker" / "cpu_tracker.json"),
        "guarantee": guarantee.sentence(preset, terms.cap_micro),
        "last": None,
        "next_due": None,
        "epsilon_24h_spent": 0.0,
        "epsilon_24h_cap": terms.cap_micro / budget.MICRO,
    }
    path = settings.private_dir / LEDGER_NAME
    if is_missing(path, read_only=True):
        return answer
    try:
        ledger = Ledger(path, read_only=True)
    except LedgerError as error:
        answer["findings"].append({"code": error.code, "status": "fail", "message": str(error)})
        return answer
    try:
        rows = outlook.horizon(ledger, preset, clock)
        answer["epsilon_24h_spent"] = spent_micro(rows, terms.cap_micro) / budget.MICRO
        answer["ledger_id"] = ledger.identity.ledger_id
        if (row := ledger.last()) and row.noisy_sum is not None:
            answer["last"] = asdict(outlook.last_release(row, preset))
        if state in ("active", "starting"):
            answer["next_due"] = _next_due(settings, terms, clock, ledger) / 1_000
    finally:
        ledger.close()
    return answer


def text(answer: dict[str, Any]) -> str:
    """The same for a person."""
    last = answer["last"]
    lines = [
        f"state      {answer['state']}{'' if answer['ready'] else ' (not ready)'}",
        f"preset     {answer['preset']}",
    ]
    if last:
        lines.append(
            f"last       {last['cpu']:.1f} % ± {last['error95_pp']:.0f} (95 %), {last['kind']},"
            f" {last['windows']} of {last['windows_full']} windows, due {last['timestamp']} UTC, number {last['seq']}"
        )
    else:
        lines.append("last       nothing published yet")
    if answer["next_due"]:
        lines.append(f"next       {timestamp(round(1_000 * answer['next_due']))} UTC")
    lines.append(
        f"ε spent    {answer['epsilon_24h_spent']:g} of {answer['epsilon_24h_cap']:g} at full range, last 24 h of slots"
    )
    readers = "in a volume that nothing syncs" if answer["embedded"] else f"read by {', '.join(answer['aggregators'])}"
    lines.append(f"file       {answer['public_path']}, {readers}")
    lines += [f"{finding['status']:<10} {finding['message']}" for finding in answer["findings"]]
    return "\n".join(lines)


def _next_due(settings: Settings, terms: Terms, clock: Clock, ledger: Ledger) -> int:
    preset, now = terms.preset, clock.utc_ms()
    phase = phase_ms(preset.sample_seconds, ledger.identity.phase_ppm)
    delay = round(1_000 * settings.publish_delay_seconds)
    slot = slot_of(now, preset.slot_seconds)
    before = slot_due_ms(slot - preset.slot_seconds, preset.slot_seconds, delay, phase)
    return before if before > now else slot_due_ms(slot, preset.slot_seconds, delay, phase)


def _ask(port: int) -> tuple[str, bool, list[dict[str, str]]]:
    """State, readiness and findings of the publisher of this container, by its own /readyz on loopback."""
    url = f"http://127.0.0.1:{port}/readyz"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is behind no proxy
    try:
        try:
            reply = direct.open(url, timeout=5)
        except urllib.error.HTTPError as error:
            reply = error
        with reply:
            report = json.load(reply)
        ready, state = reply.status == HTTPStatus.OK, report["description"]
    except (OSError, ValueError, http.client.HTTPException, KeyError, TypeError):
        return STOPPED, False, []  # nobody there, or another program
    found = [
        {"code": code, "status": check["status"], "message": check["output"]}
        for code, checks in report.get("checks", {}).items()
        for check in checks
        if "output" in check
    ]
    return state, ready, found
