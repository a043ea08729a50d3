"""The two glob languages, by examples whose answers are those of the real libraries."""

from __future__ import annotations

import time

import pytest

from cpu_publisher.globs_go import LONGEST, doublestar
from cpu_publisher.globs_py import globstar

DOUBLESTAR = [
    ("abc", "abc", True),
    ("a*", "a", True),
    ("a*", "ab/c", False),
    ("a*/b", "abc/b", True),
    ("a*/b", "a/c/b", False),
    ("a*b*c*d*e*/f", "axbxcxdxexxx/f", True),
    ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", False),
    ("a?b", "a☺b", True),
    ("a?b", "a/b", False),
    ("ab[b-d]", "abc", True),
    ("ab[^b-d]", "abc", False),
    ("ab[!e-g]", "abc", True),
    ("[\\]a]", "]", True),
    ("[a-ζ]*", "é", True),
    ("[]a]", "]", False),
    ("[", "a", False),
    ("a[", "ab", False),
    ("\\", "a", False),
    ("a\\*b", "a*b", True),
    ("a\\*b", "ab", False),
    ("**", "a/b/c", True),
    ("a/**", "a", True),
    ("a/**", "a/b/c", True),
    ("**/c", "c", True),
    ("**/c", "a/b/c", True),
    ("**/c", "a/abc", False),
    ("a/**/c", "a/c", True),
    ("a/**/c", "a/x/y/c", True),
    ("a/**.txt", "a/b.txt", True),
    ("a/**.txt", "a/b/c.txt", False),
    ("abc**", "abc", True),
    ("abc**", "abc/d", False),
    ("ab{c,d}", "abd", True),
    ("ab{c,d,*}", "abcde", True),
    ("ab{c,d}[", "abcd", False),
    ("{a,b{c,d}}/x", "bd/x", True),
    ("{a,b}/**", "b/x/y", True),
    ("{a*,[}", "ab", True),
    ("{[,a*}", "ab", False),
    ("a{,x}**", "ab/c", True),
    ("a{,b}", "a", True),
    ("a{b", "a{b", False),
    ("*@x.org", "bob@x.org", True),
    ("*@x.org", "bob@x.org.evil", False),
    ("**/*", "a/.hidden", True),
]
GLOBSTAR = [
    ("**", "a/b", True),
    ("**", ".a", False),
    ("**/x", "x", True),
    ("**/x", "a/b/x", True),
    ("a/**", "a", False),
    ("a/**", "a/b/c", True),
    ("a/**", "a/.b", False),
    ("*", ".a", False),
    (".*", ".a", True),
    ("*.json", "a.json", True),
    ("*.json", "a/b.json", False),
    ("?a", ".a", False),
    ("a?", "a.", True),
    ("[ab]c", "ac", True),
    ("[!ab]c", "ac", False),
    ("a//b", "a/b", True),
    ("a**", "ab/c", False),
    ("{a,b}", "a", False),
    ("{a,b}", "{a,b}", True),
    ("[a", "[a", True),
]


@pytest.mark.parametrize(("pattern", "name", "expected"), DOUBLESTAR)
def test_doublestar(pattern: str, name: str, expected: bool) -> None:
    assert doublestar(pattern, name) is expected


@pytest.mark.parametrize(("pattern", "path", "expected"), GLOBSTAR)
def test_globstar(pattern: str, path: str, expected: bool) -> None:
    assert globstar(pattern, path) is expected


@pytest.mark.parametrize("pattern", ["a\\b", "**/", "[[:alpha:]]", "[z-a]", "x" * (LONGEST + 1)])
def test_what_is_not_certain_is_said_to_be(pattern: str) -> None:
    assert globstar(pattern, "a") is None


def test_a_hostile_pattern_costs_no_time() -> None:
    started = time.monotonic()
    name = "a" * 100
    assert doublestar("a*" * 200 + "b", name) is False
    assert doublestar("{a,b}" * 90, "a" * 89 + "c") is None
    assert doublestar("**/" * 150 + "x", "a/" * 50 + "b") is False
    assert doublestar("x" * (LONGEST + 1), "x") is None
    assert globstar("*a" * 20 + "b", name) is False
    assert globstar("**/" * 150 + "x", "a/" * 50 + "b") is False
    assert time.monotonic() - started < 2
