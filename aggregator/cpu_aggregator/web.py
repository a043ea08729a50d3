"""HTTP routes of the aggregator: page, exports, health and metrics. Nothing here changes state.

The Host header is checked against DNS rebinding, no cross-origin header is ever sent, and only GET and HEAD exist.
"""

from __future__ import annotations

import json
import logging
import re
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING

from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException

from cpu_aggregator import export, metrics, page

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from cpu_aggregator.view import View

log = logging.getLogger(__name__)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
METHODS = ("GET", "HEAD")
MOST_POINTS = 120  # keeps the page under 40 kB; the exports have every slot
EVERY_SLOT = 0
_HOST = re.compile(r"([a-z0-9.-]+|\[[0-9a-f:]+\])(?::\d{1,5})?")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_TYPES = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml"}


def create_app(snapshot: Callable[[int, int], View], allowed_hosts: tuple[str, ...]) -> Flask:
    """The aggregator's web application.

    Args:
        snapshot: (range_seconds, most_points; 0 for every slot) -> view; called once a request, from any thread.
        allowed_hosts: names, without port, that the Host header may carry beside the loopback ones.
    """
    app = Flask(__name__, static_folder=None, template_folder=None)
    hosts = LOOPBACK | set(allowed_hosts)
    app.before_request(lambda: _refusal(hosts))
    app.after_request(_harden)
    app.register_error_handler(Exception, _plain_error)

    def view(most_points: int) -> View:
        chosen = request.args.get("range", page.DEFAULT_RANGE)
        if chosen not in page.RANGES:
            abort(404)
        found = snapshot(page.RANGES[chosen], most_points)
        if chosen not in page.ranges(found.slot_seconds):
            abort(404)
        return found

    routes: dict[str, Callable[[], Response]] = {
        "/": lambda: _page(view(MOST_POINTS)),
        "/export.csv": lambda: _download("csv", "text/csv; charset=utf-8", export.to_csv(view(EVERY_SLOT).history)),
        "/export.json": lambda: _download("json", "application/json", export.to_json(view(EVERY_SLOT).history)),
        "/livez": lambda: _health({"status": "pass"}),
        "/readyz": lambda: _health(ready(view(1))),
        "/healthz": lambda: _health(ready(view(1))),
        "/metrics": lambda: Response(metrics.exposition(view(1)), content_type=metrics.CONTENT_TYPE),
    }
    # From memory: no path of a request ever reaches the disk.
    for file in (resources.files("cpu_aggregator") / "static").iterdir():
        routes[f"/static/{file.name}"] = partial(_file, file.read_bytes(), _TYPES[file.name.rpartition(".")[2]])
    for path, answer in routes.items():
        app.add_url_rule(path, path, answer)
    return app


def ready(view: View) -> dict[str, object]:
    """The health report (draft-inadarei-api-health-check-06): every finding, and how the result stands."""
    status = "fail" if view.fatal else "warn" if view.findings or view.state == "stale" else "pass"
    checks: dict[str, list[dict[str, str]]] = {}
    for f in view.findings:
        checks.setdefault(f.code, []).append({"status": "fail" if f.fatal else "warn", "output": f.message})
    return {
        "status": status,
        "version": view.version,
        "description": view.state,
        "checks": checks,
    }


def _refusal(hosts: AbstractSet[str]) -> Response | None:
    """The answer to a request that must go no further: another site's name, or a method that could change something."""
    host = _HOST.fullmatch(request.environ.get("HTTP_HOST", "").lower())
    if host is None or host[1] not in hosts:
        return _plain(421, "Misdirected Request: this name is not served here")
    if request.method not in METHODS:
        answer = _plain(405, "Method Not Allowed")
        answer.headers["Allow"] = ", ".join(METHODS)
        return answer
    return None


def _harden(answer: Response) -> Response:
    answer.headers.update(_HEADERS)
    return answer


def _plain_error(error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.code is not None:
        return _plain(error.code, error.name)
    log.error("request failed: %s", type(error).__name__)
    return _plain(500, "Internal Server Error")


def _page(view: View) -> Response:
    answer = Response(page.render(view), content_type="text/html; charset=utf-8")
    answer.headers["Refresh"] = str(page.refresh_seconds(view))
    return answer


def _download(kind: str, content_type: str, content: str) -> Response:
    answer = Response(content, content_type=content_type)
    answer.headers["Content-Disposition"] = f"attachment; filename=network_cpu.{kind}"
    return answer


def _health(report: dict[str, object]) -> Response:
    content = json.dumps(report, ensure_ascii=False) + "\n"
    return Response(content, 503 if report["status"] == "fail" else 200, content_type="application/health+json")


def _file(content: bytes, kind: str) -> Response:
    return Response(content, content_type=kind)


def _plain(code: int, text: str) -> Response:
    return Response(f"{text}\n", code, content_type="text/plain; charset=utf-8")
