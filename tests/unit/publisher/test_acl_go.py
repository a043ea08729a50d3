"""`syft.pub.yaml` decided as the real Go code decided it."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cpu_publisher import acl_go
from cpu_publisher.acl_go import Tree, parse, specificity
from cpu_publisher.acl_yaml import MAX_BYTES, AclError

FIXTURES = Path(__file__).parents[2] / "fixtures"
VECTORS = json.loads((FIXTURES / "go_acl_vectors.json").read_text())["cases"]
YAML = json.loads((FIXTURES / "go_acl_yaml.json").read_text())["cases"]
TODAY = date(2025, 12, 11)
OWNER = "alice@example.com"
PATH = f"{OWNER}/app_data/cpu_tracker/cpu_tracker.json"


def root(text: str, **more: str) -> Tree:
    return Tree({f"{OWNER}/syft.pub.yaml": text, **more}, TODAY)


def rule(pattern: str, access: str) -> str:
    return f"- pattern: {json.dumps(pattern)}\n  access: {access}\n"


@pytest.mark.parametrize("case", VECTORS, ids=[case["name"] for case in VECTORS])
def test_every_decision_of_the_real_code(case: dict[str, Any]) -> None:
    tree = Tree(case["acl_files"], TODAY)
    assert sorted(tree.errors) == sorted(case["parse_errors"])
    for check in case["checks"]:
        assert tree.decide(check["user"], check["level"], check["path"]).allowed is check["allowed"], check


@pytest.mark.parametrize("case", YAML, ids=[repr(case["text"]) for case in YAML])
def test_every_text_is_read_as_the_real_parser_reads_it(case: dict[str, Any]) -> None:
    if case["refused"]:
        with pytest.raises(AclError):
            parse(f"{OWNER}/syft.pub.yaml", case["text"])
        return
    found = parse(f"{OWNER}/syft.pub.yaml", case["text"])
    rules = [[one.pattern, *(sorted(one.grants[level]) for level in ("admin", "write", "read"))] for one in found.rules]
    assert (found.terminal, rules) == (case["terminal"], case["rules"])


@pytest.mark.parametrize(
    ("pattern", "score"),
    [
        ("**", -100),
        ("**/*", -99),
        ("a", 2),
        ("a/b", 16),
        ("*.json", 12 - 20),
        ("a*", 4 - 10),
        ("**/*.json", 18 + 10 - 20 - 10 - 10),
        ("{{.UserEmail}}", 28 + 50 - 4),
        ("[ab]?!", 12 - 6),
        ("é", 4),
    ],
)
def test_specificity(pattern: str, score: int) -> None:
    assert specificity(pattern) == score


def test_nothing_at_all_is_for_the_owner_alone() -> None:
    tree = Tree({}, TODAY)
    assert tree.decide(OWNER, "write", PATH).allowed
    assert not tree.decide("bob@x.org", "read", PATH).allowed


def test_the_deepest_file_wins_and_nothing_is_merged() -> None:
    open_root = "rules:\n" + rule("**", "{read: ['*']}")
    closed = "rules:\n" + rule("other.json", "{read: ['*']}")
    tree = root(open_root, **{f"{OWNER}/app_data/syft.pub.yaml": closed})
    assert not tree.decide("bob@x.org", "read", PATH).allowed
    assert tree.decide("bob@x.org", "read", f"{OWNER}/x.txt").allowed


def test_the_most_specific_rule_alone_counts() -> None:
    tree = root("rules:\n" + rule("**", "{read: ['*']}") + rule("app_data/**", "{read: [c@x.org]}"))
    assert not tree.decide("bob@x.org", "read", PATH).allowed
    decision = tree.decide("c@x.org", "read", PATH)
    assert decision.rule
    assert (decision.rule.line, decision.rule.pattern) == (4, "app_data/**")


def test_levels_include_one_another_and_permission_files_take_admin() -> None:
    tree = root("rules:\n" + rule("**", "{admin: [a@x.org], write: [w@x.org], read: [r@x.org]}"))
    can = {
        (user, level): tree.decide(f"{user}@x.org", level, PATH).allowed
        for user in "awr"
        for level in ("read", "create", "write", "admin")
    }
    assert [key for key, allowed in can.items() if not allowed] == [
        ("w", "admin"),
        ("r", "create"),
        ("r", "write"),
        ("r", "admin"),
    ]
    permission_file = f"{OWNER}/app_data/syft.pub.yaml"
    assert tree.decide("a@x.org", "write", permission_file).allowed
    assert not tree.decide("w@x.org", "write", permission_file).allowed
    assert tree.decide("r@x.org", "read", permission_file).allowed


@pytest.mark.parametrize(
    ("listed", "user", "allowed"),
    [
        ("*", "bob@x.org", True),
        ("*@x.org", "bob@x.org", True),
        ("*@x.org", "bob@y.org", False),
        ("b[ao]b@x.org", "bob@x.org", True),
        ("Bob@x.org", "bob@x.org", False),
        ("USER", "bob@x.org", True),
        ("USER", "USER", False),
        ("{bob,eve}@x.org", "bob@x.org", False),
        ("{bob,eve}@*.org", "bob@x.org", True),
    ],
)
def test_users(listed: str, user: str, allowed: bool) -> None:
    tree = root("rules:\n" + rule("**", f"{{read: [{json.dumps(listed)}]}}"))
    assert tree.decide(user, "read", PATH).allowed is allowed


def test_a_name_that_begins_the_path_counts_as_its_owner() -> None:
    assert Tree({}, TODAY).decide("alice@example.co", "write", PATH).allowed


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("{{.UserEmail}}/x", "bob@x.org/x"),
        ("{{ .UserEmail }}", "bob@x.org"),
        ("{{upper .UserEmail}}", "BOB@X.ORG"),
        ("{{.UserHash}}", hashlib.sha256(b"bob@x.org").hexdigest()[:16]),
        ("{{sha2 .UserEmail}}", hashlib.sha256(b"bob@x.org").hexdigest()),
        ("{{sha2 .UserEmail 8}}", hashlib.sha256(b"bob@x.org").hexdigest()[:8]),
        ("{{sha2 .UserEmail 0}}", hashlib.sha256(b"bob@x.org").hexdigest()[:16]),
        ("{{.Year}}-{{.Month}}-{{.Date}}", "2025-12-11"),
        ("{{.UserEmail}}*", "bob@x.org.txt"),
    ],
)
def test_templates(pattern: str, path: str) -> None:
    tree = root("rules:\n" + rule(pattern, "{read: [USER]}"))
    assert tree.decide("bob@x.org", "read", f"{OWNER}/{path}").allowed
    assert not tree.decide("bob@x.org", "read", f"{OWNER}/{path}~").allowed or "*" in pattern


@pytest.mark.parametrize("pattern", ["{{if true}}a{{end}}", "{{- .UserEmail}}", "{{.Nope}}", "{{.UserEmail | upper}}"])
def test_a_template_that_is_not_understood_is_refused(pattern: str) -> None:
    with pytest.raises(AclError, match="template"):
        parse("a/syft.pub.yaml", "rules:\n" + rule(pattern, "{read: ['*']}"))


def test_equal_rules_beyond_what_go_sorts_stably_count_as_open() -> None:
    many = "".join(rule(f"x{i:02}", "{}") for i in range(11))
    for first, second in (("{read: ['*']}", "{}"), ("{}", "{read: ['*']}")):
        pair = rule("app_data/**", first) + rule("app_data/**", second)
        assert root("rules:\n" + many + pair).decide("bob@x.org", "read", PATH).allowed
    few = "rules:\n" + rule("app_data/**", "{}") + rule("app_data/**", "{read: ['*']}")
    assert not root(few).decide("bob@x.org", "read", PATH).allowed


@pytest.mark.parametrize("text", ["[" * 5_000, "x" * (MAX_BYTES + 1), "rules: &a [{<<: *a}]", "\x00"])
def test_hostile_yaml_is_refused_and_nothing_worse(text: str) -> None:
    started = time.process_time()
    with pytest.raises(AclError):
        acl_go.parse("a/syft.pub.yaml", text)
    assert time.process_time() - started < 0.5
