"""Who could read, write or replace our files, by each generation of SyftBox. Pure.

Whoever may write a permission file above ours could replace ours, so those are checked as well, also where there is
none yet. Where an answer is open, the more exposed one counts; what cannot be understood is a refusal.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cpu_publisher import acl_go, acl_py04, acl_syft10, permissions
from cpu_publisher.acl_files import ancestors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from cpu_publisher.acl_yaml import AclError, Decision, Rule

FOLDER = "app_data/cpu_tracker"
MIRROR = "api_data/cpu_tracker"
ANYONE = "anyone"
_MOST_DECISIONS = 1_000_000


class _Tree(Protocol):
    errors: dict[str, AclError]

    @property
    def rules(self) -> tuple[Rule, ...]: ...

    def decide(self, user: str, level: str, path: str) -> Decision: ...


@dataclass(frozen=True, slots=True)
class Leak:
    """One reason not to publish.

    Attributes:
        code: `read`, `write`, `replace`, `terminal`, `unparsable`, `unreadable`, `stray` or `too_large`.
        generation: `go`, `syft10` or `py04`.
        path: what is exposed, relative to the folder of all datasites.
        user: to whom; empty where it is nobody in particular.
        file, line: where it says so.
        message: what is wrong and what to do.
    """

    code: str
    generation: str
    path: str
    user: str
    file: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Result:
    """What the guard found.

    Attributes:
        who: generation -> `read` or `write` (the public file), `replace` or `see` (a permission file) -> users.
        leaks: reasons not to publish; empty: all is well.
        notes: worth knowing, no reason to stop.
    """

    who: Mapping[str, Mapping[str, tuple[str, ...]]]
    leaks: tuple[Leak, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Case:
    """One thing that somebody could do to our files."""

    act: str  # as in Result.who
    level: str
    path: str


def check(
    files: Mapping[str, str],
    *,
    email: str,
    aggregators: tuple[str, ...],
    layout: str,
    today: date,
    folders: tuple[str, ...] = (FOLDER,),
) -> Result:
    """Judge the permission files of a datasite: path (beginning with `email`) -> text."""
    trees: dict[str, _Tree] = {"go": acl_go.Tree(files, today), "syft10": acl_syft10.Tree(files)}
    if layout != "flat":
        trees["py04"] = acl_py04.Tree(files)
    owners, readers = set(permissions.spellings([email])), set(permissions.spellings(aggregators))
    stranger = f"{secrets.token_hex(8)}@{secrets.token_hex(4)}.example"
    leaks, notes, who = list(_strays(files, email, folders)), [], {}
    for generation, tree in trees.items():
        bad, remarks = _unparsable(tree, generation, layout)
        leaks += [*bad, *_terminal(tree, generation, email, folders)]
        notes += remarks
        cases = tuple(_cases(generation, email, folders))
        users = owners | readers | {stranger, "*"} | {name for rule in tree.rules for name in _named(rule)}
        if len(users) * len(cases) * len(tree.rules) > _MOST_DECISIONS:
            leaks.append(_too_large(tree, generation))
            continue
        able: dict[str, set[str]] = {act: set() for act in ("read", "write", "replace", "see")}
        for case, user, rule in _granted(tree, cases, users):
            shown = ANYONE if user in (stranger, "*") else user
            able[case.act].add(shown)
            if user in owners or (user in readers and case.level == "read"):
                continue
            if rule is None:
                notes.append(f"{generation}: {user!r} counts as owner, being the beginning of {email!r}")
            elif case.act == "see":
                notes.append(f"{generation}: {shown} may read {case.path} ({_where(rule)}), which holds no value")
            else:
                leaks.append(_leak(generation, case, shown, rule))
        who[generation] = {act: tuple(sorted(names)) for act, names in able.items()}
    return Result(who, tuple(dict.fromkeys(leaks)), tuple(dict.fromkeys(notes)))


def _granted(tree: _Tree, cases: Iterable[_Case], users: set[str]) -> Iterator[tuple[_Case, str, Rule | None]]:
    for case in cases:
        for user in sorted(users):
            decision = tree.decide(user, case.level, case.path)
            if decision.allowed:
                yield case, user, decision.rule


def _named(rule: Rule) -> frozenset[str]:
    return frozenset().union(*rule.grants.values()) - {""}


def _cases(generation: str, email: str, folders: tuple[str, ...]) -> Iterator[_Case]:
    own = (permissions.PY04_NAME,) if generation == "py04" else (permissions.GO_NAME,)
    for folder in folders:
        home = f"{email}/{folder}"
        data = f"{home}/{permissions.DATA_NAME}"
        yield _Case("read", "read", data)
        for level in ("write", "create"):
            yield _Case("write", level, data)
        for name in (permissions.GO_NAME, permissions.PY04_NAME):
            yield _Case("see", "read", f"{home}/{name}")
            yield _Case("replace", "write", f"{home}/{name}")
        for above in ancestors(home):
            # Each server takes any name with that ending for a permission file, so those are tried as well:
            # the Go one for that of the folder which the rest of the name spells.
            for path in (f"{above}/{own[0]}", f"{above}{own[0]}" if "/" in above else "", f"{above}/x{own[0]}"):
                if path:
                    yield _Case("replace", "write", path)
                    yield _Case("replace", "create", path)


def _where(rule: Rule) -> str:
    return f"{rule.file}, line {rule.line}"


def _leak(generation: str, case: _Case, user: str, rule: Rule) -> Leak:
    message = (
        f"{_where(rule)}: rule {rule.pattern!r} lets {user} {case.act} {case.path}; take them out of that rule,"
        " or narrow its pattern"
    )
    return Leak(case.act, generation, case.path, user, rule.file, rule.line, message)


def _unparsable(tree: _Tree, generation: str, layout: str) -> tuple[list[Leak], list[str]]:
    """A file that its servers refuse; today's line matters only where nothing else reads the file."""
    said = {path: f"{path}, line {error.line}: {error}; correct or remove it" for path, error in tree.errors.items()}
    if generation == "syft10" and layout != "flat":
        return [], [f"syft10: {text}" for text in said.values()]
    leaks = [Leak("unparsable", generation, p, "", p, tree.errors[p].line, text) for p, text in said.items()]
    return leaks, []


def _terminal(tree: _Tree, generation: str, email: str, folders: tuple[str, ...]) -> Iterator[Leak]:
    if not isinstance(tree, acl_go.Tree | acl_syft10.Tree):
        return
    above = {path for folder in folders for path in ancestors(f"{email}/{folder}")[:-1]}
    for folder, (file, line) in tree.terminals.items():
        if folder in above:
            message = f"{file}, line {line}: terminal is true, so that our own file is ignored; set it to false"
            yield Leak("terminal", generation, folder, "", file, line, message)


def _strays(files: Mapping[str, str], email: str, folders: tuple[str, ...]) -> Iterator[Leak]:
    """Go takes `app_datasyft.pub.yaml` for the file of `app_data`: which of two such files wins is chance."""
    ours = {path for folder in folders for path in ancestors(f"{email}/{folder}/{permissions.DATA_NAME}")}
    for path in files:
        folder = path.removesuffix(permissions.GO_NAME)
        if folder != path and not folder.endswith("/") and folder in ours:
            yield Leak("stray", "go", folder, "", path, 1, f"{path}: taken for the permissions of {folder}; remove it")


def _too_large(tree: _Tree, generation: str) -> Leak:
    file = max(tree.rules, key=lambda rule: rule.line).file
    return Leak("too_large", generation, file, "", file, 1, f"{file}: too many rules and users to check; shorten it")
