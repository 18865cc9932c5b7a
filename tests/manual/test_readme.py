"""The README: what it shows runs, in its order, on files that nobody has seen before."""

import re
import shlex
from pathlib import Path

import pytest

from sereno.settings.profiles import load_profiles
from tests.support.processes import ROOT, Ran, run_code, sereno
from tests.support.stores import differences, dump, sqlite_address

README = ROOT / "README.md"
OPERATIONS = ROOT / "docs" / "operations.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
LINES = 12
"""Lines of the list under "Your own files"."""

if not README.is_file():
    pytest.skip("the README is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ten weeks of three zones, and what is known of their faults."""
    folder = tmp_path_factory.mktemp("readme")
    world = ("load", "--days", 70, "--assets", 3, "--seed", 5, "--output", folder / "exports")
    assert sereno("simulate", *world).code == 0
    (folder / "exports" / "truth").rename(folder / "truth")
    return folder


def _block(page: Path, holding: str) -> str:
    return next(code for _, code in FENCE.findall(page.read_text("utf-8")) if holding in code)


def _digits(text: str) -> set[str]:
    """Its figures without the signs that differ between the languages."""
    return {re.sub(r"[.,]", "", one) for one in FIGURE.findall(text)}


def _run(line: str, folder: Path, **stand_ins: str) -> Ran:
    words = shlex.split(line, comments=True)
    return sereno(*(stand_ins.get(word, word) for word in words[1:]), cwd=folder)


@pytest.mark.slow
def test_every_command_runs_in_the_order_of_the_page(exports: Path) -> None:
    lines = _block(README, "FILE_OR_FOLDER").splitlines()
    stand_ins = {"FILE_OR_FOLDER": "exports", "INCOMING_FOLDER": "exports", "CSV": "truth/load.csv"}

    ran = {
        line: _run(f"{line.partition('#')[0]} {'--once' if ' watch ' in line else ''}", exports, **stand_ins)
        for line in lines
        if line.startswith("sereno ")
    }

    assert len(lines) == LINES == len(ran) + 1
    assert {line: one.err for line, one in ran.items() if one.code} == {}
    assert "Zona 1" in (exports / "week.html").read_text("utf-8")


@pytest.mark.slow
def test_every_recipe_runs_in_a_folder_of_its_own(tmp_path: Path) -> None:
    lines = [line for line in _block(README, "simulate solar").splitlines() if line]

    ran = {line: _run(line, tmp_path) for line in lines}

    assert {line: one.err for line, one in ran.items() if one.code} == {}
    assert len({path.name for path in tmp_path.iterdir() if path.is_dir()}) == len(load_profiles())


@pytest.mark.parametrize("name", ["README.md", "README.es.md"])
def test_figures_stand_in_the_benchmarks(name: str) -> None:
    """What the table beside peers says was measured is found where it is said how."""
    text = (ROOT / name).read_text("utf-8")
    rows = [line for line in text.splitlines() if re.match(r"\| `(?:python -m benchmarks)?\.\w+`", line)]
    measured = _digits("\n".join(rows))
    known = _digits((ROOT / "docs" / "benchmarks.md").read_text("utf-8"))

    assert len(rows) == 8
    assert len(measured) > 15
    assert measured <= known


@pytest.mark.slow
def test_the_same_journey_from_python(exports: Path) -> None:
    code = _block(README, "import sereno").replace('"plant"', '"python"')

    ran = run_code(f"import os\nos.chdir({str(exports)!r})\n{code}")

    assert ran.code == 0, ran.err
    told = ran.out.splitlines()
    assert len([line for line in told if line.endswith((" ok", " warnings"))]) == 3
    assert [line for line in told if line.startswith(("LOW ", "MEDIUM ", "HIGH ", "CRITICAL "))]


def test_backup_comes_back_as_the_page_of_operations_says(tmp_path: Path) -> None:
    lines = _block(OPERATIONS, " restore ").splitlines()
    world = ("load", "--days", 2, "--assets", 1, "--seed", 1)
    assert sereno("simulate", *world, workspace=tmp_path / "plant").code == 0
    (tmp_path / "backups").mkdir()

    for line in lines:
        stand_ins = {
            "/backups": "backups",
            "/backups/FILE.tar.gz": str(next((tmp_path / "backups").glob("*"), "")),
        }
        ran = _run(line, tmp_path, **stand_ins)
        assert ran.code == 0, ran.err

    before, after = (dump(sqlite_address(tmp_path / name)) for name in ("plant", "again"))
    assert len(lines) == 3
    assert before["reading_load"]
    assert differences(before, after) == {}
