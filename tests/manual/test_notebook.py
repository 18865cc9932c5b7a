"""The notebooks: whole in both languages, stored without outputs, true from the first cell to the last."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.deploy.files import tool
from tests.support.notebooks import Cell, cells_of, run_notebook
from tests.support.processes import ROOT, environment

FOLDER = ROOT / "notebooks"
ENGLISH, SPANISH = FOLDER / "sereno.en.ipynb", FOLDER / "sereno.es.ipynb"
HEADING = re.compile(r"^## (\d)\. (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
PICTURE = re.compile(r"data:image/svg\+xml;base64,([^\"]+)")
SECTIONS = 8
each_notebook = pytest.mark.parametrize("path", [ENGLISH, SPANISH], ids=["en", "es"])

if not FOLDER.is_dir():
    pytest.skip("the notebooks are not installed", allow_module_level=True)


def _headings(path: Path) -> dict[int, str]:
    texts = [text for kind, text in cells_of(path) if kind == "markdown"]
    return {int(number): title for text in texts for number, title in HEADING.findall(text)}


def _code(path: Path) -> list[str]:
    return [text for kind, text in cells_of(path) if kind == "code"]


@each_notebook
def test_every_section_explains_itself_and_shows_code(path: Path) -> None:
    cells = cells_of(path)
    begins = [place for place, (_, text) in enumerate(cells) if HEADING.match(text)]
    ends = [*begins[1:], len(cells)]

    assert list(_headings(path)) == list(range(1, SECTIONS + 1))
    for begin, end in zip(begins, ends, strict=True):
        said = HEADING.sub("", cells[begin][1]).split()
        assert len(said) > 15, cells[begin][1]
        assert "code" in {kind for kind, _ in cells[begin:end]}


def test_both_languages_run_the_same_code_and_tell_it_in_other_words() -> None:
    english, spanish = _code(ENGLISH), _code(SPANISH)
    texts = [{text for kind, text in cells_of(path) if kind == "markdown"} for path in (ENGLISH, SPANISH)]

    assert [(one, other) for one, other in zip(english, spanish, strict=True) if one != other] == [
        ('LANGUAGE = "en"', 'LANGUAGE = "es"')
    ]
    assert len(texts[0]) == len(texts[1])
    assert texts[0] & texts[1] == set()


@each_notebook
def test_nothing_that_a_run_left_is_stored(path: Path) -> None:
    cells = [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]

    assert [cell["outputs"] for cell in cells] == [[] for _ in cells]
    assert {cell["execution_count"] for cell in cells} == {None}


@each_notebook
def test_links_lead_somewhere(path: Path) -> None:
    links = {link for kind, text in cells_of(path) if kind == "markdown" for link in LINK.findall(text)}

    assert len(links) == 2
    assert {link for link in links if not (path.parent / link).exists()} == set()


@pytest.mark.parametrize("path", [pytest.param(ENGLISH, marks=pytest.mark.slow), SPANISH], ids=["en", "es"])
def test_every_cell_runs_and_the_figures_are_what_the_words_say(path: Path) -> None:
    cells, summary = run_notebook(path)

    assert {cell.section for cell in cells if cell.printed or cell.shown} == set(range(1, SECTIONS + 1))
    pictures = [base64.b64decode(one) for cell in cells for one in PICTURE.findall(cell.shown)]
    assert len(pictures) == 3
    assert all(picture.count(b"<path") + picture.count(b"<circle") >= 3 for picture in pictures)
    assert summary["readings"] == 3 * 168 * 24
    assert 0 < summary["faults found"] < summary["faults put in"]
    assert summary["false episodes a week and asset"] < 0.25
    assert summary["error of the forecast [%]"] < summary["error of the naive forecast [%]"]
    assert summary["incidents over HTTP"] == 1
    assert summary["trained again"] == "reproducible"
    assert 0 < summary["seen by the watch"] < summary["drifts put in"]
    assert _says(cells, "Unusually low" if path == ENGLISH else "Consumo inusualmente bajo")


@pytest.mark.slow
def test_a_kernel_of_jupyter_runs_it(tmp_path: Path) -> None:
    jupyter = tool("jupyter-execute", extra="notebook")
    shutil.copytree(FOLDER, tmp_path / "notebooks")
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    ran = tmp_path / "notebooks" / ENGLISH.name

    line = [jupyter, "--inplace", "--timeout=300", str(ran)]
    done = subprocess.run(
        line, cwd=tmp_path, env=environment(), capture_output=True, encoding="utf-8", check=False
    )

    assert done.returncode == 0, done.stderr
    outputs = [cell["outputs"] for cell in json.loads(ran.read_text("utf-8"))["cells"] if "outputs" in cell]
    kinds = {kind for shown in outputs for one in shown for kind in one.get("data", {})}
    assert "text/html" in kinds
    assert not [one for shown in outputs for one in shown if one["output_type"] == "error"]


def _says(cells: Sequence[Cell], words: str) -> bool:
    return any(words in cell.printed + cell.shown for cell in cells)
