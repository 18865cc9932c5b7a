"""Sources in `sereno.yaml`: every mistake is told with its line and the nearest key."""

from pathlib import Path

import pytest

from sereno.domain.errors import SettingsError
from sereno.settings.reading import describe_settings, load_settings
from sereno.settings.sources import SOURCES

HEAD = "sources:\n  planta:\n"


def _refused(folder: Path, text: str) -> dict[str, object]:
    (folder / "sereno.yaml").write_text(HEAD + text, "utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(folder, {})
    return dict(caught.value.facts)


@pytest.mark.parametrize(
    ("text", "line", "detail", "hint"),
    [
        ("    kind: mqtt\n    hots: h\n    topics: [a]\n", 4, "unknown key 'sources.planta.hots'", "'host'"),
        (
            "    kind: modbus\n    host: h\n    devices:\n      - registers:\n          - {odrer: 1}\n",
            7,
            "unknown key 'sources.planta.devices.0.registers.0.odrer'",
            "",
        ),
        ("    kind: opcua\n    url: opc.tcp://h\n    nodes: []\n", 5, "'sources.planta.nodes'", ""),
        ("    kind: opcua\n    url: x\n    queue_size: 1\n    nodes: [{node: a, signal: b}]\n", 5, "20", ""),
        ("    kind: sql\n    url: sqlite:///x\n", 2, "either table or query", ""),
        ("    kind: sql\n    url: x\n    query: SELECT 1\n    processed_flag: f\n", 2, "needs a table", ""),
        ("    kind: sql\n    url: x\n    table: t\n    timezone: Europe/Madird\n", 6, "Madird", "Madrid"),
        ("    kind: mqtt\n    topics: [a]\n", 2, "'sources.planta.host'", ""),
    ],
    ids=["mqtt", "nested", "empty list", "queue", "neither", "flag", "zone", "missing"],
)
def test_mistake_is_told_with_its_line(tmp_path: Path, text: str, line: int, detail: str, hint: str) -> None:
    facts = _refused(tmp_path, text)

    assert facts["where"] == f"{tmp_path / 'sereno.yaml'}:{line}"
    assert detail in str(facts["detail"])
    assert hint in str(facts["hint"])


def test_secret_is_in_no_message(tmp_path: Path) -> None:
    facts = _refused(tmp_path, "    kind: sql\n    url: [s3cr3t]\n    table: t\n")

    assert "s3cr3t" not in str(facts)


def test_options_of_other_packages_wait_for_them(tmp_path: Path) -> None:
    (tmp_path / "sereno.yaml").write_text(f"{HEAD}    kind: lorawan\n    gateway: 7\n", "utf-8")

    source = load_settings(tmp_path, {}).tree.sources["planta"]

    assert source.model_dump()["gateway"] == 7


def test_every_option_of_every_kind_is_described() -> None:
    told = {key: text for key, _, _, text in describe_settings()}

    for branch in SOURCES.values():
        assert not {name for name in branch.model_fields if not any(f".{name}" in key for key in told)}
