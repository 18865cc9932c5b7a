"""The pages about forecasts: their settings are accepted, and both languages show the same code."""

import re
from pathlib import Path

import pytest

from sereno.flows.retraining import learns_by_itself
from sereno.forecast.registry import build_forecaster, forecaster_names
from sereno.settings.reading import load_settings
from tests.support.processes import ROOT

PAGES = [ROOT / "docs" / "forecasting.md", ROOT / "docs" / "es" / "pronostico.md"]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

if not all(page.is_file() for page in PAGES):
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)


def test_both_languages_show_the_same_code() -> None:
    english, spanish = (FENCE.findall(page.read_text("utf-8")) for page in PAGES)

    assert english == spanish


def test_settings_of_the_page_are_accepted_and_build_a_forecaster(tmp_path: Path) -> None:
    said = [text for kind, text in FENCE.findall(PAGES[0].read_text("utf-8")) if kind == "yaml"]
    (tmp_path / "sereno.yaml").write_text("".join(said), "utf-8")

    settings = load_settings(tmp_path, {}).tree
    tree = settings.forecast

    assert (tree.kind, tree.country) == ("ridge", "ES-CT")
    assert build_forecaster(tree.kind, "power", tree.options)
    assert learns_by_itself(settings)


@pytest.mark.parametrize("page", PAGES, ids=["en", "es"])
def test_every_forecaster_is_described(page: Path) -> None:
    text = page.read_text("utf-8")

    assert all(f"`{name}`" in text for name in forecaster_names())
