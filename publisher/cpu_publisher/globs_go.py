"""Globs of the Go generation (bmatcuk/doublestar v4 `Match`), re-stated from their documented behaviour. Pure.

Patterns come from files that others may have written, so no work here grows faster than pattern times name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 512
_MOST_ALTERNATIVES = 64
# What may be left of a pattern when the name is used up.
_NOTHING = ("", "*", "**", "/**", "**/", "/**/")
# Runs of stars, and `**/` inside a segment: the real one remembers one star only.
_RUNS = re.compile(r"\*\*\*|[^/]\*\*/|\*\*[^/]*[?*]")


class _BadPattern(Exception):  # noqa: N818 - a signal inside this module
    pass


class _TooMuch(Exception):  # noqa: N818 - a signal inside this module
    pass


@dataclass(frozen=True, slots=True)
class _Term:
    """One term of a pattern: `one` character of some ranges, `star`, `dirs` (`**/`) or `rest` (a closing `**`).

    Attributes:
        at: where it begins in the pattern.
    """

    kind: str
    at: int
    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = False

    def takes(self, char: str) -> bool:
        return any(low <= char <= high for low, high in self.ranges) != self.negated


@lru_cache(maxsize=8_192)
def doublestar(pattern: str, name: str) -> bool | None:
    """Whether `pattern` matches all of `name`; a malformed one matches nothing.

    None: too much work to find out, or a pattern for which the real one gives up ways that are tried here.
    """
    if len(pattern) > LONGEST or len(name) > LONGEST:
        return None
    try:
        for text, starts in _expanded(pattern):
            terms = _terms(text, starts)
            rest = _matches(text, terms, name)
            if rest is not None:
                return None if _open(text, terms, rest, braces="{" in pattern) else True
    except _BadPattern:
        return False
    except _TooMuch:
        return None
    return False


def _open(text: str, terms: tuple[_Term, ...], rest: str, *, braces: bool) -> bool:
    """Whether the real one may have given up the way on which `text` matched, with `rest` of it left over."""
    crossing = any(term.kind == "one" and term.ranges != (("/", "/"),) and term.takes("/") for term in terms)
    star = any(term.kind == "star" for term in terms)
    return bool(_RUNS.search(text)) or (crossing and star) or (braces and bool(rest))


def _matches(text: str, terms: tuple[_Term, ...], name: str) -> str | None:
    """What is left of the pattern when it has matched `name`, None: it does not.

    All ways are gone at once. A state is a term, and whether it (a wildcard) has been entered.
    """
    states = {(0, False)}
    for char in name:
        after: set[tuple[int, bool]] = set()
        waiting, seen = list(states), set(states)
        while waiting:
            i, entered = waiting.pop()
            if i == len(terms):
                continue
            kind = terms[i].kind
            if kind == "rest":
                return ""
            more = []
            if kind == "one":
                after |= {(i + 1, False)} if terms[i].takes(char) else set()
            elif not entered:
                more = [(i, True), (i + 1, False)]
            elif kind == "star":
                after |= {(i, True), (i + 1, False)} if char != "/" else set()
            else:
                after |= {(i, True), (i + 1, False)} if char == "/" else {(i, True)}
            fresh = [state for state in more if state not in seen]
            seen.update(fresh)
            waiting += fresh
        states = after
    left = [text[_at(terms, i, text) :] for i, entered in states if not entered]
    return min((rest for rest in left if rest in _NOTHING), key=len, default=None)


def _at(terms: tuple[_Term, ...], i: int, text: str) -> int:
    return terms[i].at if i < len(terms) else len(text)


@lru_cache(maxsize=256)
def _terms(text: str, starts: frozenset[int]) -> tuple[_Term, ...]:
    """A pattern without braces as terms. `**` is special as a whole segment only; `starts`: where one begins too."""
    terms: list[_Term] = []
    i, segment_start = 0, True
    while i < len(text):
        at, segment_start = i, segment_start or i in starts
        double = text.startswith("**", i) and i + 1 not in starts  # a brace between two stars keeps them apart
        if double and segment_start and text[i + 2 : i + 3] in ("", "/") and i + 2 not in starts:
            terms.append(_Term("dirs" if text[i + 2 : i + 3] else "rest", at))
            i += 3
            continue
        if text[i] == "*":
            terms.append(_Term("star", at))
            i += 1 + double
        elif text[i] == "?":
            terms.append(_Term("one", at, (("/", "/"),), negated=True))
            i += 1
        elif text[i] == "[":
            i, ranges, negated = _class(text, i)
            terms.append(_Term("one", at, ranges, negated=negated))
        else:
            i += text[i] == "\\"
            if i >= len(text):
                raise _BadPattern
            terms.append(_Term("one", at, ((text[i], text[i]),)))
            i += 1
        segment_start = text[i - 1] == "/" and terms[-1].ranges == (("/", "/"),) and not terms[-1].negated
    return tuple(terms)


def _class(text: str, i: int) -> tuple[int, tuple[tuple[str, str], ...], bool]:
    """Where the class that begins at `i` ends, what is in it, and whether it is negated. It may match `/`."""
    negated = text[i + 1 : i + 2] in ("!", "^")
    i += 1 + negated
    if text[i : i + 1] in ("", "]"):
        raise _BadPattern
    ranges: list[tuple[str, str]] = []
    joinable = False  # the last single character may be the low end of a range
    while text[i : i + 1] != "]":
        ranged = joinable and text[i : i + 1] == "-" and text[i + 1 : i + 2] not in ("", "]")
        i += ranged
        i += text[i : i + 1] == "\\"
        item = text[i : i + 1]
        if not item:
            raise _BadPattern
        ranges.append((ranges[-1][0] if ranged else item, item))
        joinable = not ranged
        i += 1
    return i + 1, tuple(ranges), negated


def _expanded(pattern: str) -> Iterator[tuple[str, frozenset[int]]]:
    """`{a,b}c` -> `ac`, `bc`, each with the places where braces were: there a segment counts as begun."""
    waiting: list[tuple[str, frozenset[int], int]] = [(pattern, frozenset(), 0)]
    for _ in range(_MOST_ALTERNATIVES):
        if not waiting:
            return
        text, starts, i = waiting.pop(0)
        while i < len(text) and text[i] != "{":
            i = _class(text, i)[0] if text[i] == "[" else i + 1 + (text[i] == "\\")
        if i >= len(text):
            yield text, starts
        else:
            waiting[:0] = [(one, starts | {i}, i) for one in _alternatives(text, i)]
    if waiting:
        raise _TooMuch


def _alternatives(text: str, opening: int) -> list[str]:
    """The brace that opens there, resolved. Braces nest; a backslash takes the next character's meaning away."""
    depth, start, parts, i = 0, opening + 1, [], opening
    while i < len(text):
        if text[i] == "\\":
            i += 1
        elif text[i] == "{":
            depth += 1
        elif text[i] == "," and depth == 1:
            parts.append(text[start:i])
            start = i + 1
        elif text[i] == "}":
            depth -= 1
            if not depth:
                parts.append(text[start:i])
                return [text[:opening] + part + text[i + 1 :] for part in parts]
        i += 1
    raise _BadPattern
