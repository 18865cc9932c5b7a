"""`sereno physics` and `Workspace.physics`: figures of plants and gas clients, and what must be declared."""

import csv
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey
from sereno.flows.workspace import Workspace
from sereno.prepare.gas import atmospheric_pressure
from tests.support.builders import HOUR, a_roof, a_window, a_workspace, readings_of
from tests.support.processes import sereno

DECLARED = "{pressure: gauge, volume: line, base_temperature_c: 0, altitude_m: 650}"


def a_client(name: str, factor: float = 1.0) -> Window:
    rows = 24 * 10
    rng = np.random.default_rng(5)
    volume = np.round(50 * np.exp(0.2 * rng.normal(size=rows)))
    values = np.column_stack((np.full(rows, 16.0), np.full(rows, 15.0), volume * factor))
    return a_window(
        values,
        signals=("pressure", "temperature", "volume"),
        profile="gas",
        step=HOUR,
        asset=AssetKey(name, name),
    )


def gas(folder: Path, settings: str, *factors: float) -> Workspace:
    workspace = a_workspace(folder, settings=settings)
    workspace.add(
        readings_of(*(a_client(f"C{i}", one) for i, one in enumerate(factors or (1.0,)))), zone="UTC"
    )
    return workspace


def figures(workspace: Workspace) -> dict[str, dict[str, float]]:
    with workspace:
        return {str(one.asset): one.figures for one in workspace.physics()}


def test_plants_have_their_ratios_and_are_compared_with_each_other(tmp_path: Path) -> None:
    roofs = [a_roof(f"P{i}", rows=30, size=20.0 * (i + 1), seed=1) for i in range(4)]
    roofs.append(a_roof("P4", rows=30, size=9.0, seed=1, generation={(25, None): 0.4}))
    workspace = a_workspace(tmp_path)
    workspace.add(readings_of(*roofs), zone="Europe/Madrid")

    found = figures(workspace)

    made, taken, used = (np.nansum(roofs[0].values[:, column]) for column in range(3))
    assert found["P0"]["self_consumption_ratio"] == pytest.approx(used / made)
    assert found["P0"]["self_sufficiency_ratio"] == pytest.approx(used / taken)
    assert found["P0"]["performance_to_peers"] == pytest.approx(1, abs=0.1)
    assert found["P4"]["performance_to_peers_last_day"] < 0.6 < found["P1"]["performance_to_peers_last_day"]


def test_gas_has_its_base_volume_amount_and_error_bound(tmp_path: Path) -> None:
    found = figures(gas(tmp_path, f"assets: {{'*': {DECLARED}}}\n"))["C0"]

    line = float(a_client("C0").values[:, 2].sum())
    bar = 16 + atmospheric_pressure(650)
    assert found["base_volume_m3"] == pytest.approx(line * bar / 1.01325 * 273.15 / 288.15, rel=1e-6)
    assert found["amount_kmol"] == pytest.approx(found["base_volume_m3"] / 22.41396954, rel=1e-6)
    assert found["error_share"] == pytest.approx(0.004 * bar * (273.15 / 288.15) ** 3, rel=1e-6)


def test_what_is_not_declared_is_a_note_with_the_line_to_write(tmp_path: Path) -> None:
    with gas(tmp_path, "") as workspace:
        (found,) = workspace.physics()

    assert not found.figures
    assert "Write `volume: line|corrected`" in found.notes[0]


@pytest.mark.parametrize(("factor", "is_off"), [(1.0, False), (1.01, False), (1.1, True)])
def test_declared_twins_have_their_ratio(tmp_path: Path, factor: float, is_off: bool) -> None:
    found = figures(gas(tmp_path, "assets: {C0: {twin: C1, volume: corrected}}\n", factor, 1.0))["C0"]

    assert found["twin_ratio"] == pytest.approx(factor)
    assert (found["twin_excess"] > 1) == is_off


def test_twin_that_does_not_exist_is_a_note(tmp_path: Path) -> None:
    with gas(tmp_path, "assets: {C0: {twin: C9, volume: corrected}}\n", 1.0, 1.0) as workspace:
        notes = {str(one.asset): one.notes for one in workspace.physics()}

    assert "'C9'" in notes["C0"][0]
    assert "C1" in notes["C0"][0]


def test_command_shows_figures_and_writes_the_rows(tmp_path: Path) -> None:
    gas(tmp_path, f"assets: {{'*': {DECLARED}}}\n").close()
    output = tmp_path / "gas.csv"

    done = sereno("--workspace", tmp_path, "physics", "--json", "--days", "5", "--output", output)

    (shown,) = done.document["assets"]
    rows = list(csv.DictReader(output.read_text("utf-8").splitlines()))
    assert len(rows) == 5 * 24 + 1
    total = sum(float(row["base_volume_m3"]) for row in rows)
    assert total == pytest.approx(shown["figures"]["base_volume_m3"], rel=1e-6)
