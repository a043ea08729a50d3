"""HTTP routes of the publisher: health, metrics and the owner's page. Nothing here changes state.

A page of another site must not be able to read any of it: the Host header is checked against DNS rebinding, no
cross-origin header is ever sent, and only GET and HEAD exist.
"""

from __future__ import annotations

import logging
import re
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from cpu_publisher import health, metrics, page

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from cpu_publisher.view import View

log = logging.getLogger(__name__)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
METHODS = ("GET", "HEAD")
REFRESH_SECONDS = 30
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


def create_app(view: Callable[[], View], allowed_hosts: tuple[str, ...]) -> Flask:
    """The publisher's web application.

    Args:
        view: gives the snapshot to render; called once a request that needs it, from any thread.
        allowed_hosts: names, without port, that the Host header may carry beside the loopback ones.
    """
    app = Flask(__name__, static_folder=None, template_folder=None)
    hosts = LOOPBACK | set(allowed_hosts)
    app.before_request(lambda: _refusal(hosts))
    app.after_request(_harden)
    app.register_error_handler(Exception, _plain_error)
    routes: dict[str, Callable[[], Response]] = {
        "/": lambda: _page(view()),
        "/livez": lambda: _health(health.live()),
        "/readyz": lambda: _health(health.ready(view())),
        "/healthz": lambda: _health(health.ready(view())),
        "/healthz/collector": lambda: _health(health.collector(view())),
        "/metrics": lambda: Response(metrics.exposition(view()), content_type=metrics.CONTENT_TYPE),
    }
    # From memory: no path of a request ever reaches the disk.
    for file in (resources.files("cpu_publisher") / "static").iterdir():
        routes[f"/static/{file.name}"] = partial(_file, file.read_bytes(), _TYPES[file.name.rpartition(".")[2]])
    for path, answer in routes.items():
        app.add_url_rule(path, path, answer)
    return app


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
    # Its type only: a message could carry what a page must not show.
    log.error("request failed: %s", type(error).__name__)
    return _plain(500, "Internal Server Error")


def _page(view: View) -> Response:
    answer = Response(page.owner(view), content_type="text/html; charset=utf-8")
    answer.headers["Refresh"] = str(REFRESH_SECONDS)
    return answer


def _health(report: health.Report) -> Response:
    return Response(report.body, report.code, content_type="application/health+json")


def _file(content: bytes, kind: str) -> Response:
    return Response(content, content_type=kind)


def _plain(code: int, text: str) -> Response:
    return Response(f"{text}\n", code, content_type="text/plain; charset=utf-8")
