from pathlib import Path

import pytest

from sereno.domain.errors import SettingsError
from sereno.domain.facts import NO_FACTS
from sereno.domain.signals import AssetKey
from sereno.flows.build import open_setup

DECLARED = """
assets:
  "*": {pressure: gauge, altitude_m: 650}
  Norte: {latitude: 40.4, longitude: -3.7, pressure: absolute}
  Norte/Medidor 2: {altitude_m: 700}
"""


def setup(folder: Path, text: str):
    (folder / "sereno.yaml").write_text(text, "utf-8")
    return open_setup(folder, language="en")


def test_facts_of_an_asset_are_its_own_then_its_sites_then_those_of_all(tmp_path: Path) -> None:
    gas = setup(tmp_path, DECLARED).profiles["gas"]

    assert gas.facts_of(AssetKey("Sur", "Medidor 2")).pressure == "gauge"
    site = gas.facts_of(AssetKey("Norte", "Norte"))
    assert (site.latitude, site.pressure, site.altitude_m) == (40.4, "absolute", 650)
    asset = gas.facts_of(AssetKey("Norte", "Medidor 2"))
    assert (asset.latitude, asset.pressure, asset.altitude_m) == (40.4, "absolute", 700)


def test_nothing_is_known_of_an_asset_that_nobody_declared(tmp_path: Path) -> None:
    assert setup(tmp_path, "").profiles["solar"].facts_of(AssetKey("a", "a")) is NO_FACTS


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("presure: gauge", "Did you mean 'pressure'?"),
        ("latitude: 91", "latitude"),
        ("pressure: man", "'man'"),
    ],
)
def test_wrong_fact_is_refused_with_its_line(tmp_path: Path, line: str, shown: str) -> None:
    with pytest.raises(SettingsError) as refused:
        setup(tmp_path, f"assets:\n  Norte:\n    {line}\n")

    assert "sereno.yaml:3" in str(refused.value)
    assert shown in str(refused.value)
