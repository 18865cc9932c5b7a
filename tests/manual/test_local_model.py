"""The forecaster of a local model as the page shows it keeps the contract with a tiny model of a folder."""

import json
import re
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from sereno.domain.errors import ForecasterMisconfigured
from sereno.domain.time import from_numpy
from sereno.forecast.registry import build_forecaster
from sereno.testing.forecasters import a_metered_history, check_forecaster
from tests.flows.test_forecasting import readings
from tests.support.builders import a_workspace
from tests.support.processes import ROOT
from tests.support.third_party import declared

PAGE = ROOT / "docs" / "forecasting.md"
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
MODULE = "my_local_model"
CHRONOS = '''
"""What stands for the library: a pipeline that reads its few weights from a folder."""
import json
from pathlib import Path

import numpy as np


class Chronos2Pipeline:
    def __init__(self, weights):
        self._lags = {int(lag): weight for lag, weight in weights["lags"].items()}
        self._spread = weights["spread"]

    @classmethod
    def from_pretrained(cls, path):
        return cls(json.loads((Path(path) / "weights.json").read_text()))

    def predict_quantiles(self, inputs, prediction_length, quantile_levels):
        made = [self._one(np.asarray(one, dtype=float), prediction_length) for one in inputs]
        offsets = self._spread * (np.array(quantile_levels) - 0.5)
        return [one[None, :, None] * (1 + offsets) for one in made], [one[None] for one in made]

    def _one(self, context, n_steps):
        series = list(np.where(np.isnan(context), np.nanmean(context), context))
        for _ in range(n_steps):
            lags = {lag: weight for lag, weight in self._lags.items() if lag <= len(series)} or {1: 1.0}
            total = sum(weight * series[-lag] for lag, weight in lags.items())
            series.append(total / sum(lags.values()))
        return np.array(series[len(context) :])
'''

if not PAGE.is_file():
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights; the page's module, and what stands for the library, can be imported."""
    (tmp_path / f"{MODULE}.py").write_text("".join(FENCE.findall(PAGE.read_text("utf-8"))), "utf-8")
    (tmp_path / "chronos.py").write_text(CHRONOS, "utf-8")
    folder = tmp_path / "weights"
    folder.mkdir()
    weights = {"lags": {"168": 0.5, "336": 0.5}, "spread": 0.4}
    (folder / "weights.json").write_text(json.dumps(weights), "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in (MODULE, "chronos"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return folder


def test_local_model_of_the_page_keeps_the_contract(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"{MODULE}:LocalModelForecaster"
    with declared(tmp_path / "package", monkeypatch, "sereno.forecasters", local=place):
        check_forecaster(build_forecaster("local", "power", {"path": str(model)}))


def test_workspace_forecasts_with_the_local_model(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = a_metered_history("power", n_meters=2, n_days=30)
    folder = tmp_path / "w"
    with (
        declared(
            tmp_path / "package", monkeypatch, "sereno.forecasters", local=f"{MODULE}:LocalModelForecaster"
        ),
        a_workspace(folder, settings=f"forecast: {{kind: local, options: {{path: {model}}}}}\n") as workspace,
    ):
        workspace.add(readings(history), zone="UTC")
        report = workspace.forecast()

    assert [one.model for one in report.forecasts] == ["chronos2", "chronos2"]
    assert all(len(one.time) == 24 for one in report.forecasts)


def test_a_model_that_is_not_there_is_never_looked_for_elsewhere(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (history,) = a_metered_history("power", n_meters=1, n_days=10)
    place = f"{MODULE}:LocalModelForecaster"
    with declared(tmp_path / "package", monkeypatch, "sereno.forecasters", local=place):
        forecaster = build_forecaster("local", "power", {"path": str(model / "absent")})
        trained = forecaster.fit([history])
        with pytest.raises(ValueError, match="is no folder"):
            trained.forecast(history, from_numpy(history.time[-1]), timedelta(days=1))
        with pytest.raises(ForecasterMisconfigured):
            build_forecaster("local", "power", {"folder": "x"})
