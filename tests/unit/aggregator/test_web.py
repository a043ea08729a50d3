from __future__ import annotations

import csv
import dataclasses
import io
import json
import logging
import threading
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.aggregator.views import BROKEN, EMPTY, FULL_DISK, LIVE, STALE, hours

from cpu_aggregator import metrics, server, web

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from cpu_aggregator.view import View

LOCAL = {"Host": "localhost:8080"}
PATHS = ("/", "/export.csv", "/export.json", "/livez", "/readyz", "/healthz", "/metrics", "/static/style.css")


def get(path: str, view: View = LIVE, method: str = "GET", host: str = "localhost:8080") -> TestResponse:
    def snapshot(range_seconds: int, _most_points: int) -> View:
        return dataclasses.replace(view, range_seconds=range_seconds)

    return (
        web.create_app(snapshot, ("network.example.org",))
        .test_client()
        .open(path, method=method, headers={"Host": host})
    )


@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
def test_headers_on_everything(path: str) -> None:
    answer = get(path)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'; img-src 'self';")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8080", "network.example.org"])
def test_hosts_that_are_served(host: str) -> None:
    assert get("/livez", host=host).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost:", "127.0.0.2"])
@pytest.mark.parametrize("path", ["/", "/export.json", "/nothing"])
def test_hosts_that_are_not(host: str, path: str) -> None:
    assert get(path, host=host).status_code == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_get_and_head(method: str) -> None:
    answer = get("/", method=method)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_ranges_reach_the_snapshot_and_unknown_ones_do_not() -> None:
    asked: list[tuple[int, int]] = []

    def snapshot(range_seconds: int, most_points: int) -> View:
        asked.append((range_seconds, most_points))
        return dataclasses.replace(LIVE, range_seconds=range_seconds)

    client = web.create_app(snapshot, ()).test_client()
    for path in ("/", "/?range=7d", "/export.csv?range=90d"):
        assert client.get(path, headers=LOCAL).status_code == 200
    assert asked == [(86_400, 120), (7 * 86_400, 120), (90 * 86_400, 0)]
    for path in ("/?range=2h", "/?range=", "/?range=1h", "/export.json?range=99999d"):
        assert client.get(path, headers=LOCAL).status_code == 404
    assert get("/?range=1h", dataclasses.replace(LIVE, slot_seconds=300)).status_code == 200


def test_exports_are_files_with_every_slot() -> None:
    rows = list(csv.DictReader(io.StringIO(get("/export.csv").text)))
    assert len(rows) == len(LIVE.history)
    assert float(rows[-1]["headline"]) == 53
    answer = get("/export.json")
    assert len(json.loads(answer.data)) == len(LIVE.history)
    assert answer.headers["Content-Disposition"] == "attachment; filename=network_cpu.json"


def test_health() -> None:
    ok = get("/readyz")
    assert (ok.status_code, ok.content_type) == (200, "application/health+json")
    assert json.loads(ok.data)["status"] == "pass"
    assert json.loads(get("/readyz", EMPTY).data)["status"] == "pass"
    assert json.loads(get("/readyz", STALE).data)["status"] == "warn"
    broken = get("/healthz", BROKEN)
    assert broken.status_code == 503
    assert json.loads(broken.data)["checks"]["history_failed"][0]["status"] == "fail"


def test_findings_of_one_code_are_all_told_and_scraped_once() -> None:
    twice = dataclasses.replace(BROKEN, findings=(FULL_DISK, dataclasses.replace(FULL_DISK, message="again")))
    outputs = [check["output"] for check in json.loads(get("/readyz", twice).data)["checks"]["history_failed"]]
    assert outputs == [FULL_DISK.message, "again"]
    assert get("/metrics", twice).text.count("finding{") == 1


def test_livez_depends_on_nothing_and_errors_tell_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_range: int, _most: int) -> View:
        raise RuntimeError("secret")

    client = web.create_app(broken, ()).test_client()
    assert client.get("/livez", headers=LOCAL).status_code == 200
    with caplog.at_level(logging.DEBUG):
        assert client.get("/", headers=LOCAL).text == "Internal Server Error\n"
    assert "secret" not in caplog.text


def test_metrics_parse_and_agree() -> None:
    families = list(text_string_to_metric_families(get("/metrics").text))
    found = {(s.name, *sorted(s.labels.values())): s.value for f in families for s in f.samples}
    assert found["cputracker_network_mean_percent",] == 37.23
    assert found["cputracker_network_noise_95_points",] == 3.4
    assert found["cputracker_network_participants_counted",] == 45
    assert found["cputracker_network_datasites", "range", "refused"] == 3
    assert found["cputracker_network_state", "live"] == 1
    assert found["cputracker_network_files_read_total", "waiting"] == 41
    assert found["cputracker_network_rounds_total",] == 3
    names = {s.name for f in text_string_to_metric_families(metrics.exposition(EMPTY)) for s in f.samples}
    assert "cputracker_network_mean_percent" not in names
    assert 'code="history_failed",severity="fatal"' in metrics.exposition(BROKEN)


def test_the_page_weighs_little_and_renews_itself() -> None:
    week = dataclasses.replace(LIVE, history=hours(120))
    answer = get("/?range=7d", week)
    assert len(answer.data) + len(get("/static/style.css").data) + len(get("/static/good.svg").data) < 40_000
    assert answer.headers["Refresh"] == "60"
    assert get("/", dataclasses.replace(LIVE, slot_seconds=20)).headers["Refresh"] == "5"


def test_served_for_real_and_ended_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one = server.serve(web.create_app(lambda _range, _most: LIVE, ()), 0, "127.0.0.1")
    thread = threading.Thread(target=one.run, daemon=True)
    thread.start()
    connection = HTTPConnection("127.0.0.1", one.port, timeout=5)
    connection.request("GET", "/readyz")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Server")) == (200, None)
    pull = one._server.pull_trigger

    def late() -> None:
        """The loop was awake anyway and has seen that it is over; the trigger must still be there to be pulled."""
        pull()
        thread.join(0.1)
        pull()

    monkeypatch.setattr(one._server, "pull_trigger", late)
    one.close()
    thread.join(1)
    assert not thread.is_alive()
    connection.close()
