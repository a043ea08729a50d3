"""Assemble a root file system for one package: Python, its libraries, a pruned standard library, nothing else.

Runs in the build stage of each Dockerfile. No shell, no pip, no setuid file and no package manager get in, because
nothing is taken from the base image but what is named here or linked by it.
"""

from __future__ import annotations

import argparse
import compileall
import os
import py_compile
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

# Parts of the standard library that none of the packages import, in Debian's layout.
NOT_NEEDED = (
    *(
        "__pycache__",
        "_pyrepl",
        "_aix_support.py",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pdb.py",
        "pydoc.py",
        "pydoc_data",
    ),
    *(
        "test",
        "tkinter",
        "turtle.py",
        "turtledemo",
        "unittest",
        "doctest.py",
        "venv",
        "wsgiref",
        "xmlrpc",
        "curses",
        "dbm",
    ),
)
NOT_NEEDED_LIBRARIES = ("test", "xx", "_codecs_", "_multibytecodec", "_curses", "_dbm", "readline", "_lsprof", "_gdbm")
ENCODINGS = (
    *("__init__", "aliases", "ascii", "charmap", "cp437", "idna", "iso8859_1", "latin_1", "punycode", "unicode_escape"),
    *("raw_unicode_escape", "utf_8", "utf_8_sig", "utf_16", "utf_16_be", "utf_16_le", "utf_32"),
)
SITE = Path("/usr/lib/python3/dist-packages")


def main() -> None:
    """Build it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="the new root")
    parser.add_argument("--site", type=Path, required=True, help="site-packages with the dependencies")
    parser.add_argument("--own", type=Path, required=True, help="the package's own folder")
    parser.add_argument("--command", required=True, help="name of its command")
    parser.add_argument("--without", nargs="*", default=(), help="more parts of the standard library to leave out")
    args = parser.parse_args()
    root: Path = args.root
    copy_python(root, args.without)
    site = root / SITE.relative_to("/")
    shutil.copytree(
        args.site,
        site,
        ignore=shutil.ignore_patterns(
            "pip*", "setuptools*", "__pycache__", "tests", "*.pyi", "*.h", "*.pxd", "RECORD", "direct_url.json"
        ),
    )
    own = site / args.own.name
    shutil.copytree(args.own, own, ignore=shutil.ignore_patterns("__pycache__"))
    copy_linked(root)
    launcher = root / "usr/bin" / args.command
    launcher.write_text(f"#!/usr/bin/python3\nimport sys\n\nfrom {own.name}.cli import main\n\nsys.exit(main())\n")
    launcher.chmod(0o755)
    compile_all(root)
    for folder in ("proc", "sys", "dev", "tmp", "run"):
        (root / folder).mkdir(exist_ok=True)


def compile_all(root: Path) -> None:
    """Byte code beside the sources, never checked against them: the containers are read-only."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(
        root, maxlevels=20, stripdir=str(root), prependdir="/", quiet=1, invalidation_mode=mode
    ):
        sys.exit("some modules cannot be compiled: see above")


def copy_python(root: Path, without: list[str]) -> None:
    """The interpreter and its pruned library, at Debian's own paths."""
    binary = Path(sys.executable).resolve()
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/lib").mkdir()
    for name in ("lib", "lib64", "bin"):
        (root / name).symlink_to(f"usr/{name}")
    shutil.copy2(binary, root / "usr/bin" / binary.name)
    (root / "usr/bin/python3").symlink_to(binary.name)
    library = Path(sysconfig.get_path("stdlib"))
    target = root / library.relative_to("/")
    shutil.copytree(
        library, target, symlinks=False, ignore=shutil.ignore_patterns("__pycache__", "test", "tests", "config-*")
    )
    for name in (*NOT_NEEDED, *without):
        path = target / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in (target / "encodings").glob("*.py"):
        if path.stem not in ENCODINGS:
            path.unlink()
    for path in (target / "lib-dynload").iterdir():
        if any(part in path.name.split(".")[0] for part in (*NOT_NEEDED_LIBRARIES, *without)):
            path.unlink()


def copy_linked(root: Path) -> None:
    """Every shared library that something in the new root is linked to, and the loader, at their own paths."""
    own = {p.name for p in root.rglob("*.so*")}
    wanted: set[Path] = set()
    for path in [*root.rglob("*.so*"), *(root / "usr/bin").iterdir()]:
        if path.is_symlink() or not path.is_file():
            continue
        listed = subprocess.run(["ldd", path], check=False, capture_output=True, text=True).stdout
        wanted |= {Path(word) for word in listed.split() if word.startswith("/") and Path(word).name not in own}
    for path in wanted:
        if not path.is_file():
            continue
        # /lib and /lib64 are links to /usr/lib and /usr/lib64
        target = (
            root / "usr" / path.relative_to("/") if path.parts[1].startswith("lib") else root / path.relative_to("/")
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(os.path.realpath(path), target)


if __name__ == "__main__":
    main()
