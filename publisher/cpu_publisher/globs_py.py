"""Globs of the Python generations (wcmatch `globmatch` with GLOBSTAR), re-stated from documented behaviour. Pure.

Patterns come from files that others may have written, so no work here grows faster than pattern times path.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

LONGEST = 512


class _BadPattern(Exception):  # noqa: N818 - a signal inside this module
    pass


@lru_cache(maxsize=8_192)
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
            last = w + 1 == len(wanted) and p + 1 == len(parts)
            return (w + 1 < len(wanted) and match(w + 1, p)) or (here and (last or match(w, p + 1)))
        return p < len(parts) and _fits(one, parts[p]) and match(w + 1, p + 1)

    return match(0, 0)


@lru_cache(maxsize=256)
def _segments(pattern: str) -> tuple[tuple[re.Pattern[str] | str, ...] | None, ...]:
    """Each path segment as terms (`*`, a literal character, a compiled class); None for `**`."""
    return tuple(None if s == "**" else tuple(_segment(s)) for s in re.sub("/+", "/", pattern).split("/"))


def _segment(text: str) -> list[re.Pattern[str] | str]:
    terms: list[re.Pattern[str] | str] = []
    i = 0
    while i < len(text):
        found = re.compile(r"\[([!^]?)([^\]][^\]]*)\]").match(text, i)
        if found:
            terms.append(_plain_class(*found.groups()))
            i = found.end()
            continue
        if text[i] == "[" and "]" in text[i:]:
            raise _BadPattern
        terms.append(re.compile(".", re.DOTALL) if text[i] == "?" else "**" if text[i] == "*" else text[i])
        i += 1
    return terms


def _fits(terms: tuple[re.Pattern[str] | str, ...], text: str) -> bool:
    """Wildcards never match a leading dot."""
    if not text or (text[0] == "." and terms[:1] != (".",)):
        return not text and not terms
    places = {0}
    for term in terms:
        if term == "**":
            places = set(range(min(places), len(text) + 1))
        else:
            places = {p + 1 for p in places if p < len(text) and _is(term, text[p])}
        if not places:
            return False
    return len(text) in places


def _is(term: re.Pattern[str] | str, char: str) -> bool:
    return term == char if isinstance(term, str) else bool(term.fullmatch(char))


def _plain_class(sign: str, items: str) -> re.Pattern[str]:
    """A class of single characters and forward ranges; anything else is not certain."""
    if not re.fullmatch(r"(?:[\w@.+]-[\w@.+]|[\w@.+])+", items):
        raise _BadPattern
    if any(low > high for low, high in re.findall(r"(.)-(.)", items)):
        raise _BadPattern
    return re.compile(f"[{'^' if sign else ''}{items}]")
