"""A fleet in a lake is judged as the same assets in a workspace are, block by block, and once."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from sereno.domain.errors import MissingColumns, ModelCorrupt, NoReadings
from sereno.domain.forecasts import QUANTILES, quantile_name
from sereno.flows.assets import standing_of
from sereno.flows.build import open_setup
from sereno.flows.forecasting import ForecastRequest
from sereno.flows.incident_lists import IncidentQuery
from sereno.flows.lake import score_lake, train_lake, worst_active
from sereno.flows.lake_evaluating import evaluate_lake
from sereno.flows.lake_fleet import LakeRequest, lake_blocks
from sereno.flows.lake_forecasting import forecast_lake
from sereno.flows.lake_storing import store_forecasts, store_lake
from sereno.flows.models import load_model
from sereno.flows.score import evidence_since
from tests.scale.fleet import roofs, write_lake
from tests.support.bounded import within
from tests.support.builders import (
    DAY,
    HOUR,
    MADRID,
    NOW,
    PROFILES,
    SOLAR,
    a_roof,
    a_solar_workspace,
    a_workspace,
)

ENGINES_S = 400
"""Longer than both engines take where other work has most of the machine; what hangs fails then."""
IDENTITY = ("id", "kind", "cause", "severity", "started_at", "ended_at")


@pytest.fixture(scope="module")
def windows():
    return roofs(6)


@pytest.fixture(scope="module")
def lake(tmp_path_factory, windows):
    return write_lake(tmp_path_factory.mktemp("lake") / "lake", windows)


def a_setup(folder, settings="executor: {workers: 0}\n"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sereno.yaml").write_text(f"detector: {{trees: 10}}\n{settings}")
    return open_setup(folder, clock=lambda: NOW, language="en")


def a_request(lake, folder, **options):
    return LakeRequest(str(lake), str(folder / "results"), **options)


@pytest.fixture(scope="module")
def judged(tmp_path_factory, lake):
    """Six roofs learnt and judged in one block, in this process."""
    folder = tmp_path_factory.mktemp("judged")
    setup, wanted = a_setup(folder), a_request(lake, folder, keeps_scores=True)
    return setup, wanted, train_lake(setup, wanted), score_lake(setup, wanted)


def said_by(check, window, evidence):
    """Score over threshold of each row of a stretch; NaN where the check said nothing of it."""
    said = (one.exceedance for one in evidence if one.check == check)
    return next(said, np.full(len(window), np.nan))


def incidents_in(wanted):
    found = pl.read_parquet(f"{wanted.output}/incidents/*.parquet").select(IDENTITY)
    return {row["id"]: row for row in found.iter_rows(named=True)}


def test_lake_gives_the_incidents_and_the_model_of_a_workspace(tmp_path, windows, judged):
    _, wanted, _, report = judged
    with a_solar_workspace(tmp_path, windows) as workspace:
        workspace.score()
        stored = {
            view.incident.id: {name: view.to_json(NOW)[name] for name in IDENTITY}
            for view in workspace.find_incidents(IncidentQuery())
        }
        model = workspace.model("solar").card.id

    found = incidents_in(wanted)

    assert found == stored
    assert len(found) == report.counts["incidents"] > 3
    models = pl.read_parquet(f"{wanted.output}/incidents/*.parquet")["model"].drop_nulls()
    assert set(models) == {model}


def test_lake_gives_each_row_the_score_of_a_workspace(tmp_path, windows, judged):
    _, wanted, _, _ = judged
    with a_solar_workspace(tmp_path, windows) as workspace:
        model = workspace.model("solar")
        with workspace.store.begin() as tx:
            standings = [standing_of(tx, asset, model, None) for asset in tx.assets()]
            said = {one.asset.key: evidence_since(tx, one, SOLAR, model) for one in standings}

    scores = pl.read_parquet(f"{wanted.output}/scores/*.parquet")

    for key, stretches in said.items():
        own = scores.filter((pl.col("site") == key.site) & (pl.col("asset") == key.asset)).sort("time")
        for check in {one.check for _, evidence in stretches for one in evidence}:
            stored = np.concatenate([said_by(check, *one) for one in stretches])
            np.testing.assert_array_equal(own[check].to_numpy(), stored.astype(np.float32), str(check))


@pytest.mark.filterwarnings("default")  # of Dask's own
@pytest.mark.parametrize("kind", ["local", "dask"])
def test_every_engine_gives_the_same(tmp_path, lake, kind):
    if kind == "dask":
        pytest.importorskip("distributed", reason="Dask needs the extra `dask`")
    here = a_setup(tmp_path / "here", "executor: {workers: 0, block_assets: 2}\n")
    there = a_setup(tmp_path / "there", f"executor: {{kind: {kind}, workers: 2, block_assets: 2}}\n")

    with within(ENGINES_S):
        found = [
            (train_lake(setup, wanted).digest, score_lake(setup, wanted).digest, incidents_in(wanted))
            for setup, wanted in ((one, a_request(lake, one.folder)) for one in (here, there))
        ]

    assert found[0] == found[1]
    assert found[0][2]


def test_what_is_there_is_not_done_again(judged):
    setup, wanted, trained, scored = judged

    again = train_lake(setup, wanted), score_lake(setup, wanted)

    assert [one.n_known for one in again] == [1, 1]
    assert [one.digest for one in again] == [trained.digest, scored.digest]
    assert again[1].counts == scored.counts


def test_only_blocks_with_new_rows_are_done_again_and_old_results_go(tmp_path, windows):
    setup = a_setup(tmp_path, "executor: {workers: 0, block_assets: 2}\n")
    lake = write_lake(tmp_path / "lake", windows, per_file=1)
    wanted = a_request(lake, tmp_path)
    score_lake(setup, wanted)
    write_lake(lake / "later", [replace(roofs(6, rows=220)[5])])

    report = score_lake(setup, wanted)

    assert (report.n_blocks, report.n_known) == (3, 2)
    for folder in ("assets", "incidents", "detections"):
        assert len(list((tmp_path / "results" / folder).iterdir())) == 3


def test_interrupted_run_goes_on_with_what_is_missing(tmp_path, lake):
    setup = a_setup(tmp_path, "executor: {workers: 0, block_assets: 2}\n")
    wanted = a_request(lake, tmp_path)

    def interrupt(n_done, _n_blocks):
        if n_done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_lake(setup, wanted, interrupt)

    assert score_lake(setup, wanted).n_known == 2


def test_asset_that_came_after_training_is_judged_without_a_model(tmp_path, windows):
    setup = a_setup(tmp_path)
    lake = write_lake(tmp_path / "lake", windows[:4])
    wanted = a_request(lake, tmp_path)
    train_lake(setup, wanted)
    write_lake(lake / "later", windows[4:])

    report = score_lake(setup, wanted)

    assert (report.n_blocks, report.counts["assets"]) == (2, 6)
    found = pl.read_parquet(f"{wanted.output}/incidents/*.parquet")
    learnt = set(found.filter(pl.col("model").is_not_null())["site"])
    assert learnt
    assert learnt <= {one.asset.site for one in windows[:4]}


def test_history_is_cut_where_training_shall_end(tmp_path, lake, windows):
    setup = a_setup(tmp_path)
    before = windows[0].time[150].item().replace(tzinfo=NOW.tzinfo)

    train_lake(setup, a_request(lake, tmp_path, before=before))

    (file,) = (tmp_path / "results" / "models").iterdir()
    model = load_model(file, PROFILES)
    assert all(layout.until < before for layout in model.layouts.values())


def test_too_short_history_leaves_a_block_without_a_model(tmp_path):
    setup = a_setup(tmp_path)
    wanted = a_request(write_lake(tmp_path / "lake", roofs(2, rows=10)), tmp_path)

    report = train_lake(setup, wanted)

    assert (report.counts["assets"], report.counts["learnt"]) == (2, 0)
    assert score_lake(setup, wanted).counts["rows"] == 20


def test_model_that_was_altered_is_refused(tmp_path, lake):
    setup = a_setup(tmp_path)
    wanted = a_request(lake, tmp_path)
    train_lake(setup, wanted)
    (file,) = (tmp_path / "results" / "models").iterdir()
    file.write_bytes(file.read_bytes()[:-1])

    with pytest.raises(ModelCorrupt):
        score_lake(setup, wanted)


def test_worst_severity_of_what_goes_on_is_that_of_open_incidents(judged):
    _, wanted, _, _ = judged
    found = pl.read_parquet(f"{wanted.output}/incidents/*.parquet")
    levels = ["low", "medium", "high", "critical"]
    active = found.filter(pl.col("ended_at").is_null())["severity"].to_list()

    worst = max(active, key=levels.index) if active else None

    assert worst_active(wanted.output) == worst


def test_meter_and_its_twin_are_in_one_block(tmp_path):
    settings = "executor: {block_assets: 2}\nassets: {Planta 0: {twin: Planta 3}}\n"
    setup = a_setup(tmp_path, settings)
    wanted = a_request(write_lake(tmp_path / "lake", roofs(4, rows=5)), tmp_path)

    blocks = lake_blocks(setup, wanted, setup.profiles["solar"])

    assert ["Planta 0", "Planta 3"] in [[key.site for key in block.keys] for block in blocks]


def test_forecasts_of_a_lake_are_those_of_a_workspace(tmp_path):
    meters = [a_roof(f"Tejado {n}", rows=24 * 60, step=HOUR, seed=n) for n in range(3)]
    setup = a_setup(tmp_path / "lake-workspace")
    wanted = a_request(write_lake(tmp_path / "lake", meters), tmp_path)

    report = forecast_lake(setup, wanted, ForecastRequest(DAY))

    with a_solar_workspace(tmp_path / "stored", meters) as workspace:
        stored = workspace.forecast(horizon=DAY).forecasts
    assert report.counts["forecasts"] == len(stored) == 3
    found = pl.read_parquet(f"{wanted.output}/forecasts/*.parquet")
    for one in stored:
        own = found.filter(pl.col("site") == one.asset.site)
        np.testing.assert_array_equal(own["p50"].to_numpy(), one.median)
        np.testing.assert_array_equal(own["p95"].to_numpy(), one.at(0.95))


def test_forecasts_of_a_lake_come_into_the_store_as_they_are(tmp_path):
    meters = [a_roof(f"Planta {n}", rows=24 * 40, step=HOUR) for n in range(3)]
    setup = a_setup(tmp_path / "lake-workspace", "executor: {workers: 0, block_assets: 2}\n")
    wanted = a_request(write_lake(tmp_path / "lake", meters), tmp_path)
    forecast_lake(setup, wanted, ForecastRequest(DAY))

    with a_solar_workspace(tmp_path / "stored", meters[:1]) as workspace:
        said = [store_forecasts(workspace.setup, workspace.store, wanted.output).to_json() for _ in range(2)]
        with workspace.store.read() as tx:
            assets = {one.key: one for one in tx.assets()}
            kept = {key: tx.forecasts(one.id) for key, one in assets.items()}

    assert said == [{"forecasts": 2, "left_out": 1}] * 2
    assert {assets[one.asset].zone for one in meters} == {MADRID}
    assert [len(kept[one.asset]) for one in meters] == [0, 1, 1]
    found = pl.read_parquet(f"{wanted.output}/forecasts/*.parquet")
    for meter in meters[1:]:
        own, stored = found.filter(pl.col("asset") == meter.asset.asset), kept[meter.asset][0].forecast
        np.testing.assert_array_equal(stored.time, own["time"].to_numpy())
        for level in QUANTILES:
            np.testing.assert_array_equal(stored.at(level), own[quantile_name(level)].to_numpy())


def test_lake_that_was_not_forecast_gives_no_forecasts(tmp_path):
    with a_workspace(tmp_path) as workspace, pytest.raises(NoReadings):
        store_forecasts(workspace.setup, workspace.store, str(tmp_path / "nothing"))


def test_evaluation_of_a_lake_is_that_of_a_workspace(tmp_path, windows, lake):
    truth = tmp_path / "truth.csv"
    days = [str(windows[1].time[row])[:10] for row in (170, 188)]
    truth.write_text(f"cliente_id,fecha_inicio,fecha_fin\nPlanta 1,{days[0]},{days[1]}\n")
    setup = a_setup(tmp_path / "lake-workspace", "executor: {workers: 0}\ntimezone: Europe/Madrid\n")
    wanted = a_request(lake, tmp_path)
    train_lake(setup, wanted)

    found = evaluate_lake(setup, wanted, truth).to_json()

    settings = "timezone: Europe/Madrid\n"
    with a_solar_workspace(tmp_path / "stored", windows, settings=settings) as workspace:
        stored = workspace.evaluate(truth).to_json()
    for document in (found, stored):
        document.pop("acceptance", None)
        document.pop("judging_seconds", None)
    assert found == stored


def test_evaluation_in_blocks_adds_up(tmp_path, windows, lake):
    truth = tmp_path / "truth.csv"
    day = str(windows[1].time[175])[:10]
    lines = [f"{name},{day},{day}" for name in ("Planta 1", "Planta 5", "Nobody")]
    truth.write_text("\n".join(["cliente_id,fecha_inicio,fecha_fin", *lines, ""]))
    setup = a_setup(tmp_path, "executor: {workers: 0, block_assets: 2}\n")

    found = evaluate_lake(setup, a_request(lake, tmp_path), truth)

    assert (found.board.n_assets, found.board.n_events, found.n_labels) == (6, 2, 3)
    assert found.unknown == {"Nobody": 1}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        pytest.param({"profile": "nonsense"}, NoReadings, id="unknown profile"),
        pytest.param({}, MissingColumns, id="no signal"),
    ],
)
def test_lake_that_nobody_understands_is_refused(tmp_path, options, error):
    frame = pl.DataFrame({"site": ["a"], "asset": ["b"], "time": [NOW], "humbug": [1.0]})
    frame.write_parquet(tmp_path / "lake.parquet")
    wanted = a_request(tmp_path / "lake.parquet", tmp_path, **options)

    with pytest.raises(error):
        train_lake(a_setup(tmp_path), wanted)


def test_incidents_of_a_lake_come_into_the_store_once(tmp_path, windows, judged):
    _, wanted, _, report = judged
    with a_workspace(tmp_path) as workspace:
        first = store_lake(workspace.setup, workspace.store, wanted.output)
        stored = {view.incident.id: view for view in workspace.find_incidents(IncidentQuery())}

        again = store_lake(workspace.setup, workspace.store, wanted.output)
        n_events = [len(workspace.events(one)) for one in stored]

    assert (first.n_assets, first.n_opened, first.n_left_out) == (6, report.counts["incidents"], 0)
    assert {one: {name: view.to_json(NOW)[name] for name in IDENTITY} for one, view in stored.items()} == (
        incidents_in(wanted)
    )
    assert again.n_opened == 0
    with a_workspace(tmp_path) as workspace:
        assert [len(workspace.events(one)) for one in stored] == n_events


def test_assets_whose_readings_the_store_has_are_left_to_it(tmp_path, windows, judged):
    _, wanted, _, _ = judged
    with a_solar_workspace(tmp_path, windows[:2]) as workspace:
        done = store_lake(workspace.setup, workspace.store, wanted.output)

    assert (done.n_assets, done.n_left_out) == (4, 2)
