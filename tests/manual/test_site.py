"""The manual as a site: whole, strict, in both languages, and asking no other machine."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.files import tool
from tests.support.processes import ROOT

CONFIG = ROOT / "mkdocs.yml"
REMOTE = re.compile(r"<(?:script|link|img)[^>]*\s(?:src|href)=[\"']?(https?://[^\s\"'>]+)")

if not CONFIG.is_file():
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)


def _named(nav: object) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    assert isinstance(parts, list) or not isinstance(parts, str)
    return [name for part in parts for name in _named(part)]


def test_every_page_has_its_place_in_the_navigation() -> None:
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    named = _named(yaml.safe_load(CONFIG.read_text("utf-8"))["nav"])

    assert len(named) == len(set(named))
    assert set(named) == {page for page in pages if not page.startswith("decisions/")}


@pytest.mark.slow
def test_site_is_built_without_a_warning_and_asks_no_other_machine(tmp_path: Path) -> None:
    mkdocs = tool("mkdocs", extra="docs")

    command = [mkdocs, "build", "--strict", "--config-file", str(CONFIG), "--site-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert {address for page in pages for address in REMOTE.findall(page.read_text("utf-8"))} == set()
    assert (tmp_path / "es" / "index.html").is_file()
