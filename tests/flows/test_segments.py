"""Segments in a workspace: kept, used by training, and the start of clients that come later."""

import json
from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.errors import ModelCorrupt, NoReadings, SettingsError
from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey
from sereno.flows.segments import load_segmentation
from sereno.flows.workspace import Workspace
from tests.support.builders import a_workspace
from tests.support.gas_clients import ZONE, GasClients, gas_clients

FACTS = "assets: {'*': {pressure: gauge, volume: line, base_temperature_c: 0}}\n"
HOURS = 24 * 70
LATE = AssetKey("NUEVO", "NUEVO")


@pytest.fixture(scope="module")
def clients() -> GasClients:
    return gas_clients(8, days=90, seed=11, n_faults=0)


def readings(clients: GasClients, rows: slice, *, only: int | None = None, name: str = "") -> Readings:
    """Rows of all clients, or of one under another name."""
    chosen = range(len(clients.names)) if only is None else [only]
    keys = tuple(AssetKey(name or clients.names[i], name or clients.names[i]) for i in chosen)
    values = np.concatenate([clients.courses[i][rows] for i in chosen])
    return Readings(
        profile="gas",
        assets=keys,
        asset_index=np.repeat(np.arange(len(keys), dtype=np.int32), len(clients.time[rows])),
        time=np.tile(clients.time[rows], len(keys)),
        signals=("pressure", "temperature", "volume"),
        values=values,
        quality=np.zeros(values.shape, dtype=np.int32),
    )


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory, clients: GasClients) -> Iterator[Workspace]:
    """A workspace that has found segments and learnt by them."""
    workspace = a_workspace(tmp_path_factory.mktemp("gas"), settings=FACTS)
    workspace.add(readings(clients, slice(0, HOURS)), zone=ZONE)
    workspace.segment()
    workspace.train()
    yield workspace
    workspace.close()


def test_segments_are_kept_beside_the_models(learnt: Workspace) -> None:
    found = load_segmentation(learnt.folder, "gas")

    assert found is not None
    assert len(found.fitted) == 8
    assert found.features == (
        "volume_mean",
        "volume_std",
        "pressure_median",
        "cantidad_gas_calculada_mean",
    )


def test_model_is_calibrated_by_segment(learnt: Workspace) -> None:
    model, found = learnt.model("gas"), load_segmentation(learnt.folder, "gas")

    assert model is not None
    assert found is not None
    assert model.segments == found.digest
    assert model.card.settings["segments"] == found.digest
    for asset, number in found.fitted.items():
        own = model.calibration_of(timedelta(hours=1), asset)
        assert own == model.calibrations.get(f"3600@{number}", model.calibrations["3600"])
    by_segment = [name for name in model.calibrations if "@" in name]
    assert by_segment
    assert {model.calibrations[name].threshold for name in by_segment} != {model.card.calibration.threshold}


def test_segmenting_again_gives_the_same_digest(learnt: Workspace) -> None:
    before = load_segmentation(learnt.folder, "gas")

    (again,) = learnt.segment()

    assert before is not None
    assert again.segmentation.digest == before.digest


def test_later_client_is_assigned_and_starts_from_its_segment(tmp_path: Path, clients: GasClients) -> None:
    """The model stays; what judges the late client is its segment, and its rows are judged anew."""
    with a_workspace(tmp_path, settings=FACTS) as workspace:
        workspace.add(readings(clients, slice(0, HOURS)), zone=ZONE)
        workspace.segment()
        (card,) = workspace.train()
        workspace.add(readings(clients, slice(HOURS, HOURS + 240), only=0, name="NUEVO"), zone=ZONE)
        workspace.score()
        before = workspace.model("gas")

        (report,) = workspace.segment(is_refit=False)
        judged = workspace.score()

        after = workspace.model("gas")
    assert before is not None
    assert after is not None
    assert (report.is_refit, report.new) == (False, (LATE,))
    segment = report.segmentation.segment_of(LATE)
    assert segment == report.segmentation.segment_of(AssetKey("CLIENTE1", "CLIENTE1"))
    assert (before.id_for(LATE), after.id_for(LATE)) == (card.id, f"{card.id}@{segment}")
    assert judged.n_rows == 240
    assert after.calibration_of(timedelta(hours=1), LATE) == after.calibrations[f"3600@{segment}"]


def test_refit_segments_do_not_touch_a_model_that_learnt_with_others(
    tmp_path: Path, clients: GasClients
) -> None:
    with a_workspace(tmp_path, settings=FACTS + "segments: {method: fixed, n_segments: 2}\n") as workspace:
        workspace.add(readings(clients, slice(0, HOURS)), zone=ZONE)
        workspace.segment()
        workspace.train()
        workspace.add(readings(clients, slice(0, HOURS), only=2, name="NUEVO"), zone=ZONE)
        workspace.segment()

        model = workspace.model("gas")

    assert model is not None
    assert LATE not in model.segment_of


def test_client_with_two_days_is_too_new(tmp_path: Path, clients: GasClients) -> None:
    with a_workspace(tmp_path, settings=FACTS) as workspace:
        workspace.add(readings(clients, slice(0, HOURS)), zone=ZONE)
        workspace.add(readings(clients, slice(0, 48), only=0, name="NUEVO"), zone=ZONE)

        (report,) = workspace.segment()

    assert report.segmentation.number_of(LATE) is None
    assert report.segmentation.too_short == {LATE: 48}


def test_amount_that_nobody_declared_is_left_out_and_said(tmp_path: Path, clients: GasClients) -> None:
    with a_workspace(tmp_path) as workspace:
        workspace.add(readings(clients, slice(0, HOURS)), zone=ZONE)

        (report,) = workspace.segment()

    assert "cantidad_gas_calculada_mean" not in report.segmentation.features
    assert "declared" in report.unused["cantidad_gas_calculada_mean"]


@pytest.mark.parametrize(
    ("feature", "wanted"),
    [
        ("Volumen_moda", "ends in no statistic"),
        ("Caudal_mean", "names no signal"),
        ("cantidad_gas_calculada_mean", "declared"),
    ],
)
def test_feature_that_names_nothing_is_refused(
    tmp_path: Path, clients: GasClients, feature: str, wanted: str
) -> None:
    with a_workspace(tmp_path, settings=f"segments: {{features: [{feature}]}}\n") as workspace:
        workspace.add(readings(clients, slice(0, 240)), zone=ZONE)

        with pytest.raises(SettingsError) as caught:
            workspace.segment()

    assert wanted in str(caught.value)


def test_names_of_the_field_are_understood(tmp_path: Path, clients: GasClients) -> None:
    features = "[Volumen_cv, Presion_median, consumo_finde_ratio, volumen_range]"
    with a_workspace(tmp_path, settings=f"segments: {{features: {features}}}\n") as workspace:
        workspace.add(readings(clients, slice(0, HOURS)), zone=ZONE)

        (report,) = workspace.segment()

    first = report.profiles[AssetKey("CLIENTE1", "CLIENTE1")]
    course = clients.courses[0][:HOURS]
    assert first[0] == pytest.approx(course[:, 2].std() / course[:, 2].mean())
    assert first[1] == pytest.approx(np.median(course[:, 0]))
    assert first[3] == pytest.approx(np.ptp(course[:, 2]))


def test_what_is_learnt_ends_where_it_is_told(tmp_path: Path, clients: GasClients) -> None:
    with (
        a_workspace(tmp_path / "a", settings=FACTS) as first,
        a_workspace(tmp_path / "b", settings=FACTS) as second,
    ):
        first.add(readings(clients, slice(0, HOURS)), zone=ZONE)
        changed = readings(clients, slice(0, HOURS + 240))
        changed.values[np.tile(np.arange(HOURS + 240) >= HOURS, 8)] *= 5
        second.add(changed, zone=ZONE)
        cut = clients.time[HOURS].item().replace(tzinfo=UTC)

        (one,), (other,) = first.segment(), second.segment(before=cut)

    assert one.segmentation.digest == other.segmentation.digest


def test_nothing_to_compare_is_said(tmp_path: Path) -> None:
    with a_workspace(tmp_path) as workspace, pytest.raises(NoReadings):
        workspace.segment()


def test_altered_segments_are_refused(tmp_path: Path, clients: GasClients) -> None:
    with a_workspace(tmp_path, settings=FACTS) as workspace:
        workspace.add(readings(clients, slice(0, 240)), zone=ZONE)
        workspace.segment()
        path = workspace.folder / "models" / "segments-gas.json"
        document = json.loads(path.read_text("utf-8"))
        document["center"][0] += 1
        path.write_text(json.dumps(document), "utf-8")

        with pytest.raises(ModelCorrupt):
            workspace.train()
