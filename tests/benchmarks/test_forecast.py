"""The benchmarks of forecasts: on a city and a fleet made up here."""

import json
import sys

import numpy as np
import polars as pl
import pytest

from benchmarks import drift, fleet, forecast, loads
from benchmarks.openstef import interpreter_with_openstef

N_DAYS = 25 * 7


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "tetuan").mkdir()
    rng = np.random.default_rng(0)
    steps = np.arange(N_DAYS * 144)
    start = np.datetime64("2017-01-01T00:00", "m")
    stamps = [one.item().strftime("%-m/%-d/%y %-H:%M") for one in start + steps * 10]
    day = 2 + np.sin(2 * np.pi * steps / 144) + 0.3 * (steps // 144 % 7 < 5)
    columns = {"Date": stamps}
    columns |= {name: rng.normal(20, 3, len(steps)) for name in forecast.WEATHER}
    for number, zone in enumerate(forecast.ZONES, start=1):
        columns[zone] = 10_000 * number * day * (1 + 0.02 * rng.normal(size=len(steps)))
    pl.DataFrame(columns).write_csv(folder / "tetuan" / "city.csv")
    return folder


def test_forecast_says_errors_beside_the_naive_and_bands(city, capsys):
    forecast.main(["--data", str(city), "--json", "--quick", "--train-until", "2017-03-05"])

    document = json.loads(capsys.readouterr().out)

    assert document["test_until"].startswith("2017-03-08")
    for task in ("day_ahead", "one_hour"):
        assert document[task]["sereno"]["mase"] < document[task]["day_naive"]["mase"]
        assert set(document[task]) >= {"sereno", "day_naive", "week_naive", *forecast._PEERS}
    assert len(document["bands"]["coverage_by_hour"]) == 24
    assert document["goals"]["worst_zone_to_day_naive"]["met"]


STAND_IN = """#!{python}
import sys
import numpy as np
if sys.argv[1] == "-c":
    sys.exit({fails})
task = np.load(sys.argv[-2])
values, origins, n_steps = task["values"], task["origins"], int(task["n_steps"])
assert values.shape[1] == origins[-1], "values of the future were handed over"
said = values[:, origins[:, None] - 144 + np.arange(n_steps)]
said = np.stack([said - 1, said, said + 1], axis=-1)
np.savez(sys.argv[-1], said=said, fit_cpu_s=1.0, predict_cpu_s=2.0, version="0")
"""


def a_stand_in(folder, *, fails=0):
    """An interpreter whose OpenSTEF says the day before: the real one asks for another Python."""
    file = folder / "python"
    file.write_text(STAND_IN.format(python=sys.executable, fails=fails))
    file.chmod(0o755)
    return file


def test_openstef_answers_from_an_interpreter_of_its_own(city, tmp_path, capsys):
    peer = a_stand_in(tmp_path)

    period = ("--train-until", "2017-03-05", "--test-until", "2017-03-07")
    forecast.main(["--data", str(city), "--json", "--quick", *period, "--openstef-python", str(peer)])

    day = json.loads(capsys.readouterr().out)["day_ahead"]
    assert [one["knows_weather"] for one in day["openstef"]["models"]] == [False, True]
    assert day["openstef"]["best"]["mase_by_zone"] == day["day_naive"]["mase_by_zone"]
    assert day["openstef"]["best"]["coverage_by_zone"] == [0.0, 0.0, 0.0]
    assert day["openstef"]["sereno_mase"] == day["sereno"]["mase"]
    assert day["openstef"]["ratio"] < 1


def test_openstef_that_is_not_there_is_told(tmp_path, capsys):
    assert interpreter_with_openstef(None) is None

    assert "OpenSTEF is not measured" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="cannot import OpenSTEF"):
        interpreter_with_openstef(a_stand_in(tmp_path, fails=1))


def test_the_cut_of_the_first_system(city, capsys):
    forecast.main(["--data", str(city), "--json", "--quick", "--seed-cut"])

    document = json.loads(capsys.readouterr().out)

    assert not document["full_year"]
    assert document["sereno_day_ahead"]["rmse"] < document["same_time_last_week"]["rmse"]


def test_fleet_says_cost_and_error(capsys):
    fleet.main(["--json", "--rows", "8"])

    document = json.loads(capsys.readouterr().out)

    assert {"fit_cpu_s", "predict_ms", "refit_cpu_s", "peak_gb", "mase", "peer"} <= set(document)
    assert document["mase"] < document["naive_mase"]


def test_drift_says_false_alarms_delays_and_scenarios(city, capsys):
    drift.main(["--data", str(city), "--json", "--quick"])

    document = json.loads(capsys.readouterr().out)

    n_false = sum(document["false_alarms"].values())
    assert document["false_alarms_per_meter_year"] == pytest.approx(n_false / document["meter_years"])
    assert set(document["false_alarms"]) == {"quality", "input", "concept", "performance"}
    assert document["false_alarms"]["quality"] == 0
    assert set(document["detect_weeks"]) == {"t_plus_5", "t_plus_2", "humidity_plus_10", "load_plus_10"}
    assert document["detect_weeks"]["load_plus_10"] == 1
    assert document["imputed"]["weeks_seen_share"] == 1
    assert set(document["scenarios"]) >= {"temperature_shift", "seasonal_drift", "missing_features"}


def test_loads_says_errors_of_the_kinds_that_are_there_beside_the_naive(tmp_path, capsys):
    (tmp_path / "uci_household").mkdir()
    rng = np.random.default_rng(0)
    hours = np.arange(300 * 24)
    time = np.datetime64("2007-01-01T00", "us") + hours * np.timedelta64(1, "h")
    day = 2 + np.sin(2 * np.pi * hours / 24) + 0.5 * (hours // 24 % 7 < 5)
    names = ("Global_active_power", "Sub_metering_1", "Sub_metering_2", "Sub_metering_3")
    columns = {name: day * (1 + 0.05 * rng.normal(size=len(hours))) for name in names}
    columns["Sub_metering_3"] = np.full(len(hours), np.nan)
    pl.DataFrame({"Datetime": time, **columns}).write_parquet(
        tmp_path / "uci_household" / "household_hourly.parquet"
    )

    loads.main(["--data", str(tmp_path), "--json", "--quick"])

    document = json.loads(capsys.readouterr().out)
    assert {"regions_2006", "transformers", "solar"}.isdisjoint(document)
    household = document["household"]
    assert household["series"] == 3
    assert household["day_ahead"]["sereno"] < household["day_ahead"]["week_naive"]
    assert household["day_ahead"]["ratio"] < 1.0
    assert household["one_hour"]["sereno"] > 0.0
    assert document["goals"]["worst_ratio_to_naive"]["met"]


def test_loads_asks_for_a_folder(monkeypatch):
    monkeypatch.delenv("SERENO_DATA", raising=False)

    with pytest.raises(SystemExit, match="--data"):
        loads.main(["--quick"])
