"""Who may do what by `syftperm.yaml`, as the last Python server (`syftbox==0.4.0`) decides it. Pure.

Rules of all folders above a path apply, each in turn; later ones override earlier ones; the owner may everything;
admin gives everything; writing takes read as well; only admins may touch a permission file. The server asks the rules
in the order in which they reached its database, so `decide` has two answers: in the order given, and the more exposed
one, in which nothing takes away what some rule gave.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cpu_publisher.acl_yaml import AclError, Decision, Rule, compose, folder_of, items, lax_bool, line, load
from cpu_publisher.globs_py import globstar
from cpu_publisher.permissions import PY04_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEVELS = ("create", "read", "write", "admin")
_KEYS = {"dir_path", "path", "user", "allow", "permissions", "priority", "type"}
_USER = "{useremail}"


def parse(path: str, text: str) -> tuple[Rule, ...]:
    """The rules of the file at `path` (owner's folder first), in their order.

    Raises:
        AclError: the server would refuse it.
    """
    data = load(text)
    if not isinstance(data, list):
        raise AclError(1, "a list of rules was expected")
    lines = [line(node) for node in items(compose(text))]
    return tuple(_rule(path, one, lines[i] if i < len(lines) else 1) for i, one in enumerate(data))


def _rule(path: str, one: object, at: int) -> Rule:
    if not isinstance(one, dict) or not set(one) <= _KEYS or {"dir_path", "priority"} & set(one):
        raise AclError(at, "a rule is a mapping of path, user, permissions and type")
    pattern, user, levels = one.get("path"), one.get("user"), one.get("permissions")
    if not isinstance(pattern, str) or pattern.startswith("../"):
        raise AclError(at, "path is missing or leads out of the folder")
    if "**" in pattern and _USER in pattern and pattern.index("**") < pattern.rindex(_USER):
        raise AclError(at, "** stands before {useremail}")
    if not isinstance(user, str) or (user != "*" and not re.match(r"[^@]+@[^@]+", user)):
        raise AclError(at, "user is neither * nor an e-mail address")
    allow = lax_bool(one.get("allow", True))
    if allow is None:
        raise AclError(at, "allow is neither true nor false")
    if not isinstance(levels, str | list):
        raise AclError(at, "permissions are missing")
    granted = {_level(name, at) for name in ([levels] if isinstance(levels, str) else levels)}
    grants = {level: frozenset([user] if level in granted else []) for level in _LEVELS}
    return Rule(path, at, pattern, folder_of(path), grants, allow=allow and one.get("type") != "disallow")


def _level(name: object, at: int) -> str:
    """A level by its name, or by the number that the real class gives it (1 create, 2 read, 3 write, 4 admin)."""
    for number, level in enumerate(_LEVELS, start=1):
        if name == number or (isinstance(name, str) and name.upper() == level.upper()):
            return level
    raise AclError(at, "permissions are not of admin, create, write, read")


class Tree:
    """All permission files of a datasite, in the order given.

    Attributes:
        errors: path -> why the server refuses it.
    """

    def __init__(self, files: Mapping[str, str]) -> None:
        self.errors: dict[str, AclError] = {}
        self._rules: list[Rule] = []
        for path, text in files.items():
            if not path.endswith(PY04_NAME):
                continue
            try:
                self._rules += parse(path, text)
            except AclError as error:
                self.errors[path] = error

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule of every file."""
        return tuple(self._rules)

    def decide(self, user: str, level: str, path: str, *, exposed: bool = True) -> Decision:
        """Whether `user` may (`read`, `create`, `write` or `admin`) at `path`.

        `exposed`: the more exposed answer; False: the one for rules asked in the order given.
        """
        if path.partition("/")[0] == user:
            return Decision(allowed=True)
        by = self._given(user, path, exposed=exposed)
        protected = path.rpartition("/")[2] == PY04_NAME and level in ("create", "write")
        if by["admin"]:
            return Decision(allowed=True, rule=by["admin"])
        needed = (level, "read") if level in ("create", "write") else (level,)
        if protected or not all(by[one] for one in needed):
            return Decision(allowed=False)
        return Decision(allowed=True, rule=by[level])

    def _given(self, user: str, path: str, *, exposed: bool) -> dict[str, Rule | None]:
        """Level -> the rule that gives it, after all rules had their say."""
        by: dict[str, Rule | None] = dict.fromkeys(_LEVELS)
        for rule in self._rules:
            below = path.removeprefix(rule.base + "/")
            if below == path or (exposed and not rule.allow):
                continue
            matches = globstar(rule.pattern.replace(_USER, user), below)
            if matches or (exposed and matches is None):
                for level in _LEVELS:
                    if rule.grants[level] & {user, "*"}:
                        by[level] = rule if rule.allow else None
        return by
