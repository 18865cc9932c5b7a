"""Mappings in the settings: keys, and an entry added without touching what people wrote."""

from pathlib import Path

import pytest
import yaml

from sereno.domain.errors import SettingsError
from sereno.settings.mappings import load_portals
from sereno.settings.profiles import load_profiles
from sereno.settings.reading import load_settings, save_entry

ENTRY = {"match": {"columns": ["Fecha", "Consumo"]}, "decimal": ",", "columns": {"Fecha": {"role": "time"}}}


@pytest.mark.parametrize(
    ("text", "line", "near"),
    [
        ("mappings:\n  a:\n    decimel: ','\n", 3, "decimal"),
        ("mappings:\n  a:\n    match:\n      colums: [x]\n", 4, "columns"),
        ("mappings:\n  a:\n    columns:\n      Consumo:\n        signl: energy\n", 5, "signal"),
        ("mappings:\n  a:\n    columns:\n      unit:\n        signl: energy\n", 5, "signal"),
    ],
    ids=["mapping", "match", "column", "column named as a field"],
)
def test_unknown_key_is_refused_with_its_line_and_the_nearest_one(tmp_path: Path, text, line, near) -> None:
    (tmp_path / "sereno.yaml").write_text(text, "utf-8")

    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, {})

    assert caught.value.facts["where"] == f"{tmp_path / 'sereno.yaml'}:{line}"
    assert f"'{near}'" in str(caught.value.facts["hint"])


def test_zone_of_a_mapping_must_exist(tmp_path: Path) -> None:
    (tmp_path / "sereno.yaml").write_text("mappings:\n  a: {timezone: Europe/Madird}\n", "utf-8")

    with pytest.raises(SettingsError, match="Europe/Madrid"):
        load_settings(tmp_path, {})


@pytest.mark.parametrize(
    "before",
    [
        "",
        "# nuestra planta\nbudget: 0.5",
        "mappings:\n",
        "mappings:\n  otra:   # de Juan\n    decimal: '.'\n\n# al final\nbudget: 0.5  # probado\n",
        "mappings:\n    otra:\n        decimal: '.'",
        "mappings:\n  otra: {decimal: '.', columns: {A: {unit: kWh}}}\nlanguage: es\n",
    ],
    ids=["no file", "other keys", "empty branch", "comments", "four blanks", "flow entry"],
)
def test_added_entry_keeps_every_line_that_was_there(tmp_path: Path, before: str) -> None:
    path = tmp_path / "sereno.yaml"
    if before:
        path.write_text(before, "utf-8")
    known = yaml.safe_load(before) or {}

    save_entry(tmp_path, "mappings", "planta", ENTRY)

    after = path.read_text("utf-8")
    expected = {**known, "mappings": {**(known.get("mappings") or {}), "planta": ENTRY}}
    assert yaml.safe_load(after) == expected
    assert [line for line in after.splitlines() if line in before.splitlines()] == before.splitlines()
    assert load_settings(tmp_path, {}).tree.mappings["planta"].decimal == ","
    assert [p.name for p in tmp_path.iterdir()] == ["sereno.yaml"]


def test_entry_is_not_added_to_a_branch_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "sereno.yaml"
    path.write_text("budget: 1\nmappings: {otra: {decimal: '.'}}\n", "utf-8")
    before = path.read_bytes()

    with pytest.raises(SettingsError) as caught:
        save_entry(tmp_path, "mappings", "planta", ENTRY)

    assert str(caught.value.facts["where"]).endswith("sereno.yaml:2")
    assert path.read_bytes() == before


@pytest.mark.parametrize("portal", load_portals().values(), ids=lambda portal: portal.name)
def test_portal_speaks_of_signals_that_its_profile_has(portal) -> None:
    profile = load_profiles()[portal.profile]
    signals = {column.signal for column in portal.columns.values() if column.signal}

    assert profile.is_open or signals <= set(profile.signal_names)
    assert portal.match.columns
    assert set(portal.match.columns) <= set(portal.columns)
    assert portal.source
