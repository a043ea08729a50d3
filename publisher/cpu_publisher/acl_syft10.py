"""Who may do what by `syft.pub.yaml`, as `syft-permissions` 0.1 (today's Python line) decides it. Pure.

Same file as the Go generation and the same walk, but read by other rules: paths are relative to the datasite, `USER`
is everyone unless the pattern names the user, the score of a pattern differs, and reading a permission file takes
admin. Paths given here begin with the owner's folder all the same, and the owner is whoever that folder is named after.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from cpu_publisher.acl_yaml import AclError, Decision, Rule, candidates, compose, folder_of, items, lax_bool, line, load
from cpu_publisher.globs_py import globstar
from cpu_publisher.permissions import GO_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LEVELS = ("admin", "write", "read")
_USER = "{{.UserEmail}}"
_UNSUPPORTED = ("{{.UserHash}}", "{{.Year}}", "{{.Month}}", "{{.Date}}")


@dataclass(frozen=True, slots=True)
class _RuleSet:
    file: str
    terminal_line: int  # 0: it is not terminal
    rules: tuple[Rule, ...]


def parse(path: str, text: str) -> _RuleSet:
    """The file at `path`.

    Raises:
        AclError: it does not validate; a real service then loads nothing at all.
    """
    data = load(text) or {}
    if not isinstance(data, dict):
        raise AclError(1, "a mapping was expected")
    listed = data.get("rules", [])
    if not isinstance(listed, list):
        raise AclError(1, "rules is no list")
    lines = [line(node) for value in _values(text, "rules")[-1:] for node in items(value)]
    rules = [_rule(path, one, lines[i] if i < len(lines) else 1) for i, one in enumerate(listed)]
    rules.sort(key=lambda rule: specificity(rule.pattern), reverse=True)
    terminal = lax_bool(data.get("terminal", False))
    if terminal is None:
        raise AclError(1, "terminal is neither true nor false")
    at = max([line(node) for node in _values(text, "terminal")], default=1) if terminal else 0
    return _RuleSet(path, at, tuple(rules))


def _values(text: str, key: str) -> list[yaml.Node]:
    """Values of `key` of the root mapping, for their lines."""
    root = compose(text)
    return [value for name, value in root.value if name.value == key] if isinstance(root, yaml.MappingNode) else []


def _rule(path: str, one: object, at: int) -> Rule:
    if not isinstance(one, dict) or not isinstance(one.get("pattern"), str) or not isinstance(one.get("access"), dict):
        raise AclError(at, "a rule needs a pattern and an access")
    if any(name in one["pattern"] for name in _UNSUPPORTED):
        raise AclError(at, "a template that today's line refuses")
    grants = {}
    for level in _LEVELS:
        users = one["access"].get(level, [])
        if not isinstance(users, list | tuple | set) or not all(isinstance(user, str) for user in users):
            raise AclError(at, f"{level} is no list of users")
        grants[level] = frozenset(users)
    return Rule(path, at, one["pattern"], folder_of(path), grants)


def specificity(pattern: str) -> tuple[int, int, int, int, int]:
    """Score of a pattern; the highest that matches decides."""
    segments = pattern.split("/")
    plain = [s for s in segments if _USER not in s]
    literal = sum(not any(char in s for char in "*?[{") for s in plain)
    wild = sum(s != "**" and any(char in s for char in "*?[") for s in plain)
    return int(_USER in pattern), literal, wild, -segments.count("**"), len(segments)


class Tree:
    """All permission files of a datasite.

    Attributes:
        errors: path -> why it does not validate.
    """

    def __init__(self, files: Mapping[str, str]) -> None:
        self.errors: dict[str, AclError] = {}
        self._sets: dict[str, _RuleSet] = {}
        for path, text in files.items():
            if path.rpartition("/")[2] != GO_NAME:
                continue
            try:
                self._sets[folder_of(path)] = parse(path, text)
            except AclError as error:
                self.errors[path] = error

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule of every file."""
        return tuple(rule for one in self._sets.values() for rule in one.rules)

    @property
    def terminals(self) -> dict[str, tuple[str, int]]:
        """Folder -> file and line, for each that hides what is below it."""
        return {folder: (x.file, x.terminal_line) for folder, x in self._sets.items() if x.terminal_line}

    def decide(self, user: str, level: str, path: str) -> Decision:
        """Whether `user` may (`read`, `create`, `write` or `admin`) at `path`.

        Where a pattern is not certain, the more exposed answer.
        """
        if path.partition("/")[0] == user:
            return Decision(allowed=True)
        if level != "read":
            level = "write" if level != "admin" else level
        if path.endswith(GO_NAME):
            level = "admin"
        for rule in candidates(self._matches(user, path)):
            stand_in = user if _USER in rule.pattern else "*"
            for one in _LEVELS[: _LEVELS.index(level) + 1]:
                if any(_is(user, stand_in if name == "USER" else name) for name in rule.grants[one]):
                    return Decision(allowed=True, rule=rule)
        return Decision(allowed=False)

    def _matches(self, user: str, path: str) -> Iterator[tuple[Rule, bool | None]]:
        nearest, base, parts = None, "", path.split("/")
        for depth in range(1, len(parts) + 1):
            found = self._sets.get("/".join(parts[:depth]))
            if found:
                nearest, base = found, "/".join(parts[:depth])
                if found.terminal_line:
                    break
        for rule in nearest.rules if nearest else ():
            pattern = rule.pattern.replace(_USER, user)
            below = path.removeprefix(base).lstrip("/")
            glob = any(char in pattern for char in "*?[")
            yield rule, globstar(pattern, below) if glob else pattern == below


def _is(user: str, name: str) -> bool:
    if name == "*":
        return True
    return fnmatch.fnmatchcase(user, name) if "*" in name or "?" in name else user == name
