"""What the images' builder takes out of other people's code: docstrings, and nothing else."""

from __future__ import annotations

import ast
import json
import opcode
import pathlib

import pytest
import slim_rootfs

SOURCE = b'''"""Of a module
over lines."""

from __future__ import annotations


class A:
    """One."""


def f(x: int) -> str:
    """Two \xc3\xa9
    lines."""
    y = "kept"
    return y + str(x)  # kept


def g(): """after a colon"""


def h():
    "a"; return 1
'''


def test_docstrings_go_and_lines_stay() -> None:
    bare = slim_rootfs.without_docstrings(SOURCE)
    assert bare.count(b"\n") == SOURCE.count(b"\n")
    assert bare.splitlines()[14] == b"    return y + str(x)  # kept"
    assert b"One" not in bare
    assert b"Two" not in bare
    assert b"after a colon" not in bare
    assert b'"a"; return 1' in bare  # a second statement on its line: left alone
    space: dict[str, object] = {}
    exec(compile(bare, "x", "exec"), space)  # noqa: S102 - the text above
    assert space["f"](3) == "kept3"  # type: ignore[operator]


@pytest.mark.parametrize("module", [ast, json, opcode, pathlib])
def test_real_modules_lose_nothing_else(module: object) -> None:
    source = pathlib.Path(str(getattr(module, "__file__", ""))).read_bytes()
    bare = slim_rootfs.without_docstrings(source)
    assert ast.dump(undocumented(source)) == ast.dump(undocumented(bare))


def undocumented(source: bytes) -> ast.Module:
    """The tree with each docstring replaced as the builder does it."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        holder = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if holder and ast.get_docstring(node, clean=False) is not None:  # type: ignore[arg-type]
            node.body[:1] = [] if node is tree else [ast.Expr(ast.Constant(...))]  # type: ignore[attr-defined]
    return tree
