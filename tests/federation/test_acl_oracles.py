"""Our evaluators against the real ones, each in an environment of its own, over random trees."""

from __future__ import annotations

import json
import subprocess
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.federation.environments import python_of

from cpu_publisher import acl_py04, acl_syft10, exposure, permissions

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER = "alice@example.com"
USERS = (OWNER, "agg@openmined.org", "bob@x.org", "Bob@x.org", "alice@example.co", "*", "USER", "x@openmined.org")
FOLDERS = (OWNER, f"{OWNER}/app_data", f"{OWNER}/app_data/cpu_tracker")
PATHS = tuple(
    f"{folder}/{name}"
    for folder in (*FOLDERS, f"{OWNER}/app_data/cpu_tracker/sub", f"{OWNER}/app_data/bob@x.org")
    for name in ("cpu_tracker.json", "syft.pub.yaml", "syftperm.yaml", ".cpu_tracker.json.0.tmp")
)
SEGMENTS: tuple[str, ...] = (
    "**",
    "*",
    "app_data",
    "cpu_tracker",
    "cpu_tracker.json",
    "*.json",
    "*.yaml",
    "cpu_*",
    "?pu_tracker*",
    ".*",
)
SEGMENTS += ("[a-d]*", "[!a-d]*", "sub", "**.json", "*_*.*", "syft.pub.yaml", "syftperm.yaml", "{cpu_tracker.json,x}")
ODD = (r"cpu\_tracker.json", "[[:alpha:]]*", "**/", "[z-a]*", "a\\", "[c/]*", "[]c]*")
NAMES = ("agg@openmined.org", "bob@x.org", "Bob@x.org", "*", "USER", "*@openmined.org", "b?b@x.org", "[ab]*@x.org")


class Oracle:
    """A long-lived process that decides, one JSON line each way."""

    def __init__(self, name: str, environment: str) -> None:
        script = Path(__file__).with_name("oracles") / f"{name}.py"
        self._process = subprocess.Popen(
            [str(python_of(environment)), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, files: dict[str, str], checks: list[tuple[str, str, str]]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"files": files, "checks": checks}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def py04() -> Iterator[Oracle]:
    oracle = Oracle("py04", "syftbox")
    yield oracle
    oracle.close()


@pytest.fixture(scope="module")
def syft10() -> Iterator[Oracle]:
    oracle = Oracle("syft10", "syft10")
    yield oracle
    oracle.close()


def patterns(template: str, extra: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    segment = st.sampled_from((*SEGMENTS, template, f"x{template}", *extra))
    return st.lists(segment, min_size=1, max_size=3).map("/".join)


def rules04(extra: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "path": patterns("{useremail}", extra),
            "user": st.sampled_from(("agg@openmined.org", "bob@x.org", "*", "Bob@x.org")),
            "permissions": st.lists(st.sampled_from(("read", "write", "create", "admin", "READ")), max_size=3),
        },
        optional={"type": st.sampled_from(("allow", "disallow"))},
    )


def rules10(extra: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, Any]]:
    users = st.lists(st.sampled_from(NAMES), max_size=2)
    access = st.fixed_dictionaries({}, optional={"read": users, "write": users, "admin": users})
    return st.fixed_dictionaries({"pattern": patterns("{{.UserEmail}}", extra), "access": access})


def sets10(extra: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"rules": st.lists(rules10(extra), max_size=5)}, optional={"terminal": st.sampled_from((True, False))}
    )


RAW04 = (
    "",
    "{}",
    "[]",
    "- 1",
    "a: [",
    "- {path: '**', user: agg@openmined.org, permissions: read}",
    "- {path: '**', user: agg@openmined.org, permissions: [2]}",
    "- {path: '**', user: agg@openmined.org, permissions: [9]}",
    "- {path: '**', user: agg@openmined.org, permissions: [fly]}",
    "- {path: '**', user: agg@openmined.org}",
    "- {path: '**', user: agg, permissions: [read]}",
    "- {path: 7, user: agg@openmined.org, permissions: [read]}",
    "- {path: '../x', user: agg@openmined.org, permissions: [read]}",
    "- {path: '**/{useremail}', user: agg@openmined.org, permissions: [read]}",
    "- {path: '**', user: agg@openmined.org, permissions: [read], more: 1}",
    "- {path: '**', user: agg@openmined.org, permissions: [read], allow: 'no'}",
    "- {path: '**', user: agg@openmined.org, permissions: [read], allow: maybe}",
    "- {path: '**', user: agg@openmined.org, permissions: [read], priority: 3}",
    "- {path: '**', permissions: [read]}",
    "- {user: '*', permissions: [read]}",
    "- &a {path: '**', user: '*', permissions: [read]}\n- {<<: *a, type: disallow}",
    "- {path: '**', path: '*.json', user: '*', permissions: [read]}",
    "!!python/object:os.system {}",
)
RAW10 = (
    "",
    "[]",
    "[1]",
    "text",
    "rules:",
    "rules: []",
    "rules: {}",
    "rules: [null]",
    "rules: [{pattern: '**'}]",
    "rules: [{access: {}}]",
    "rules: [{pattern: '**', access: {read: ['*']}}]",
    "rules: [{pattern: '**', access: {read: '*'}}]",
    "rules: [{pattern: '**', access: {read: }}]",
    "rules: [{pattern: '**', access: {read: [1]}}]",
    "rules: [{pattern: 1, access: {}}]",
    "rules: [{pattern: '', access: {read: ['*']}}]",
    "rules: [{pattern: '{{.Year}}', access: {}}]",
    "terminal: yes\nrules: [{pattern: '**', access: {read: ['*']}}]",
    "terminal: 'off'",
    "terminal: 1",
    "terminal: 2",
    "terminal: 1.0",
    "terminal: null",
    "more: 1\nrules: [{pattern: '**', more: 1, access: {fly: 1, read: ['*']}}]",
)


def files(content: st.SearchStrategy[Any], raw: tuple[str, ...], name: str) -> st.SearchStrategy[dict[str, str]]:
    text = st.one_of(content.map(lambda data: yaml.safe_dump(data, sort_keys=False)), st.sampled_from(raw))
    tree = st.dictionaries(st.sampled_from(FOLDERS), text, min_size=1, max_size=3)
    return tree.map(lambda found: {f"{folder}/{name}": body for folder, body in found.items()})


CHECKS = [(user, level, path) for user in USERS for level in ("read", "create", "write", "admin") for path in PATHS]


@settings(max_examples=100, deadline=None)
@given(tree=files(st.lists(rules04(), max_size=5), RAW04, "syftperm.yaml"))
def test_python_04_decides_the_same(py04: Oracle, tree: dict[str, str]) -> None:
    real = py04.ask(tree, CHECKS)
    ours = acl_py04.Tree(tree)
    assert sorted(ours.errors) == sorted(real["errors"])
    decided = [ours.decide(user, level, path, exposed=False).allowed for user, level, path in CHECKS]
    assert decided == real["allowed"]
    exposed = [ours.decide(*check).allowed for check in CHECKS]
    assert all(ours_says or not real_says for ours_says, real_says in zip(exposed, real["allowed"], strict=True))


@settings(max_examples=60, deadline=None)
@given(tree=files(st.lists(rules04(ODD), max_size=4), RAW04[:1], "syftperm.yaml"))
def test_python_04_never_exposes_more_than_we_say(py04: Oracle, tree: dict[str, str]) -> None:
    real = py04.ask(tree, CHECKS)["allowed"]
    ours = acl_py04.Tree(tree)
    for check, allowed in zip(CHECKS, real, strict=True):
        assert ours.decide(*check).allowed or not allowed, check


@settings(max_examples=100, deadline=None)
@given(tree=files(sets10(), RAW10, "syft.pub.yaml"))
def test_todays_line_decides_the_same(syft10: Oracle, tree: dict[str, str]) -> None:
    real = syft10.ask(tree, CHECKS)
    ours = acl_syft10.Tree(tree)
    assert sorted(ours.errors) == sorted(real["errors"])
    for check, allowed in zip(CHECKS, real["allowed"], strict=True):
        assert ours.decide(*check).allowed == allowed, check


@settings(max_examples=60, deadline=None)
@given(tree=files(sets10(ODD), RAW10[:1], "syft.pub.yaml"))
def test_todays_line_never_exposes_more_than_we_say(syft10: Oracle, tree: dict[str, str]) -> None:
    real = syft10.ask(tree, CHECKS)["allowed"]
    ours = acl_syft10.Tree(tree)
    for check, allowed in zip(CHECKS, real, strict=True):
        assert ours.decide(*check).allowed or not allowed, check


AGGREGATOR = "agg@openmined.org"
OURS = tuple(f"{FOLDERS[2]}/{name}" for name in ("cpu_tracker.json", "syft.pub.yaml", "syftperm.yaml"))
STRANGERS = tuple(user for user in (*USERS, "eve@x.org") if user not in (OWNER, AGGREGATOR))


@settings(max_examples=100, deadline=None)
@given(
    above04=files(st.lists(rules04(ODD), max_size=2), RAW04[:3], "syftperm.yaml"),
    above10=files(sets10(ODD), RAW10[:6], "syft.pub.yaml"),
)
def test_where_the_guard_sees_no_leak_the_real_ones_let_nobody_in(
    py04: Oracle, syft10: Oracle, above04: dict[str, str], above10: dict[str, str]
) -> None:
    ours = {f"{FOLDERS[2]}/{name}": text for name, text in permissions.texts(OWNER, (AGGREGATOR,), "datasites").items()}
    tree = {**above04, **above10, **ours}
    judged = exposure.check(tree, email=OWNER, aggregators=(AGGREGATOR,), layout="datasites", today=date(2026, 1, 1))
    bad = [(user, "read", OURS[0]) for user in STRANGERS]
    bad += [(user, level, path) for user in (*STRANGERS, AGGREGATOR) for level in ("write", "create") for path in OURS]
    wanted = [(AGGREGATOR, "read", OURS[0]), (OWNER, "write", OURS[0])]
    for generation, oracle, ending in (("py04", py04, "syftperm.yaml"), ("syft10", syft10, "syft.pub.yaml")):
        if any(leak.generation == generation for leak in judged.leaks):
            continue
        answer = oracle.ask({path: text for path, text in tree.items() if path.endswith(ending)}, bad + wanted)
        assert not any(answer["allowed"][: len(bad)]), generation
        taken_away = generation == "py04" and "disallow" in str(above04)
        assert taken_away or all(answer["allowed"][len(bad) :]), generation
