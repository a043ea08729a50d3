"""Who may do what by `syft.pub.yaml`, as the Go client and server of SyftBox (v0.8, 2025) decide it. Pure.

Its rules in one place: the deepest folder with a permission file wins and nothing is merged; a file with
`terminal: true` hides those below it; inside a file the most specific matching rule alone counts; no match is a no.
Users are compared case-sensitively. Whoever's name is a prefix of the path counts as its owner: a flaw of that
generation, re-stated here because decisions must be equal.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from cpu_publisher.acl_yaml import AclError, Decision, Rule, candidates, compose, is_null, items, line, pairs
from cpu_publisher.globs_go import doublestar
from cpu_publisher.permissions import GO_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

_LEVELS = ("admin", "write", "read")
_TRUE, _FALSE = {"true", "y", "yes", "on"}, {"false", "n", "no", "off"}  # yes and no also in quotes
_TEXT = re.compile(r"tag:yaml\.org,2002:(?!binary).*")  # any plain scalar is taken as it is written
_STABLE = 12  # Go sorts up to this many rules stably; beyond it the order of equals is its own affair
_NAME = r"\.(UserEmail|UserHash|Year|Month|Date)"
_ACTION = re.compile(rf"\{{\{{\s*(?:(?:(upper|lower)\s+)?{_NAME}|(sha2)\s+{_NAME}(?:\s+(\d\d?))?)\s*\}}\}}")


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One permission file, its rules most specific first.

    Attributes:
        terminal: True: files below it are ignored.
        terminal_line: where it says so; 0 if it does not.
    """

    folder: str
    terminal: bool
    terminal_line: int
    rules: tuple[Rule, ...]


def parse(path: str, text: str) -> RuleSet:
    """The file at `path` (owner's folder first, `…syft.pub.yaml`).

    Raises:
        AclError: the server would refuse it, or it holds what is not understood here.
    """
    root = compose(text)
    folder = posixpath.normpath(path.removesuffix(GO_NAME)).lstrip("/")
    fields = _fields(root) if root and not is_null(root) else {}
    terminal = fields.get("terminal")
    listed = fields.get("rules")
    if listed and not is_null(listed) and not isinstance(listed, yaml.SequenceNode):
        raise AclError(line(listed), "rules is no list")
    rules = [_rule(path, folder, node) for node in items(listed)]
    if not any(rule.pattern == "**" for rule in rules):
        rules.append(Rule(path, 0, "**", folder, {level: frozenset() for level in _LEVELS}))
    rules.sort(key=lambda rule: -specificity(rule.pattern))
    return RuleSet(folder, _true(terminal), line(terminal) if terminal else 0, tuple(rules))


def _fields(node: yaml.Node) -> dict[str, yaml.Node]:
    """Fields of a mapping; own ones before merged ones.

    Raises:
        AclError: no mapping, or a repeated key.
    """
    if not isinstance(node, yaml.MappingNode):
        raise AclError(line(node), "a mapping was expected")
    own = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    if len(set(own)) < len(own):
        raise AclError(line(node), "a key is repeated")
    fields: dict[str, yaml.Node] = {}
    for key, value in pairs(node):
        fields.setdefault(_text(key), value)
    return fields


def _text(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode) or not _TEXT.fullmatch(node.tag):
        raise AclError(line(node), "a text was expected")
    return str(node.value)


def _true(node: yaml.Node | None) -> bool:
    if node is None or is_null(node):
        return False
    text = _text(node)
    low = text.lower()
    quoted = low in ("true", "false") and node.tag != "tag:yaml.org,2002:bool"
    if quoted or text not in (low, low.capitalize(), low.upper()) or low not in _TRUE | _FALSE:
        raise AclError(line(node), "terminal is neither true nor false")
    return low in _TRUE


def _rule(path: str, folder: str, node: yaml.Node) -> Rule:
    fields = _fields(node)
    pattern = fields.get("pattern")
    if pattern is None or is_null(pattern) or not _text(pattern):
        raise AclError(line(node), "a rule without pattern")
    access = fields.get("access")
    if access is None or is_null(access):
        raise AclError(line(node), "a rule without access")
    lists = {name: _users(value) for name, value in _fields(access).items()}
    grants = {level: lists.get(level, frozenset()) for level in _LEVELS}
    _check_template(pattern)
    return Rule(path, line(node), _text(pattern), folder, grants)


def _users(node: yaml.Node) -> frozenset[str]:
    if is_null(node):
        return frozenset()
    if not isinstance(node, yaml.SequenceNode):
        raise AclError(line(node), "a list of users was expected")
    return frozenset(_text(one) for one in items(node) if not is_null(one))


def _check_template(node: yaml.Node) -> None:
    text = _text(node)
    if _is_template(text) and "{{" in _ACTION.sub("", text):
        raise AclError(line(node), "a template that is not understood here")


def _is_template(pattern: str) -> bool:
    return "{{" in pattern and "}}" in pattern


def specificity(pattern: str) -> int:
    """Score of a pattern; the highest that matches decides. Lengths count in bytes."""
    if pattern in ("**", "**/*"):
        return -100 if pattern == "**" else -99
    score = 2 * len(pattern.encode("utf-8", "surrogatepass")) + 10 * pattern.count("/")
    score += 50 * _is_template(pattern)
    score -= 10 * pattern.count("*") + 10 * pattern.startswith("*")
    return score - 2 * sum(pattern.count(char) for char in "?![{")


class Tree:
    """All permission files of a datasite.

    Attributes:
        errors: path -> why that file is ignored (a server ignores what it cannot parse).
    """

    def __init__(self, files: Mapping[str, str], today: date) -> None:
        self.errors: dict[str, AclError] = {}
        self._sets: dict[str, RuleSet] = {}
        self._today = today
        for path, text in files.items():
            if not path.endswith(GO_NAME):
                continue
            try:
                found = parse(path, text)
            except AclError as error:
                self.errors[path] = error
            else:
                self._sets[found.folder] = found

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule of every file."""
        return tuple(rule for one in self._sets.values() for rule in one.rules)

    @property
    def terminals(self) -> dict[str, tuple[str, int]]:
        """Folder -> file and line, for each that hides what is below it."""
        return {x.folder: (x.rules[0].file, x.terminal_line) for x in self._sets.values() if x.terminal}

    def governing(self, path: str) -> RuleSet | None:
        """The file that decides about `path`."""
        nearest = None
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            found = self._sets.get("/".join(parts[:depth]))
            nearest = found or nearest
            if found and found.terminal:
                break
        return nearest

    def decide(self, user: str, level: str, path: str) -> Decision:
        """Whether `user` may (`read`, `create`, `write` or `admin`) at `path`, owner's folder first.

        Where Go's own answer is open (equal rules among more than twelve, a pattern too long) the more exposed one.
        """
        path = posixpath.normpath(path).lstrip("/")
        if path.startswith(user):
            return Decision(allowed=True)
        if level != "read":
            level = "admin" if path.endswith(GO_NAME) or level == "admin" else "write"
        for rule in candidates(self._matches(user, path)):
            above = _LEVELS[: _LEVELS.index(level) + 1]
            if any(_listed(user, rule.grants[one]) for one in above):
                return Decision(allowed=True, rule=rule)
        return Decision(allowed=False)

    def _matches(self, user: str, path: str) -> Iterator[tuple[Rule, bool | None]]:
        governing = self.governing(path)
        rules = governing.rules if governing else ()
        matching = [(rule, self._match(rule, user, path)) for rule in rules]
        scores = Counter(specificity(rule.pattern) for rule, matches in matching if matches is not False)
        for rule, matches in matching:
            open_order = len(rules) > _STABLE and scores[specificity(rule.pattern)] > 1
            yield rule, None if matches and open_order else matches

    def _match(self, rule: Rule, user: str, path: str) -> bool | None:
        pattern = f"{rule.base}/{rule.pattern}"
        if _is_template(pattern):
            pattern = _ACTION.sub(lambda action: self._fill(action, user), pattern)
        return doublestar(pattern, path) if re.search(r"[*?\[]", pattern) else pattern == path

    def _fill(self, action: re.Match[str], user: str) -> str:
        change, plain, digest, digested, length = action.groups()
        value = {
            "UserEmail": user,
            "UserHash": hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()[:16],
            "Year": f"{self._today.year:04d}",
            "Month": f"{self._today.month:02d}",
            "Date": f"{self._today.day:02d}",
        }[plain or digested]
        if digest:
            text = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
            return text[: min(int(length), 64) or 16] if length else text
        return {"upper": value.upper(), "lower": value.lower()}.get(change, value)


def _listed(user: str, users: frozenset[str]) -> bool:
    """`*`, the very name, `USER` (whoever asks; not somebody of that name) or a glob of names."""
    named = users - {"USER"}
    if "*" in named or user in named or ("USER" in users and user != "USER"):
        return True
    return any(doublestar(one, user) is not False for one in named if re.search(r"[*?\[\]]", one))
