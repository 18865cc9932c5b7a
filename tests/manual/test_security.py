"""The pages on security: their commands run, their settings are accepted, both say the same."""

import re
import shlex
from pathlib import Path

import yaml

from sereno.settings.access import ServiceSettings
from sereno.settings.tree import Settings
from tests.support.processes import ROOT, sereno

PAGES = [ROOT / "docs" / "security.md", ROOT / "docs" / "es" / "seguridad.md"]


def _blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def test_both_languages_show_the_same_code() -> None:
    english, spanish = ([_blocks(page, kind) for kind in ("bash", "yaml")] for page in PAGES)

    assert english == spanish


def test_settings_of_the_page_are_accepted() -> None:
    (block,) = _blocks(PAGES[0], "yaml")

    service = Settings.model_validate(yaml.safe_load(block)).service

    assert {*ServiceSettings.model_fields} - service.model_fields_set == {"auth"}


def test_commands_of_the_page_run(tmp_path: Path) -> None:
    (tmp_path / "acme.csv").write_text("Fecha,Generación total\n01.01.2024,1\n02.01.2024,2\n", "utf-8")
    lines = [line for block in _blocks(PAGES[0], "bash") for line in block.splitlines()]
    assert len(lines) == 14

    ran = {line: sereno(*shlex.split(line)[1:], cwd=tmp_path) for line in lines}

    assert {line: one.err for line, one in ran.items() if one.code} == {}
