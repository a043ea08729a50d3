"""`make demo` as a person types it: this machine is counted, the page is there, and nothing is left afterwards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import requests
from tests.federation.federation import build_image
from tests.integration.pair import IMAGES, LABEL, ROOT, RUN

if TYPE_CHECKING:
    import docker

LIMIT_SECONDS = 600  # the aggregator's image may have to be built first; after that the demo ends by itself


def test_the_demo_counts_this_machine_shows_it_and_goes(client: docker.DockerClient, images: str) -> None:
    build_image()
    project = f"{RUN}-x"
    labels: dict[str, str | list[str] | bool] = {"label": f"{LABEL}={project}-demo"}
    environ = {**os.environ, "CPUTRACKER_PROJECT": project, "CPUTRACKER_IMAGES": IMAGES}
    demo = [sys.executable, str(ROOT / "tools" / "demo.py")]
    try:
        done = subprocess.run(demo, env=environ, check=False, capture_output=True, text=True, timeout=LIMIT_SECONDS)
        assert done.returncode == 0, done.stdout + done.stderr
        said = re.search(r"mean of the network +-?[\d.]+ %, (\d+) participants, this machine among them", done.stdout)
        assert said, done.stdout
        assert 10 <= int(said[1]) <= 51  # those that had half of that slot's windows
        address = done.stdout.strip().splitlines()[-1]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        page = requests.get(address, timeout=5)
        assert page.status_code == 200
        assert "ε 1 a release, 10 windows in 10 s" in page.text
    finally:
        down = subprocess.run([*demo, "down"], env=environ, check=False, capture_output=True, text=True, timeout=60)
    assert down.returncode == 0, down.stderr
    assert not client.containers.list(all=True, filters=labels)
    assert not client.volumes.list(filters=labels)
    assert not client.networks.list(filters=labels)
