"""Containers that attack a pair: started by the test itself, beside it, with just what the attack needs."""

from __future__ import annotations

import json
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.types import Mount
from tests.integration.pair import IMAGES, LABEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.models.containers import Container
    from tests.integration.pair import Pair

HERE = Path(__file__).parent
PYTHON = "/usr/bin/python3"
COLLECTOR, HANDOFF_GROUP, STRANGER = 60_711, 60_710, 20_002
# What both containers of the pair run with: attacks must fail for it, and controls succeed in spite of it.
HARDENED: dict[str, Any] = {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"], "read_only": True}


def source(name: str) -> str:
    """Text of a script beside this file; it runs inside a container, on the standard library alone."""
    return (HERE / f"{name}.py").read_text(encoding="utf-8")


@contextmanager
def sibling(
    pair: Pair,
    script: str,
    *words: str,
    user: str,
    handoff: str | None = None,
    **options: Any,  # noqa: ANN401 - as the SDK takes them
) -> Iterator[Container]:
    """A container that runs `script`; `handoff`: how the pair's hand-off volume is mounted (`ro`, `rw`, None)."""
    # The publisher's image has a Python with everything that an attack needs, whatever the base image was.
    container = pair.client.containers.run(
        f"{IMAGES}-publisher",
        list(words),
        entrypoint=[PYTHON, "-I", "-u", "-c", source(script)],
        name=f"{pair.project}-{script}-{secrets.token_hex(3)}",
        labels={LABEL: pair.project},
        user=user,
        mounts=[_handoff(pair, handoff)] if handoff else None,
        detach=True,
        **{"network_mode": "none", **options},
    )
    try:
        yield container
    finally:
        container.remove(force=True, v=True)


def _handoff(pair: Pair, mode: str) -> Mount:
    """The pair's volume; without `no_copy` Docker would give an empty one the owner of this image's folder."""
    return Mount("/handoff", f"{pair.project}_handoff", read_only=mode == "ro", no_copy=True)


def answer(pair: Pair, script: str, *words: str, user: str, **options: Any) -> Any:  # noqa: ANN401 - JSON
    """What a sibling printed, a JSON value, after it has ended."""
    with sibling(pair, script, *words, user=user, **options) as container:
        code = container.wait(timeout=60)["StatusCode"]
        said = container.logs().decode(errors="replace")
        assert code == 0, f"{script} as {user} ended with {code}:\n{said}"
        return json.loads(said.splitlines()[-1])


def inside(pair: Pair, service: str, script: str, *words: str, user: str = "") -> Any:  # noqa: ANN401 - JSON
    """The same from inside a container of the pair."""
    code, said = execute(pair, service, [PYTHON, "-I", "-c", source(script), *words], user=user)
    assert code == 0, said
    return json.loads(said.splitlines()[-1])


def execute(pair: Pair, service: str, words: list[str], user: str = "") -> tuple[int, str]:
    """Exit code and output of a command inside a container of the pair."""
    done = pair.container(service).exec_run(words, user=user)
    assert isinstance(done.output, bytes)
    return int(done.exit_code or 0), done.output.decode(errors="replace")
