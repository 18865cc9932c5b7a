from pathlib import Path

import numpy as np
import pytest

from sereno.domain.errors import SettingsError
from sereno.flows.workspace import Workspace
from tests.support.builders import MADRID, NOW, PLANT, a_window, a_workspace, readings_of

CONTRACT = f"""
assets:
  {PLANT.site}:
    contract:
      power: {{maximum: 50, hours: ["06:00-22:00"], days: [1, 2, 3, 4, 5], outside: 5}}
"""


def judged(folder: Path, power: np.ndarray, settings: str = CONTRACT) -> Workspace:
    workspace = a_workspace(folder, settings=settings)
    window = a_window(power[:, None], signals=("power",), zone=MADRID, profile="load")
    workspace.add(readings_of(window), zone=MADRID, judge=True)
    return workspace


def usual() -> np.ndarray:
    """Two working days: the day's work from 7 to 20 h, little at night; never twice the same."""
    hour = np.arange(48) % 24
    return np.where((hour >= 7) & (hour < 20), 40.0, 2.0) + np.random.default_rng(1).random(48)


def test_use_within_the_contract_is_quiet(tmp_path: Path) -> None:
    assert not judged(tmp_path, usual()).incidents()


@pytest.mark.parametrize(("row", "power", "most"), [(36, 61.5, 50.0), (27, 21.5, 5.0)], ids=["power", "hour"])
def test_use_outside_the_contract_is_told_before_any_model(
    tmp_path: Path, row: int, power: float, most: float
) -> None:
    taken = usual()
    taken[row] = power

    (view,) = judged(tmp_path, taken).incidents()

    told = view.to_json(NOW)
    assert (told["cause"], told["problem"]) == ("behaviour.contract", "outside_contract")
    assert (told["observed"], told["expected"], told["signals"]) == (power, most, ["power"])
    assert "beyond what its contract allows" in str(told["sentence"])
    assert "Uso fuera de contrato" in str(told["sentence_es"])


def test_the_second_time_tells_of_the_first(tmp_path: Path) -> None:
    taken = np.tile(usual(), 2)
    taken[[12, 84]] = 61.5, 63.5

    views = judged(tmp_path, taken).incidents(order="newest")

    assert [view.to_json(NOW)["similar_count"] for view in views] == [1, 0]
    assert [view.recurrence for view in views] == ["rising", "first"]


def test_hours_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        a_workspace(tmp_path, settings=CONTRACT.replace("22:00", "25:00"))
