"""The two glob languages of SyftBox's permission files, re-stated from their documented behaviour. Pure.

`doublestar`: the Go generation (bmatcuk/doublestar v4 `Match`). `globstar`: the Python ones (wcmatch `globmatch` with
GLOBSTAR). Patterns come from files that others may have written, so both bound their work by `LONGEST`.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

LONGEST = 512


class _BadPattern(Exception):  # noqa: N818 - a signal inside this module
    pass


def doublestar(pattern: str, name: str) -> bool | None:
    """Whether `pattern` matches all of `name`; a malformed one matches nothing, None: too long to be worth the work."""
    if len(pattern) > LONGEST or len(name) > LONGEST:
        return None
    try:
        return _doublestar(pattern, name)
    except _BadPattern:
        return False


def _doublestar(pattern: str, name: str) -> bool:
    @cache
    def match(rest: str, at: int, *, segment_start: bool) -> bool:
        while rest and at < len(name):
            if rest[0] == "*":
                return star(rest, at, segment_start=segment_start)
            if rest[0] == "{":  # what follows a brace counts as the start of a segment, whatever stands before it
                return any(match(one, at, segment_start=True) for one in _alternatives(rest))
            length, matched, segment_start = _single(rest, name[at])
            if not matched:
                return False
            rest, at = rest[length:], at + 1
        return at == len(name) and _matches_nothing(rest)

    def star(rest: str, at: int, *, segment_start: bool) -> bool:
        after = rest[2:] if rest.startswith("**") else rest[1:]
        if rest.startswith("**") and segment_start:
            if not after:
                return True
            if after[0] == "/":  # any number of whole folders
                starts = [at, *(i + 1 for i in range(at, len(name)) if name[i] == "/")]
                return any(match(after[1:], start, segment_start=True) for start in starts)
        end = name.find("/", at)
        ends = range(at, (len(name) if end < 0 else end) + 1)
        return any(match(after, stop, segment_start=False) for stop in ends)

    return match(pattern, 0, segment_start=True)


def _single(rest: str, char: str) -> tuple[int, bool, bool]:
    """How long the term is that `rest` begins with, whether it matches `char`, whether a segment begins after it."""
    if rest[0] == "?":
        return 1, char != "/", False
    if rest[0] == "[":
        return *_class(rest, char), False
    literal = rest[1:2] if rest[0] == "\\" else rest[0]
    if not literal:
        raise _BadPattern
    return 1 + (rest[0] == "\\"), literal == char, literal == "/"


def _matches_nothing(rest: str) -> bool:
    """What is left of a pattern may match the empty rest of a name."""
    if rest in ("", "*", "**", "/**", "**/", "/**/"):
        return True
    return rest[0] == "{" and any(_matches_nothing(one) for one in _alternatives(rest))


def _alternatives(rest: str) -> list[str]:
    """`{a,b}c` -> `ac`, `bc`. Braces nest; a backslash takes the next character's meaning away."""
    depth, start, parts, skip = 0, 1, [], False
    for i, char in enumerate(rest):
        if skip:
            skip = False
        elif char == "\\":
            skip = True
        elif char == "{":
            depth += 1
        elif char == "," and depth == 1:
            parts.append(rest[start:i])
            start = i + 1
        elif char == "}":
            depth -= 1
            if not depth:
                return [part + rest[i + 1 :] for part in (*parts, rest[start:i])]
    raise _BadPattern


def _class(rest: str, char: str) -> tuple[int, bool]:
    """How long the class is that `rest` begins with, and whether `char` is in it. A class may match `/`."""
    i = 2 if rest[1:2] in ("!", "^") else 1
    if rest[i : i + 1] in ("", "]"):
        raise _BadPattern
    negated, found, last = i == 2, False, ""  # noqa: PLR2004 - the sign was skipped
    while rest[i : i + 1] != "]":
        if i >= len(rest):
            raise _BadPattern
        ranged = bool(last) and rest[i] == "-" and rest[i + 1 : i + 2] not in ("", "]")
        i += ranged
        i += rest[i] == "\\"
        item = rest[i : i + 1]
        if not item:
            raise _BadPattern
        found |= last <= char <= item if ranged else char == item
        last = "" if ranged else item
        i += 1
    return i + 1, found != negated


def globstar(pattern: str, path: str) -> bool | None:
    """Whether `pattern` matches all of `path`; None: what that pattern means is not certain.

    Not certain: escapes, odd classes, a closing `**/`, which versions of wcmatch read differently, or too long.
    """
    if len(pattern) > LONGEST or len(path) > LONGEST or "\\" in pattern or re.search(r"\*\*/+$", pattern):
        return None
    try:
        wanted = _segments(pattern)
    except _BadPattern:
        return None
    parts = path.split("/")

    @cache
    def match(w: int, p: int) -> bool:
        if w == len(wanted):
            return p == len(parts)
        one = wanted[w]
        if one is None:
            here = p < len(parts) and bool(parts[p]) and not parts[p].startswith(".")
            # A closing `**` stands for at least one name below a folder; alone it may stand for the whole path.
            return (w + 1 < len(wanted) and match(w + 1, p)) or (here and (match(w, p + 1) or _last(w, p)))
        return p < len(parts) and bool(one.fullmatch(parts[p])) and match(w + 1, p + 1)

    def _last(w: int, p: int) -> bool:
        return w + 1 == len(wanted) and p + 1 == len(parts)

    return match(0, 0)


@lru_cache(maxsize=256)
def _segments(pattern: str) -> tuple[re.Pattern[str] | None, ...]:
    """Each path segment compiled; None for `**`."""
    return tuple(None if s == "**" else re.compile(_segment(s), re.DOTALL) for s in re.split("/+", pattern))


def _segment(text: str) -> str:
    """One path segment as a regular expression; wildcards never match a leading dot."""
    out, i = "", 0
    while i < len(text):
        char = text[i]
        start = "(?!\\.)" if not i else ""
        if char == "*":
            out += start + ("(?=.)" if not i else "") + ".*"
            i = len(text) - len(text[i:].lstrip("*"))
            continue
        if char == "?":
            out += start + "."
        elif char == "[" and (found := re.match(r"\[([!^]?)([^\]])([^\]]*)\]", text[i:])):
            out += start + _plain_class(*found.groups())
            i += found.end()
            continue
        elif char == "[" and "]" in text[i:]:
            raise _BadPattern
        else:
            out += re.escape(char)
        i += 1
    return out


def _plain_class(sign: str, first: str, others: str) -> str:
    """A class of single characters and forward ranges; anything else is not certain."""
    items = first + others
    if not re.fullmatch(r"(?:[\w@.+]-[\w@.+]|[\w@.+])+", items):
        raise _BadPattern
    if any(low > high for low, high in re.findall(r"(.)-(.)", items)):
        raise _BadPattern
    return f"[{'^' if sign else ''}{items}]"
