"""Permission files as YAML nodes that know their lines, and what both generations' evaluators share. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_BYTES = 16_384
Level = str  # read, create, write, admin
_DEEP = re.compile(r"(?:[\[{]\s*){32}")  # the parser takes seconds to give up on these
_YES, _NO = ("1", "on", "t", "true", "y", "yes"), ("0", "off", "f", "false", "n", "no")


class AclError(Exception):
    """A permission file that its own generation would refuse, or that is not understood here.

    Attributes:
        line: where, from 1.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a permission file.

    Attributes:
        file: path of the file, owner's folder first.
        line: where the rule begins, from 1; 0: the file has no such line (a default).
        pattern: what it applies to, relative to `base`.
        base: folder of the file.
        grants: level -> users as written.
        allow: False: takes away what earlier rules gave (Python 0.4 only).
    """

    file: str
    line: int
    pattern: str
    base: str
    grants: Mapping[Level, frozenset[str]]
    allow: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether somebody may; `rule` is the one that says yes (None: by ownership, or nobody says yes)."""

    allowed: bool
    rule: Rule | None = None


def folder_of(path: str) -> str:
    """`a/b/c` -> `a/b`."""
    return path.rpartition("/")[0]


def compose(text: str) -> yaml.Node | None:
    """The first document of `text` as nodes; None if there is none.

    Raises:
        AclError: no YAML, larger than `MAX_BYTES`, or nested beyond reason.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise AclError(1, f"larger than {MAX_BYTES} bytes")
    if _DEEP.search(text):
        raise AclError(1, "nested too deeply")
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        return loader.get_node() if loader.check_node() else None
    except RecursionError:
        raise AclError(1, "nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        raise AclError(_line(error.problem_mark), f"no YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise AclError(1, f"no YAML: {type(error).__name__}") from None
    finally:
        if loader:
            loader.dispose()


def load(text: str) -> object:
    """What `yaml.safe_load` makes of `text`.

    Raises:
        AclError: as `compose`, or a value that cannot be made.
    """
    compose(text)  # for the limits, and for a line in the message
    try:
        return yaml.safe_load(text)
    except RecursionError:
        raise AclError(1, "nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        raise AclError(_line(error.problem_mark), f"no YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise AclError(1, f"no YAML: {type(error).__name__}") from None


def _line(mark: yaml.Mark | None) -> int:
    return mark.line + 1 if mark else 1


def line(node: yaml.Node) -> int:
    """Line of a node, from 1."""
    return int(node.start_mark.line) + 1


def items(node: yaml.Node | None) -> list[yaml.Node]:
    """Members of a sequence; nothing for anything else."""
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def is_null(node: yaml.Node) -> bool:
    """`null`, `~` or nothing."""
    return isinstance(node, yaml.ScalarNode) and bool(node.tag == "tag:yaml.org,2002:null")


def pairs(node: yaml.Node) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Keys and values of a mapping, merge keys (`<<`) resolved: own keys first.

    Raises:
        AclError: a merge of something that is no mapping, or of itself.
    """
    yield from _pairs(node, depth=0)


def _pairs(node: yaml.Node, depth: int) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode) or depth > 8:  # noqa: PLR2004 - a merge of merges of merges is a trap
        raise AclError(line(node), "a merge (<<) of something that is no mapping")
    merged: list[yaml.Node] = []
    for key, value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            merged += items(value) or [value]
        else:
            yield key, value
    for one in merged:
        yield from _pairs(one, depth + 1)


def lax_bool(value: object) -> bool | None:
    """A boolean as pydantic reads one in its lax mode; None: it would refuse."""
    if isinstance(value, int | float):
        return bool(value) if value in (0, 1) else None
    if not isinstance(value, str):
        return None
    return {**dict.fromkeys(_YES, True), **dict.fromkeys(_NO, False)}.get(value.lower())


def candidates(rules: Iterable[tuple[Rule, bool | None]]) -> Iterator[Rule]:
    """Rules that may decide, best first: all that match perhaps (None), up to the first that surely does."""
    for rule, matches in rules:
        if matches is not False:
            yield rule
        if matches:
            return
