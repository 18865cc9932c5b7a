"""The pages about sources: their examples load and build, and no kind or key is left out."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sereno.flows.build import open_setup
from sereno.flows.feeds import declared_feeds
from sereno.ingest.sources import source_kinds
from sereno.settings.sources import SOURCES
from sereno.testing import check_source
from tests.support.processes import ROOT
from tests.support.third_party import declared

PAGES = [ROOT / "docs" / "sources.md", ROOT / "docs" / "es" / "fuentes.md"]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

if not all(page.is_file() for page in PAGES):
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)


def _blocks(kind: str) -> list[str]:
    return [text for name, text in FENCE.findall(PAGES[0].read_text("utf-8")) if name == kind]


def _sources() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for text in _blocks("yaml"):
        found |= yaml.safe_load(text)["sources"]
    return found


def test_pages_show_the_same_code_under_as_many_headings() -> None:
    english, spanish = (page.read_text("utf-8") for page in PAGES)

    assert FENCE.findall(english) == FENCE.findall(spanish)
    assert len(re.findall(r"^## ", english, re.MULTILINE)) == len(re.findall(r"^## ", spanish, re.MULTILINE))


@pytest.mark.parametrize(
    "text", _blocks("yaml"), ids=lambda text: str(next(iter(yaml.safe_load(text)["sources"])))
)
def test_example_loads_and_builds(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secretos").mkdir()
    (tmp_path / "secretos" / "historiador.txt").write_text("postgresql://u:s3cr3t@h/db\n", "utf-8")
    (tmp_path / "secretos" / "opcua.txt").write_text("s3cr3t\n", "utf-8")
    (tmp_path / "counter.py").write_text(_blocks("python")[0], "utf-8")
    (tmp_path / "sereno.yaml").write_text(text, "utf-8")
    monkeypatch.setenv("PLANTA_DATABASE_URL", "postgresql://u:s3cr3t@h/db")
    monkeypatch.setenv("MQTT_PASSWORD", "s3cr3t")

    with declared(tmp_path, monkeypatch, "sereno.sources", counter="counter:Counter"):
        setup = open_setup(tmp_path)
        feeds = declared_feeds(setup, "store")

    assert [feed.name for feed in feeds] == list(yaml.safe_load(text)["sources"])
    assert "s3cr3t" not in repr(feeds)
    assert "s3cr3t" not in repr(list(setup.loaded.effective()))


def test_every_kind_and_common_key_is_on_the_pages() -> None:
    common = set.intersection(*(set(branch.model_fields) for branch in SOURCES.values()))

    assert {said["kind"] for said in _sources().values()} == {*source_kinds(), "counter"}
    for page in PAGES:
        text = page.read_text("utf-8")
        assert not {name for name in common if f"`{name}`" not in text}


def test_source_that_is_shown_keeps_the_contract() -> None:
    names: dict[str, Any] = {"__name__": "counter"}
    exec(_blocks("python")[0], names)

    check_source(names["Counter"](), n_records=3)

    assert 'counter = "counter:Counter"' in _blocks("toml")[0]
