"""Installed as a SyftBox app: started, stopped and left behind as each client does it, with and without an engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest
import yaml
from tests.federation import app as apps
from tests.federation.environments import python_of
from tests.federation.federation import Federation, build_image
from tests.integration.pair import EMAIL, IMAGES, LABEL, OWNER, ROOT, RUN, SHORT, Pair, make_data_dir, started, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import docker

GO_START = 'exec "$0/run.sh"'  # the Go client: $SHELL -lc, in the app's folder


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    """Room for copies."""
    with apps.room() as base:
        yield base


@pytest.fixture(scope="module")
def venv(base: Path) -> Path:
    """The virtual environment that the first start makes; the other copies share it."""
    data = apps.make_site(base / "first")
    app = apps.copy_app(data / "apps" / "com.github.owner.cpu_tracker", data)
    log = base / "first.log"
    process = apps.start(["/bin/bash", "-lc", GO_START, str(app)], app, log)
    apps.published(data, log, 180)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(apps.STOP_SECONDS)
    assert process.returncode == 0, log.read_text()
    return app / ".venv-app"


@pytest.mark.parametrize("where", ["apps/cpu_tracker", "apis/cpu_tracker"])
def test_without_an_engine_two_processes_run_and_say_that_nothing_keeps_them_apart(
    base: Path, venv: Path, where: str
) -> None:
    data = apps.make_site(base / where.replace("/", "-"))
    app = apps.copy_app(data / where, data, venv)
    log = base / f"{data.name}.log"
    process = apps.start(["/bin/bash", "-lc", GO_START, str(app)], app, log)
    apps.published(data, log)
    document = apps.ready(app)
    assert document["status"] == "warn"
    assert "isolation_off" in document["checks"]
    assert "ISOLATION IS OFF" in log.read_text()
    assert listeners(apps.processes(data)) == {"127.0.0.1"}
    assert (data / "private" / "cpu_tracker").stat().st_mode & 0o777 == 0o700
    for pid in apps.processes(data):  # the Go client: the whole tree, and 3 s
        os.kill(pid, signal.SIGTERM)
    until("all of it is gone", lambda: not apps.processes(data), apps.STOP_SECONDS, log.read_text)
    assert process.wait(1) == 0


def test_a_signal_to_the_shell_alone_ends_both(base: Path, venv: Path) -> None:
    """The Python client's way."""
    data = apps.make_site(base / "shell")
    app = apps.copy_app(data / "apps" / "cpu_tracker", data, venv)
    process = apps.start(["sh", str(app / "run.sh")], app, base / "shell.log")
    apps.published(data, base / "shell.log")
    process.terminate()
    assert process.wait(apps.STOP_SECONDS) == 0
    assert not apps.processes(data)


def test_an_orphan_ends_by_itself(base: Path, venv: Path) -> None:
    """The client was killed."""
    data = apps.make_site(base / "orphan")
    app = apps.copy_app(data / "apps" / "cpu_tracker", data, venv)
    client = apps.start(["/bin/sh", "-c", f"sh {app}/run.sh; :"], app, base / "orphan.log")
    apps.published(data, base / "orphan.log")
    client.kill()
    client.wait()
    until("no orphan", lambda: not apps.processes(data), 2 * apps.STOP_SECONDS)


def test_a_second_start_on_the_same_datasite_is_refused(base: Path, venv: Path) -> None:
    data = apps.make_site(base / "twice")
    first = apps.copy_app(data / "apps" / "cpu_tracker", data, venv)
    second = apps.copy_app(data / "apps" / "again", data, venv)
    one = apps.start(["sh", str(first / "run.sh")], first, base / "one.log")
    apps.published(data, base / "one.log")
    two = apps.start(["sh", str(second / "run.sh")], second, base / "two.log")
    until("the second says so", lambda: "another publisher (pid" in (base / "two.log").read_text(), 30)
    assert apps.ready(second)["status"] == "fail"
    assert apps.ready(first)["status"] == "warn"
    for process in (one, two):
        process.terminate()
        process.wait(apps.STOP_SECONDS)


def test_containers_and_processes_never_share_a_datasite(
    base: Path, venv: Path, client: docker.DockerClient, images: str
) -> None:
    data = make_data_dir(base / "both")
    app = apps.copy_app(data / "apps" / "cpu_tracker", data, venv)
    short = {name: text for name, text in settings(app).items() if name in SHORT}
    with started(client, data, **short) as pair:
        pair.until("a first publication", lambda: pair.released(1))
        refused(app, base / "both.log")
        pair.compose("down")
        refused(app, base / "both.log")  # no lock is held now; the ledger is the containers'
        (data / "private" / "cpu_tracker" / "lock").unlink()
        process = apps.start(["sh", str(app / "run.sh")], app, base / "mode.log")
        until("the ledger says so", lambda: "is kept by the container publisher" in (base / "mode.log").read_text(), 30)
        process.terminate()
        process.wait(apps.STOP_SECONDS)


def test_with_an_engine_the_containers_run_for_as_long_as_the_app(
    base: Path, client: docker.DockerClient, images: str
) -> None:
    data = apps.make_site(base / "engine")
    project = f"{RUN}-app"
    app = apps.copy_app(data / "apps" / "cpu_tracker", data, CPUTRACKER_PROJECT=project, CPUTRACKER_IMAGES=IMAGES)
    log = base / "engine.log"
    if (ROOT / ".venv").exists():
        (app / ".venv").symlink_to(ROOT / ".venv")  # tools/compose finds the pinned Compose there
    with log.open("ab") as output:
        process = subprocess.Popen(["sh", str(app / "run.sh")], cwd=app, stdout=output, stderr=output)
    try:
        apps.published(data, log, 120)
        ours: dict[str, str | list[str] | bool] = {"label": f"{LABEL}={project}"}
        assert len(client.containers.list(filters=ours)) == 2
        process.terminate()
        assert process.wait(10) == 0
        assert not client.containers.list(filters=ours)
    finally:
        process.kill()
        pair = Pair(client, data)
        pair.environ |= {"CPUTRACKER_PROJECT": project}
        pair.remove()


def test_the_real_client_installs_and_runs_it(base: Path, venv: Path, client: docker.DockerClient, images: str) -> None:
    """`syftbox app install` of the last Python client, in its container; its local way, a link to the folder."""
    build_image()
    data = apps.make_site(base / "real")
    app = apps.copy_app(base / "cpu_tracker", data)
    federation = Federation(client)
    federation.compose("up", "--detach", "--no-build", "syftbox-server", "syftbox-aggregator")
    try:
        with federation.joined("real", EMAIL, str(data), {str(base): str(base)}, OWNER, tmp_mb=256) as box:
            client.networks.get("bridge").connect(box)  # its virtual environment comes from the package index
            config = ["--config", "/tmp/config.json"]  # noqa: S108 - inside the container
            federation.until("the client's settings", lambda: not box.exec_run(["test", "-s", config[1]])[0], 60)
            status, output = box.exec_run(["/venv/bin/syftbox", "app", "install", str(app), *config])
            assert status == 0, output
            assert (data / "apps" / "cpu_tracker").resolve() == app
            apps.published(data, app / "logs" / "cpu_tracker.log", 180)
            federation.until("its release at the aggregator", lambda: federation.at_aggregator(EMAIL), 60)
            shown = box.exec_run(["/venv/bin/python", "-c", APPS])[1]
            assert b'"name":"cpu_tracker"' in shown, shown
    finally:
        federation.remove()


def test_the_real_client_clones_what_it_installs(base: Path, venv: Path) -> None:
    """`syftbox app install OWNER/REPO`: its own clone, check and move; only the host of the repository is a folder."""
    data = apps.make_site(base / "cloned")
    source = apps.copy_app(base / "source" / "cpu_tracker", data)
    remote = base / "remote" / "cpu_tracker.git"
    git = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PATH": os.environ["PATH"]}
    me = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "safe.directory=*"]
    for words in (
        ["init", "--quiet", "--initial-branch", "main", str(source)],
        ["-C", str(source), "add", "--all"],
        ["-C", str(source), "commit", "--quiet", "--message", "as it is committed next"],
        ["clone", "--quiet", "--bare", str(source), str(remote)],
    ):
        subprocess.run(["git", *me, *words], check=True, env=git)
    config = base / "cloned.json"
    closed = f"http://127.0.0.1:{apps.free_port()}"
    place = {"email": EMAIL, "data_dir": str(data), "server_url": closed, "client_url": closed}
    config.write_text(json.dumps(place))
    elsewhere = {
        "GIT_ALLOW_PROTOCOL": "file",
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"url.file://{base}/remote/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/owner/",
        "GIT_CONFIG_KEY_1": "safe.directory",
        "GIT_CONFIG_VALUE_1": "*",
    }
    program = python_of("syftbox").parent / "syftbox"
    done = subprocess.run(
        [program, "app", "install", "owner/cpu_tracker", "--config", config],
        env={**git, **elsewhere, "HOME": str(base)},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    app = data / "apps" / "cpu_tracker"
    assert (app / ".git").is_dir()
    assert os.access(app / "run.sh", os.X_OK)
    (app / ".env").write_bytes((source / ".env").read_bytes())
    (app / ".venv-app").symlink_to(venv)
    apps.give(app)
    process = apps.start(["sh", "run.sh"], app, base / "cloned.log")
    apps.published(data, base / "cloned.log")
    process.terminate()
    assert process.wait(apps.STOP_SECONDS) == 0


def test_the_readme_begins_with_what_clients_read() -> None:
    _, front, rest = (ROOT / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    assert set(yaml.safe_load(front)) == {"name", "author", "version", "source", "home", "icon"}
    assert all(isinstance(value, str) for value in yaml.safe_load(front).values())
    assert rest.lstrip().startswith("# ")


APPS = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8000/apps/').read().decode())"


def settings(app: Path) -> dict[str, str]:
    """The .env of a copy."""
    return dict(line.split("=", 1) for line in (app / ".env").read_text().splitlines())


def refused(app: Path, log: Path) -> None:
    """Start it, see it refused because the containers keep the ledger, and end it."""
    process = apps.start(["sh", str(app / "run.sh")], app, log)
    until("it says so", lambda: "ledger is kept by the containers" in log.read_text(), 30)
    process.terminate()
    process.wait(apps.STOP_SECONDS)
    log.unlink()


def listeners(pids: list[int]) -> set[str]:
    """Addresses on which these processes listen (IPv4 or IPv6)."""
    return {
        connection.laddr.ip
        for pid in pids
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
