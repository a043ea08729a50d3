"""Raw means that can be told from any other number: they appear in the private folder and nowhere else."""

from __future__ import annotations

import io
import json
import random
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from tests.attack.sibling import COLLECTOR, HANDOFF_GROUP, HARDENED, execute, sibling
from tests.integration.pair import SHORT, Pair, make_data_dir

if TYPE_CHECKING:
    import docker

CANARIES = 21
PAGES = ("/", "/livez", "/readyz", "/healthz", "/healthz/collector", "/metrics", "/static/style.css")
COMMANDS = (("status",), ("status", "--json"), ("ledger", "show"), ("ledger", "export"), ("audit",), ("preview",))
# As little ε as can be set: noise so wide that a noisy value equals a canary by chance once in some 10,000 runs.
WIDE = {"CPUTRACKER_EPSILON": "0.001"}

SURE = re.compile(r"\.\d\d")  # 46 or 46.5 stands for many things; a raw mean of a slot may be one of them
POSITION = re.compile(r'="-?([\d.]+)%"')


def tokens(text: str) -> set[str]:
    """Every whole number in `text`, and every decimal one, as they stand there."""
    return set(re.findall(r"(?<![\w.])\d{1,7}(?:\.\d{1,6})?(?![\w.]*\d)", text))


def as_written(mean: int) -> set[str]:
    """A window mean in hundredths of a percent, and in percent, as a program might write it."""
    return {str(mean), f"{mean / 100:.2f}", f"{mean / 100:g}", f"{mean / 100:.4f}", f"{mean / 100:.6f}"}


def visible(pair: Pair, pages: list[str]) -> dict[str, str]:
    """Everything outside the private folder that a value could have reached, by where it is."""
    container = pair.container("publisher")
    found = {"logs": pair.logs(), "pages": "\n".join(pages)}
    for words in COMMANDS:
        found[" ".join(words)] = execute(pair, "publisher", ["/usr/bin/cpu-publisher", *words])[1]
    found["ledger columns"] = columns(pair.private / "ledger.sqlite3")
    for path in (path for path in pair.datasite.rglob("*") if path.is_file()):
        found[str(path)] = path.read_text(encoding="utf-8")
    found["inspect"] = json.dumps(pair.client.api.inspect_container(str(container.id)))
    found["environment"] = Path(f"/proc/{pair.host_pid('publisher')}/environ").read_text(encoding="utf-8")
    root = Path(f"/proc/{pair.host_pid('publisher')}/root")
    for path in (path for folder in ("run", "tmp", "dev/shm") for path in (root / folder).rglob("*") if path.is_file()):
        found[str(path)] = path.read_text(encoding="utf-8")
    found["health check"] = execute(pair, "publisher", container.attrs["Config"]["Healthcheck"]["Test"][1:])[1]
    # The image was built before there were canaries, and nothing of it has changed but a mount point's folder.
    assert {change["Path"] for change in container.diff()} <= {"/run", "/run/cpu_publisher"}
    return found


def columns(path: Path) -> str:
    """Every column of every row, one a line; bodies as their text."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        values = [value for table in tables for row in db.execute(f"SELECT * FROM {table}") for value in row]  # noqa: S608 - names it gave us
    db.close()
    return "\n".join(value.decode() if isinstance(value, bytes) else str(value) for value in values)


@pytest.mark.parametrize(
    "text", ['{"cpu": 12.34}', "mean=1234", "1234", "[1790000000123, 1234]", "12.340000 %", "(1234)"]
)
def test_the_search_finds_a_mean_however_it_is_written(text: str) -> None:
    assert tokens(text) & as_written(1_234)


@pytest.mark.parametrize("text", ["81234", "1234567", "a1234", "112.34", "12.345", "1790000001234", "12.34.56"])
def test_the_search_takes_no_part_of_another_number(text: str) -> None:
    assert not tokens(text) & as_written(1_234)


@pytest.mark.parametrize(("header", "seen"), [("Content-Length", False), ("X-Mean", True)])
def test_the_length_of_a_page_is_no_trace(header: str, seen: bool) -> None:
    answer = requests.Response()
    answer.raw = io.BytesIO(b"x" * 1_234)
    answer.headers[header] = "1234"
    assert bool(tokens(shown(answer)) & as_written(1_234)) == seen


def test_canaries_stay_in_the_private_folder(client: docker.DockerClient, images: str, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - to run a failure again
    pair = Pair(client, make_data_dir(tmp_path / "data"), **SHORT, **WIDE)
    try:
        pair.compose("up", "--detach", "--no-build", "publisher")
        pair.until("the web answers", lambda: pair.get("/livez"))
        before = tokens("\n".join(visible(pair, read_pages(pair)).values()))  # what can be no canary's trace
        free = [mean for mean in range(1_001, 10_000) if mean % 10 and not as_written(mean) & before]
        canaries = random.Random(seed).sample(free, CANARIES)
        script = json.dumps([[{"mean": mean} for mean in canaries]])
        user = f"{COLLECTOR}:{HANDOFF_GROUP}"
        pages: list[str] = []
        with sibling(pair, "liar", script, user=user, handoff="rw", **HARDENED) as liar:
            pair.until("the canaries are pooled", lambda: fed(pair, pages), 60)
            pair.until("they are released", lambda: len(kept(pair)) >= CANARIES - 1, 30)
            found = visible(pair, read_pages(pair) + pages) | {"liar": liar.logs().decode()}
        drawn = " ".join(POSITION.findall(found["pages"]))
        found["pages"] = POSITION.sub("", found["pages"])
        told = {token for mean in kept(pair) for token in as_written(mean)}
        told |= {text for raw in raws(pair) for text in (f"{raw:g}", f"{raw:.4f}") if SURE.search(text)} - before
        assert len(set(canaries) & kept(pair)) >= 20, "the owner's history is the positive control"
        for where, text in found.items():
            assert not (hit := tokens(text) & told), f"{sorted(hit)} in {where}"
        # Positions in a drawing follow the noise: one may look like a canary by chance, three would be drawn from them.
        assert len(tokens(drawn) & told) < 3, "positions drawn from raw means"
        assert tokens((pair.private / "history.jsonl").read_text()) & told, "the search finds what is there"
    finally:
        pair.remove()


def read_pages(pair: Pair) -> list[str]:
    """Body and headers of every page."""
    return [shown(answer) for path in PAGES if (answer := pair.get(path)) is not None]


def shown(answer: requests.Response) -> str:
    """Headers and body; a length that is the body's tells nothing else, and one of some twenty looks like a canary."""
    own = ("Content-Length", str(len(answer.content)))
    return f"{dict(answer.headers.items() - {own})}\n{answer.text}"


def fed(pair: Pair, pages: list[str]) -> bool:
    """Whether every canary was taken; reads every page while they come."""
    pages += read_pages(pair)
    return f'windows_accepted_total{{reason="ok"}} {CANARIES}' in pages[-2]


def kept(pair: Pair) -> set[int]:
    """Window means in the owner's history."""
    return {mean for line in history(pair) for _, mean in line["windows"]}


def raws(pair: Pair) -> set[float]:
    """Raw means of releases there."""
    return {line["raw"] for line in history(pair)}


def history(pair: Pair) -> list[dict[str, Any]]:
    path = pair.private / "history.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
