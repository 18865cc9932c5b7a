"""Notebooks, run without a kernel: each code cell in turn, in one fresh interpreter."""

import ast
import contextlib
import io
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.processes import ROOT, environment, run_code

__all__ = ["Cell", "cells_of", "run_notebook"]

TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Cell:
    """A cell that has run.

    Attributes:
        section: Number of the heading that it stands under.
        printed: What it wrote.
        shown: Its last expression as a notebook shows it, HTML where it has one.
    """

    section: int
    source: str
    printed: str
    shown: str


def cells_of(path: Path) -> list[tuple[str, str]]:
    """Kind and text of every cell."""
    return [
        (cell["cell_type"], "".join(cell["source"])) for cell in json.loads(path.read_text("utf-8"))["cells"]
    ]


def run_notebook(path: Path) -> tuple[list[Cell], dict[str, Any]]:
    """What every code cell showed, and the figures that it calls its `summary`."""
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    code = f"from tests.support import notebooks; notebooks.main({str(path)!r})"
    ran = run_code(code, env=environment(PYTHONPATH=paths), timeout=TIMEOUT_S)
    assert ran.code == 0, ran.err
    said = json.loads(ran.out)
    return [Cell(**cell) for cell in said["cells"]], said["summary"]


def main(path: str) -> None:
    """Run the notebook here and print what came of it as JSON."""
    names: dict[str, Any] = {"__name__": "__main__"}
    os.chdir(Path(path).parent)
    done, section = [], 0
    for kind, text in cells_of(Path(path)):
        if kind == "markdown":
            section += text.startswith("## ")
            continue
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            shown = _shown(_run(text, names))
        done.append({"section": section, "source": text, "printed": out.getvalue(), "shown": shown})
    json.dump({"cells": done, "summary": names["summary"]}, sys.stdout)


def _run(text: str, names: dict[str, Any]) -> object:
    """The value of the last expression of a cell."""
    tree = ast.parse(text)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None


def _shown(value: object) -> str:
    if value is None:
        return ""
    as_html = getattr(value, "_repr_html_", None)
    return str(as_html() if as_html else repr(value))
