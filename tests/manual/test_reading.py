"""The pages about reading: every command runs on the files they show, and no key or portal is left out."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from sereno.settings.mappings import ColumnMappingSettings, MappingSettings, load_portals
from tests.support.processes import ROOT, sereno

PAGES = [ROOT / "docs" / "reading.md", ROOT / "docs" / "es" / "lectura.md"]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r'title="(.+)"')
EXIT = re.compile(r"#\s*exit (\d+)")

if not all(page.is_file() for page in PAGES):
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)


def blocks(page: Path) -> list[tuple[str, str]]:
    return FENCE.findall(page.read_text("utf-8"))


def test_pages_show_the_same_code_under_as_many_headings() -> None:
    english, spanish = (page.read_text("utf-8") for page in PAGES)

    assert blocks(PAGES[0]) == blocks(PAGES[1])
    assert len(re.findall(r"^## ", english, re.MULTILINE)) == len(re.findall(r"^## ", spanish, re.MULTILINE))


def test_every_command_of_the_pages_does_what_they_say(tmp_path: Path) -> None:
    """In the order of the page, as a reader would try them; the mapping shown is the one that is saved."""
    n_commands = 0
    for kind, text in blocks(PAGES[0]):
        if title := TITLE.search(kind):
            (tmp_path / title[1]).write_text(text, "utf-8")
        elif kind == "sh":
            for line in text.splitlines():
                wanted = EXIT.search(line)
                done = sereno(*shlex.split(line, comments=True)[1:], cwd=tmp_path)
                assert done.code == int(wanted.group(1) if wanted else 0), f"{line}\n{done.out}\n{done.err}"
                n_commands += 1
        elif kind == "yaml":
            assert yaml.safe_load((tmp_path / "sereno.yaml").read_text("utf-8")) == yaml.safe_load(text)

    assert n_commands == 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_key_and_portal_is_on_the_page(page: Path) -> None:
    text = page.read_text("utf-8")
    keys = {*MappingSettings.model_fields, *ColumnMappingSettings.model_fields, *load_portals()}

    assert not {key for key in keys if f"`{key}`" not in text}
