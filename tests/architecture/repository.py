"""What the architecture tests look at: files, syntax trees and the tool settings of this repository."""

import ast
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "sereno"
UNTRACKED_FOLDERS = {"build", "dist", "htmlcov", "__pycache__"}


@cache
def settings() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@cache
def files() -> tuple[Path, ...]:
    """Every file that belongs to the repository; without git, those outside hidden and built folders."""
    git = shutil.which("git")
    listed = git and subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if listed and listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        found = [path for path in ROOT.rglob("*") if not _is_untracked(path.relative_to(ROOT))]
    return tuple(sorted(path for path in found if path.is_file() and not path.is_symlink()))


@cache
def modules() -> tuple[Path, ...]:
    """Every module of the package."""
    return tuple(sorted(path for path in PACKAGE.rglob("*.py")))


@cache
def tree(module: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(module.read_text(encoding="utf-8"), filename=str(module))


def name(path: Path) -> str:
    """A path as a test id."""
    return path.relative_to(ROOT).as_posix()


def rooms() -> set[str]:
    """The folders and modules directly below the package that hold code."""
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    return folders | {path.stem for path in PACKAGE.glob("*.py") if path.stem not in {"__init__", "__main__"}}


def placeholders(sentence: str) -> set[str]:
    """The names that `str.format` fills in a sentence."""
    fields = (field for _, field, _, _ in Formatter().parse(sentence) if field is not None)
    return {field.split(".")[0].split("[")[0] for field in fields}


def imported(module: ast.Module) -> Iterator[str]:
    """Full names of what a module imports, anywhere in it."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


def _is_untracked(path: Path) -> bool:
    return any(
        part in UNTRACKED_FOLDERS or part.endswith(".egg-info") or (part.startswith(".") and part != ".ci")
        for part in path.parts[:-1]
    )
