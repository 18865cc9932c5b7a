"""What judging found stands beside the raw value, and goes when another value comes."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.readings import Quality, Window
from sereno.flows.workspace import Workspace
from tests.support.builders import HOUR, MADRID, SOLAR, a_roof, a_window, a_workspace, readings_of, with_cells

DAYS = 30
FAULTY = slice(24 * 25, 24 * 27)


def with_fault(roof: Window, flag: Quality) -> Window:
    column = roof.signals.index("consumption")
    values = roof.values[FAULTY].copy()
    match flag:
        case Quality.SPIKE:
            return with_cells(roof, FAULTY.start + 12, "consumption", 60 * roof.values[:, column].max())
        case Quality.OUT_OF_RANGE:
            return with_cells(roof, FAULTY.start + 12, "consumption", -5_000.0)
        case Quality.FROZEN:
            return with_cells(roof, FAULTY, "consumption", 0.777)
        case Quality.SWAPPED_SIGN:
            return with_cells(roof, FAULTY, "consumption", -values[:, column])
        case Quality.UNIT_CHANGE:
            return with_cells(roof, FAULTY, "consumption", 1_000 * values[:, column])
        case _:
            swapped = values[:, [1, 0, 2, 3, 4]]
            return with_cells(roof, FAULTY, slice(None), swapped)


def stored(workspace: Workspace) -> Mapping[str, np.ndarray]:
    with workspace.store.read() as tx:
        (asset,) = tx.assets()
        rows = tx.rows(asset.id, asset.profile)
    column = rows.signals.index("consumption")
    return {"values": rows.values[:, column], "quality": rows.quality[:, column]}


@pytest.mark.parametrize(
    "flag",
    [
        Quality.SPIKE,
        Quality.OUT_OF_RANGE,
        Quality.FROZEN,
        Quality.SWAPPED_SIGN,
        Quality.SWAPPED_CHANNELS,
        Quality.UNIT_CHANGE,
    ],
    ids=lambda flag: str(flag.name),
)
def test_flag_stands_beside_the_raw_value_until_another_value_comes(tmp_path: Path, flag: Quality) -> None:
    roof = a_roof(rows=24 * DAYS, step=HOUR, start="2024-06-01T00")
    faulty = with_fault(roof, flag)
    with a_workspace(tmp_path / "w") as workspace:
        workspace.add(readings_of(faulty), zone=MADRID)
        workspace.score()
        flagged = stored(workspace)
        workspace.add(readings_of(roof), zone=MADRID)
        workspace.score()
        mended = stored(workspace)

    column = SOLAR.signal_names.index("consumption")
    rows = np.flatnonzero(flagged["quality"] & int(flag))
    assert len(rows)
    assert rows.min() >= FAULTY.start
    assert rows.max() < FAULTY.stop
    assert np.array_equal(flagged["values"], faulty.values[:, column])
    assert not (mended["quality"] & int(flag)).any()
    assert np.array_equal(mended["values"], roof.values[:, column])


def test_signal_at_another_level_is_one_incident_with_a_flag(tmp_path: Path) -> None:
    """A sensor that was replaced by one of another range."""
    rows = 24 * 30
    values = np.round(20 + np.random.default_rng(1).normal(0, 1, rows), 3)
    values[24 * 20 :] += 300.0
    line = a_window(values, signals=("Temperatura",), profile="process", start="2024-06-01T00")
    with a_workspace(tmp_path / "w") as workspace:
        workspace.add(readings_of(line), zone=MADRID)
        workspace.score()
        told = [view.to_json(workspace.now()) for view in workspace.incidents()]
        with workspace.store.read() as tx:
            (asset,) = tx.assets()
            flagged = np.flatnonzero(tx.rows(asset.id, asset.profile).quality[:, 0] & int(Quality.STEP))

    (incident,) = told
    assert (incident["cause"], incident["kind"], incident["signals"]) == (
        "quality.step",
        "data",
        ["Temperatura"],
    )
    assert incident["started_at"] == str(line.time[24 * 20])[:19] + "Z"
    assert "came to another level at once" in str(incident["sentence"])
    assert "cambió de nivel de golpe" in str(incident["sentence_es"])
    assert flagged.tolist() == [24 * 20 + 2]
