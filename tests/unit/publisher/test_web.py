from __future__ import annotations

import dataclasses
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.publisher.views import ACTIVE, CLOSED, CONFLICT, LAST, LEAK, SILENT, STARTING

from cpu_publisher import web

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from cpu_publisher.view import View

LOCAL = {"Host": "localhost:8080"}
PATHS = (
    "/",
    "/livez",
    "/readyz",
    "/healthz",
    "/healthz/collector",
    "/metrics",
    "/static/style.css",
    "/static/good.svg",
)


def get(path: str, view: View = ACTIVE, method: str = "GET", headers: dict[str, str] | None = None) -> TestResponse:
    app = web.create_app(lambda: view, ("tracker.example.org",))
    environ: dict[str, Any] = {"HTTP_HOST": None} if headers == {} else {}
    return app.test_client().open(path, method=method, headers=LOCAL if headers is None else headers, **environ)


@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
def test_headers_on_everything(path: str) -> None:
    answer = get(path)
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert not [name for name in answer.headers.keys() if name.startswith("Access-Control") or name == "Set-Cookie"]  # noqa: SIM118 - not a dict


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8080", "[::1]:8080", "tracker.example.org"]
)
def test_hosts_that_are_served(host: str) -> None:
    assert get("/livez", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "localhost:",
        "localhost:80x",
        "::1",
        "127.0.0.2",
        "localhost, evil.example",
        "localhost.",
    ],
)
@pytest.mark.parametrize("path", ["/", "/livez", "/metrics", "/nothing"])
def test_hosts_that_are_not(host: str, path: str) -> None:
    answer = get(path, headers={"Host": host})
    assert answer.status_code == 421
    assert host not in answer.text


def test_a_missing_host_is_refused() -> None:
    app = web.create_app(lambda: ACTIVE, ())
    with app.test_request_context("/livez") as context:
        context.request.environ.pop("HTTP_HOST")
        assert app.full_dispatch_request().status_code == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "ODD"])
@pytest.mark.parametrize("path", ["/", "/readyz", "/static/style.css", "/nothing"])
def test_only_get_and_head(method: str, path: str) -> None:
    answer = get(path, method=method)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_a_body(path: str) -> None:
    assert get(path, method="HEAD").status_code == 200
    assert get(path, method="HEAD").data == b""


def test_livez_depends_on_nothing() -> None:
    def broken() -> View:
        raise RuntimeError("no view")

    client = web.create_app(broken, ()).test_client()
    assert client.get("/livez", headers=LOCAL).get_json() == {"status": "pass"}


def test_an_error_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> View:
        raise RuntimeError("secret 57.31")

    client = web.create_app(broken, ()).test_client()
    with caplog.at_level(logging.DEBUG):
        answer = client.get("/readyz", headers=LOCAL)
    assert (answer.status_code, answer.text) == (500, "Internal Server Error\n")
    assert "57.31" not in caplog.text
    assert "RuntimeError" in caplog.text
    assert get("/../../etc/passwd").text == "Not Found\n"


def test_readyz_in_each_state() -> None:
    answer = get("/readyz")
    assert (answer.status_code, answer.content_type) == (200, "application/health+json")
    assert answer.get_json(force=True)["status"] == "pass"
    warned = get("/readyz", dataclasses.replace(ACTIVE, findings=(CONFLICT,)))
    body = json.loads(warned.data)
    assert (warned.status_code, body["status"], body["notes"]) == (200, "warn", [CONFLICT.message])
    closed = get("/healthz", CLOSED)
    body = json.loads(closed.data)
    assert (closed.status_code, body["status"]) == (503, "fail")
    assert body["checks"]["permission_leak"][0]["status"] == "fail"
    assert body["checks"]["conflict_file"][0]["status"] == "warn"


def test_findings_of_one_code_are_all_told() -> None:
    twice = dataclasses.replace(CLOSED, findings=(LEAK, dataclasses.replace(LEAK, message="another file")))
    outputs = [check["output"] for check in json.loads(get("/readyz", twice).data)["checks"]["permission_leak"]]
    assert outputs == [LEAK.message, "another file"]


def test_collector_says_how_fresh_the_hand_off_is() -> None:
    fresh = get("/healthz/collector")
    assert fresh.status_code == 200
    assert json.loads(fresh.data)["checks"]["handoff:age"][0]["observedValue"] == 130
    before = get("/healthz/collector", STARTING)
    assert before.status_code == 503
    assert "no record" in json.loads(before.data)["notes"][0]
    silent = get("/healthz/collector", dataclasses.replace(ACTIVE, findings=(SILENT,)))
    assert (silent.status_code, json.loads(silent.data)["notes"]) == (503, [SILENT.message])
    # What has nothing to do with the collector does not make its own health fail.
    assert get("/healthz/collector", CLOSED).status_code == 200


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/"])
def test_no_cpu_value_but_on_the_owners_page(path: str) -> None:
    canary = dataclasses.replace(ACTIVE, last=dataclasses.replace(LAST, cpu=77.771234, error95_pp=66.662345))
    assert "77.7" not in get(path, canary).text
    assert "66.6" not in get(path, canary).text
    assert "77.8 " not in get(path, canary).text
    assert "77.8" in get("/", canary).text


def test_the_page_renews_itself_and_weighs_little() -> None:
    answer = get("/", CLOSED)
    assert answer.headers["Refresh"] == "30"
    assert answer.content_type == "text/html; charset=utf-8"
    assert len(answer.data) + len(get("/static/style.css").data) + len(get("/static/stop.svg").data) < 40_000
    assert "Refresh" not in get("/readyz").headers
