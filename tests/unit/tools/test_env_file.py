"""Names and values of .env, as Compose reads the same file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from configure import ConfigureError
from env_file import check, known_names, parse_env

ROOT = Path(__file__).resolve().parents[3]
KNOWN = known_names((ROOT / ".env.example").read_text(encoding="utf-8"))
TRICKY = """
# a comment
CPUTRACKER_A=plain
  CPUTRACKER_B = spaced around
export CPUTRACKER_C='single # kept'
CPUTRACKER_D="double"   # a comment after quotes
CPUTRACKER_E=with # a comment
CPUTRACKER_F=no#comment
CPUTRACKER_G=
CPUTRACKER_H=/home/al ice/SyftBox
"""


def test_it_is_read_as_compose_reads_it(tmp_path: Path) -> None:
    names = [f"CPUTRACKER_{letter}" for letter in "ABCDEFGH"]
    (tmp_path / ".env").write_text(TRICKY, encoding="utf-8")
    service = {"image": "none", "environment": {name: f"${{{name}}}" for name in names}}
    (tmp_path / "compose.yml").write_text(json.dumps({"services": {"a": service}}), encoding="utf-8")
    tool = [str(ROOT / "tools" / "compose"), "-f", str(tmp_path / "compose.yml"), "--env-file", str(tmp_path / ".env")]
    done = subprocess.run(
        [*tool, "config", "--format", "json"], check=True, capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert parse_env(TRICKY) == json.loads(done.stdout)["services"]["a"]["environment"]


@pytest.mark.parametrize("line", ["no equals sign", "=value", "9NAME=x", "A-B=x"])
def test_a_line_that_is_none_is_named(line: str) -> None:
    with pytest.raises(ConfigureError, match=r"\.env line 2"):
        parse_env(f"# head\n{line}\n")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CPUTRACKER_EPSILLON", "1", r"no setting \(did you mean CPUTRACKER_EPSILON\?\)"),
        ("CPUTRACKER_PRIVATE_DIR", "/elsewhere", "no setting"),
        ("CPUTRACKER_COLLECTOR_UID", "5", "no setting"),
        ("CPUTRACKER_UID", "0", "allowed: a whole number from 1"),
        ("CPUTRACKER_UID", "-1", "allowed: a whole number from 1"),
        ("CPUTRACKER_UID", "alice", "allowed: a whole number from 1"),
        ("CPUTRACKER_UID", "60711", "must not be 60711"),
        ("CPUTRACKER_GID", "60710", "must not be"),
        ("CPUTRACKER_HOST_PORT", "65536", "from 1 to 65535"),
        ("CPUTRACKER_HOST_PORT", "0.0.0.0:80", "from 1 to 65535"),
        ("CPUTRACKER_PROJECT", "Mine", "lower case"),
        ("CPUTRACKER_IMAGES", "a/b", "lower case"),
    ],
)
def test_a_bad_name_or_value_is_refused_with_what_is_allowed(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigureError, match=message):
        check({name: value}, KNOWN)


def test_what_is_no_setting_of_ours_or_empty_is_left_alone() -> None:
    check({"HOME": "/root", "COMPOSE_FILE": "x", "CPUTRACKER_UID": "", "CPUTRACKER_EPSILON": "1"}, KNOWN)
