"""The pages about personal data: their settings are accepted, their commands run, both languages agree."""

import re
import shlex
from datetime import timedelta
from pathlib import Path

import pytest

from sereno.settings.reading import load_settings
from tests.journeys.worlds import declare, roofs, write_months
from tests.support.processes import ROOT, sereno

PAGES = [ROOT / "docs" / "privacy.md", ROOT / "docs" / "es" / "datos-personales.md"]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

if not all(page.is_file() for page in PAGES):
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)


def _blocks(kind: str) -> list[str]:
    return [text for found, text in FENCE.findall(PAGES[0].read_text("utf-8")) if found == kind]


def test_both_languages_show_the_same_code() -> None:
    english, spanish = (FENCE.findall(page.read_text("utf-8")) for page in PAGES)

    assert english == spanish


def test_settings_of_the_page_are_accepted(tmp_path: Path) -> None:
    (said,) = _blocks("yaml")
    (tmp_path / "sereno.yaml").write_text(said, "utf-8")

    tree = load_settings(tmp_path, {}).tree

    assert (tree.retention.thin, tree.retention.readings) == (timedelta(days=400), timedelta(days=1825))
    assert (tree.retention.max_rows, tree.logging.format, tree.status.critical) == (
        {"motor": 20_000},
        "json",
        4,
    )


def test_commands_of_the_page_do_what_they_say(tmp_path: Path) -> None:
    workspace = declare(tmp_path / "plant")
    files = write_months(tmp_path / "files", roofs(months=1, sites=2))
    sereno("ingest", *files, workspace=workspace)
    (block,) = _blocks("bash")

    ran = [sereno(*shlex.split(line)[1:], "--json", cwd=tmp_path) for line in block.splitlines()]

    assert [one.code for one in ran] == [0] * 5, [one.err for one in ran]
    assert (tmp_path / "out" / "planta_1.tar.gz").is_file()
    assert ran[2].document["rows"] == ran[3].document["rows"]
    assert [one["reason"] for one in ran[4].document] == ["asked by letter"]
