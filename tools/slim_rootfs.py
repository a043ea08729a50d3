"""Assemble the root file system of one package as two trees: `shared` with Python, `own` with everything else.

Runs in the build stage of each Dockerfile. No shell, no pip, no setuid file and no package manager get in, because
nothing is taken from the base image but what is named here or linked by it. `shared` depends on the base image alone,
so the engine finds its layer built by another package's image: stored once, and in memory once for all containers.
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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Parts of the standard library that no package imports: modules, packages, extension modules with that in their name.
NOT_NEEDED = (
    *("__pycache__", "_pyrepl", "_aix_support", "ensurepip", "idlelib", "lib2to3", "pdb", "pydoc", "pydoc_data"),
    *("test", "tkinter", "turtle", "turtledemo", "unittest", "doctest", "venv", "wsgiref", "xmlrpc", "curses", "dbm"),
    *("_codecs_", "_multibytecodec", "readline", "_lsprof", "_interp", "ssl", "_hashlib", "optparse", "pickletools"),
    *("imaplib", "mailbox", "smtplib", "ftplib", "xx"),
)
# Parts that the collector does without: never in `shared`, and in `own` with `--more`.
MORE = (
    *("asyncio", "multiprocessing", "concurrent", "email", "html", "http", "xml", "urllib", "ctypes", "sqlite3"),
    *("zoneinfo", "decimal", "lzma", "bz2", "tarfile", "zipfile"),
)
ENCODINGS = (
    *("__init__", "aliases", "ascii", "charmap", "cp437", "idna", "iso8859_1", "latin_1", "punycode", "unicode_escape"),
    *("raw_unicode_escape", "utf_8", "utf_8_sig", "utf_16", "utf_16_be", "utf_16_le", "utf_32"),
)
SITE = Path("/usr/lib/python3/dist-packages")
LIBRARY = Path(sysconfig.get_path("stdlib"))


def main() -> None:
    """Build both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path, help="new folder for the two trees")
    parser.add_argument("--site", type=Path, required=True, help="site-packages with the dependencies")
    parser.add_argument("--own", type=Path, required=True, help="the package's own folder")
    parser.add_argument("--command", required=True, help="name of its command")
    parser.add_argument("--more", action="store_true", help="with what the collector does without")
    args = parser.parse_args()
    shared, own = args.target / "shared", args.target / "own"
    copy_python(shared)
    copy_package(own, args.site, args.own, args.command)
    take_out(shared, NOT_NEEDED, None)
    take_out(shared, MORE, own if args.more else None)
    copy_linked(shared, [])
    copy_linked(own, [shared])
    for tree in (shared, own):
        compile_all(tree)
        give_one_age(tree)


def copy_package(root: Path, site: Path, package: Path, command: str) -> None:
    """The package, what it depends on, and its command."""
    target = root / SITE.relative_to("/")
    unwanted = ("pip*", "setuptools*", "__pycache__", "tests", "*.pyi", "*.h", "*.pxd", "RECORD", "direct_url.json")
    shutil.copytree(site, target, ignore=shutil.ignore_patterns(*unwanted))
    shutil.copytree(package, target / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    launcher = root / "usr/bin" / command
    launcher.parent.mkdir()
    launcher.write_text(f"#!/usr/bin/python3\nimport sys\n\nfrom {package.name}.cli import main\n\nsys.exit(main())\n")
    launcher.chmod(0o755)


def compile_all(root: Path) -> None:
    """Byte code beside the sources, never checked against them: the containers are read-only."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(
        root, maxlevels=20, stripdir=str(root), prependdir="/", quiet=1, invalidation_mode=mode
    ):
        sys.exit("some modules cannot be compiled: see above")


def give_one_age(root: Path) -> None:
    """Everything as old as the interpreter: a layer of the same files is the same layer, whenever it was made."""
    age = Path(sys.executable).stat().st_mtime
    for path in (root, *root.rglob("*")):
        os.utime(path, (age, age), follow_symlinks=False)


def copy_python(root: Path) -> None:
    """The interpreter and its library, at Debian's own paths, and the folders that an engine mounts over."""
    binary = Path(sys.executable).resolve()
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/lib").mkdir()
    for name in ("lib", "lib64", "bin"):
        (root / name).symlink_to(f"usr/{name}")
    for folder in ("proc", "sys", "dev", "tmp", "run"):
        (root / folder).mkdir()
    shutil.copy2(binary, root / "usr/bin" / binary.name)
    (root / "usr/bin/python3").symlink_to(binary.name)
    target = root / LIBRARY.relative_to("/")
    shutil.copytree(LIBRARY, target, ignore=shutil.ignore_patterns("__pycache__", "test", "tests", "config-*"))
    for path in (target / "encodings").glob("*.py"):
        if path.stem not in ENCODINGS:
            path.unlink()


def take_out(root: Path, names: Iterable[str], into: Path | None) -> None:
    """Take modules, packages and extension modules with such names out of `root`'s library: into a tree, or away."""
    library = root / LIBRARY.relative_to("/")
    for name in names:
        extensions = [path for path in (library / "lib-dynload").iterdir() if name in path.name.partition(".")[0]]
        for path in (library / name, library / f"{name}.py", *extensions):
            if into and path.exists():
                target = into / path.relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def copy_linked(root: Path, below: list[Path]) -> None:
    """Every shared library that something in `root` is linked to, at its own path, if no tree `below` has it."""
    own = {p.name for p in root.rglob("*.so*")}
    wanted: set[Path] = set()
    for path in [*root.rglob("*.so*"), *(root / "usr/bin").iterdir()]:
        if path.is_symlink() or not path.is_file():
            continue
        listed = subprocess.run(["ldd", path], check=False, capture_output=True, text=True).stdout
        wanted |= {Path(word) for word in listed.split() if word.startswith("/") and Path(word).name not in own}
    for path in wanted:
        # /lib and /lib64 are links to /usr/lib and /usr/lib64
        place = Path("usr" if path.parts[1].startswith("lib") else "") / path.relative_to("/")
        if not path.is_file() or any((tree / place).exists() for tree in below):
            continue
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(os.path.realpath(path), root / place)


if __name__ == "__main__":
    main()
