"""A real SyftBox in containers (profile `network`) with the real pair as its owner, and whoever else joins it."""

from __future__ import annotations

import io
import json
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.integration.pair import IMAGES, LABEL, SHORT, Pair, build

if TYPE_CHECKING:
    from collections.abc import Iterator

    import docker
    from docker.models.containers import Container

OWNER = "local@example.com"
AGGREGATOR = "aggregator@openmined.org"
SERVER = "http://syftbox-server:8080"
IMAGE = f"{IMAGES}-syftbox"
PUBLIC = "app_data/cpu_tracker/cpu_tracker.json"
PYTHON = ("/venv/bin/python", "-I")
BOX = (*PYTHON, "/opt/box.py")
# Asks the server for a file as somebody, and for the list of what it shows to them: prints the status and the paths.
ASK = """
import json, runpy, sys, urllib.error, urllib.request
box, (server, email, path) = runpy.run_path("/opt/box.py"), sys.argv[1:]
token = box["log_in"](server, email)
head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "User-Agent": "test"}
def ask(what, body):
    return urllib.request.urlopen(urllib.request.Request(f"{server}/sync/{what}", json.dumps(body).encode(), head))
try:
    status = ask("download", {"path": path}).status
except urllib.error.HTTPError as error:
    status = error.code
states = json.load(ask("datasite_states", {}))
print(json.dumps([status, [file["path"] for files in states.values() for file in files]]))
"""


def build_image() -> None:
    """The image of server and clients, as `make network` builds it."""
    build("network")


class Federation(Pair):
    """The pair on the embedded default's volumes, its own client, the server and the aggregator's client."""

    def __init__(self, client: docker.DockerClient, **settings: str) -> None:
        super().__init__(client, None, **SHORT, COMPOSE_PROFILES="network", **settings)

    @property
    def network(self) -> str:
        """The network that server and clients share."""
        return f"{self.project}_syftbox"

    def copy(self, service: str, folder: str) -> dict[str, bytes]:
        """Every file below a folder of a container, its volumes included: path -> content."""
        stream, _ = self.container(service).get_archive(folder)
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
            return {m.name: tar.extractfile(m).read() for m in tar.getmembers() if m.isfile()}  # type: ignore[union-attr]

    def execute(self, service: str, *command: str) -> str:
        """What a command in a container prints; empty if it fails."""
        status, output = self.container(service).exec_run(list(command), stderr=False)
        return bytes(output).decode() if status == 0 else ""  # type: ignore[arg-type] # not a stream

    def at_aggregator(self, owner: str = OWNER) -> dict[str, Any] | None:
        """What the aggregator's client has of an owner's public file."""
        output = self.execute("syftbox-aggregator", *BOX, "look", f"/aggregator/datasites/{owner}/{PUBLIC}")
        return json.loads(output) if output else None

    def follow(self, service: str, path: str, seconds: float) -> list[dict[str, Any]]:
        """The releases that a file shows within so many seconds."""
        return [json.loads(line) for line in self.execute(service, *BOX, "follow", path, str(seconds)).splitlines()]

    def ask(self, email: str, path: str) -> tuple[int, list[str]]:
        """As anybody: the status of a download, and the paths that the server shows."""
        code, paths = json.loads(self.execute("syftbox-aggregator", *PYTHON, "-c", ASK, SERVER, email, path))
        return code, paths

    @contextmanager
    def joined(
        self, name: str, email: str, data: str, mounts: dict[str, str], uid: int, *, tmp_mb: int = 16
    ) -> Iterator[Container]:
        """One more client, hardened as the others; gone afterwards.

        Args:
            name: of the container, within the project.
            email: who it is.
            data: its data folder.
            mounts: volume -> folder; without any, `data` is a tmpfs.
            uid: of its user and group.
            tmp_mb: size of its /tmp, the only other place that it can write to.
        """
        tmpfs = {"/tmp": f"size={tmp_mb}m,mode=1777"}  # noqa: S108 - inside the container
        if not mounts:
            tmpfs[data] = f"size=16m,uid={uid},gid={uid},mode=0755"
        container = self.client.containers.run(
            IMAGE,
            ["client"],
            name=f"{self.project}-{name}",
            labels={LABEL: self.project},
            environment={"HOME": "/tmp", "BOX_EMAIL": email, "BOX_SERVER": SERVER, "BOX_DATA": data},  # noqa: S108
            user=f"{uid}:{uid}",
            network=self.network,
            volumes={volume: {"bind": folder} for volume, folder in mounts.items()},
            tmpfs=tmpfs,
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            mem_limit=f"{384 + tmp_mb}m",
            pids_limit=64,
            detach=True,
        )
        try:
            yield container
        finally:
            container.remove(force=True, v=True)
