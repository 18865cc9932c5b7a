"""The pages about lakes: their settings and commands exist, and both languages show the same code."""

import ast
import re

import pytest
from typer.main import get_command

from sereno.cli.app import app
from sereno.settings.reading import load_settings
from tests.support.processes import ROOT

PAGES = [ROOT / "docs" / "scale.md", ROOT / "docs" / "es" / "escala.md"]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

if not all(page.is_file() for page in PAGES):
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)


def test_both_languages_show_the_same_code():
    english, spanish = (FENCE.findall(page.read_text("utf-8")) for page in PAGES)

    assert english == spanish


def test_settings_of_the_page_are_accepted(tmp_path):
    (said,) = [text for kind, text in FENCE.findall(PAGES[0].read_text("utf-8")) if kind == "yaml"]
    (tmp_path / "sereno.yaml").write_text(said, "utf-8")

    found = load_settings(tmp_path, {}).tree.executor

    assert (found.kind, found.workers, found.block_assets) == ("local", 2, 250)


def test_commands_of_the_page_have_their_options():
    page = PAGES[0].read_text("utf-8")
    commands = get_command(app).commands

    for name, options in re.findall(r"^sereno (\w+) +(--.*)$", page, re.MULTILINE):
        known = {option for one in commands[name].params for option in one.opts}
        assert set(re.findall(r"--[\w-]+", options)) <= known


def test_python_of_the_page_imports_what_there_is():
    (said,) = [text for kind, text in FENCE.findall(PAGES[0].read_text("utf-8")) if kind == "python"]

    for node in ast.walk(ast.parse(said)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("sereno"):
            module = __import__(node.module, fromlist=["*"])
            assert all(hasattr(module, one.name) for one in node.names)
