"""The export `preprocessed`, and that neither it nor a correction touches what is stored and judged."""

import csv
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.cleaning import Cleaning, Imputation, Normalization, OutlierRule, OutlierTreatment
from sereno.domain.corrections import CorrectionKind
from sereno.domain.errors import InvalidCorrection, UnknownAsset, UnknownSignal, UsageError
from sereno.domain.readings import Quality, Readings, Window
from sereno.domain.signals import AssetKey
from sereno.flows.corrections import CorrectionRequest
from sereno.flows.exports import ExportPlan
from sereno.flows.workspace import Workspace
from tests.flows.reading_back import stored_detections, stored_readings, told_incidents
from tests.support.builders import HOUR, NAN, a_roof, a_workspace, readings_of, steps

LIMA = "America/Lima"
CLIENT = AssetKey("CLIENTE1", "CLIENTE1")
DECLARED = "assets:\n  CLIENTE1: {pressure: gauge, volume: line}\n"
GAS_COLUMNS = [
    *("cliente_id", "Fecha", "Presion", "Temperatura", "Volumen", "cantidad_gas_calculada"),
    *("hora_dia", "dia_semana", "dia_mes", "dia_anio", "semana_anio", "mes", "trimestre", "anio"),
    *("es_findesemana", "hora_sin", "hora_cos", "dia_semana_sin", "dia_semana_cos", "mes_sin", "mes_cos"),
    *("Fecha_utc", "particion", "tratamiento"),
]


def _gas(values: object, *, key: AssetKey = CLIENT, rows: object = None, quality: int = 0) -> Readings:
    block = np.array(values, dtype=float)
    place = np.arange(len(block)) if rows is None else np.asarray(rows)
    return Readings(
        profile="gas",
        assets=(key,),
        asset_index=np.zeros(len(block), dtype=np.int32),
        time=steps(int(place.max()) + 1)[place],
        signals=("pressure", "temperature", "volume"),
        values=block,
        quality=np.full(block.shape, quality, dtype=np.int32),
    )


def _calm(rows: int = 40) -> np.ndarray:
    noise = np.random.default_rng(3).normal(size=(rows, 3))
    return np.array([17.0, 20.0, 100.0]) + noise * [0.1, 1.0, 5.0]


def _exported(
    workspace: Workspace, folder: Path, plan: ExportPlan | None = None
) -> tuple[list[dict[str, str]], dict[str, object]]:
    report = workspace.export_preprocessed(folder / "preprocessed.csv", plan)
    with (folder / "preprocessed.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True)), report.to_json()


def _request(signal: str = "Volumen", kind: str = "factor", **changes: object) -> CorrectionRequest:
    start = datetime(2023, 12, 31, 19)  # noqa: DTZ001 - the site's clock, row 0 in Lima
    request = CorrectionRequest(
        "CLIENTE1", signal, CorrectionKind(kind), start, start + 4 * HOUR, 2.0, "Ana", "prueba"
    )
    return replace(request, **changes)  # type: ignore[arg-type]


@pytest.fixture
def client(tmp_path: Path) -> Workspace:
    """A gas client in Lima with forty calm hours, one of them absent and one with a leap in volume."""
    workspace = a_workspace(tmp_path / "w", settings=DECLARED)
    values = _calm()
    values[10, 2] = 900.0
    workspace.add(_gas(np.delete(values, 5, axis=0), rows=np.delete(np.arange(40), 5)), zone=LIMA)
    return workspace


def test_gas_has_the_columns_of_preprocessed(client: Workspace, tmp_path: Path) -> None:
    rows, report = _exported(client, tmp_path)

    assert list(rows[0]) == report["columns"] == GAS_COLUMNS
    assert len(rows) == report["rows"] == 40
    assert rows[0]["cliente_id"] == "CLIENTE1"
    assert (rows[0]["Fecha"], rows[0]["Fecha_utc"]) == ("2023-12-31 19:00:00", "2024-01-01 00:00:00")
    assert (rows[0]["hora_dia"], rows[0]["es_findesemana"], rows[0]["mes"]) == ("19", "1", "12")
    assert float(rows[0]["hora_sin"]) == pytest.approx(np.sin(2 * np.pi * 19 / 24))


def test_amount_of_gas_is_in_mol_with_the_declared_pressure(client: Workspace, tmp_path: Path) -> None:
    rows, report = _exported(client, tmp_path)

    pressure, temperature, volume = (float(rows[0][name]) for name in ("Presion", "Temperatura", "Volumen"))
    amount = (pressure + 1.01325) * 1e5 * volume / (8.314462618 * (temperature + 273.15))
    assert float(rows[0]["cantidad_gas_calculada"]) == pytest.approx(amount, rel=1e-9)
    assert report["problems"] == []


def test_undeclared_pressure_leaves_the_amount_empty_and_says_so(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path / "w")
    workspace.add(_gas(_calm()), zone=LIMA)

    rows, report = _exported(workspace, tmp_path)

    assert {row["cantidad_gas_calculada"] for row in rows} == {""}
    assert {row["Presion"] for row in rows} != {""}
    assert report["problems"][0]["asset"] == "CLIENTE1"
    assert "volume: line|corrected" in report["problems"][0]["message"]


def test_absent_hour_is_an_empty_row_or_an_imputed_one(client: Workspace, tmp_path: Path) -> None:
    raw, _ = _exported(client, tmp_path)
    filled, report = _exported(client, tmp_path, ExportPlan(cleaning=Cleaning(Imputation.INTERPOLATION)))

    assert [raw[5][name] for name in ("Presion", "Volumen", "tratamiento")] == ["", "", ""]
    assert float(filled[5]["Presion"]) == pytest.approx(
        (float(raw[4]["Presion"]) + float(raw[6]["Presion"])) / 2
    )
    assert filled[5]["tratamiento"] == "Presion:imputed;Temperatura:imputed;Volumen:imputed"
    assert report["values"]["volume"]["imputed"] == 1


@pytest.mark.parametrize("rule", [OutlierRule.IQR, OutlierRule.ROBUST_ZSCORE])
def test_outlier_is_clipped_and_marked(client: Workspace, tmp_path: Path, rule: OutlierRule) -> None:
    rows, report = _exported(client, tmp_path, ExportPlan(cleaning=Cleaning(outliers=rule)))

    assert float(rows[10]["Volumen"]) < 200
    assert "Volumen:outlier" in rows[10]["tratamiento"]
    assert report["values"]["volume"]["outlier"] >= 1


def test_outlier_may_be_missing_and_then_imputed(client: Workspace, tmp_path: Path) -> None:
    cleaning = Cleaning(
        Imputation.FFILL, outliers=OutlierRule.ROBUST_ZSCORE, treatment=OutlierTreatment.MISSING
    )

    rows, _ = _exported(client, tmp_path, ExportPlan(cleaning=cleaning))

    assert rows[10]["Volumen"] == rows[9]["Volumen"]
    assert rows[10]["tratamiento"] == "Volumen:outlier+imputed"


def test_rejected_value_is_missing_once_anything_is_cleaned(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path / "w", settings=DECLARED)
    workspace.add(_gas(_calm()), zone=LIMA)
    workspace.add(_gas([[999.0, 20.0, 100.0]], rows=[20], quality=int(Quality.BAD)), zone=LIMA)

    raw, _ = _exported(workspace, tmp_path)
    clean, _ = _exported(workspace, tmp_path, ExportPlan(cleaning=Cleaning(Imputation.FFILL)))

    assert raw[20]["Presion"] == "999.0"
    assert clean[20]["Presion"] == clean[19]["Presion"]
    assert "Presion:rejected+imputed" in clean[20]["tratamiento"]


def test_scale_and_limits_learn_from_training_rows_alone(tmp_path: Path) -> None:
    cleaning = Cleaning(
        Imputation.MEAN, outliers=OutlierRule.IQR, normalization=Normalization.STANDARD, test_size=0.25
    )
    found = []
    for factor in (1.0, 1000.0):
        workspace = a_workspace(tmp_path / f"w{factor}", settings=DECLARED)
        values = _calm()
        values[30:] *= factor
        workspace.add(_gas(values), zone=LIMA)
        found.append(_exported(workspace, tmp_path, ExportPlan(cleaning=cleaning))[0])

    assert [row["particion"] for row in found[0]] == ["train"] * 26 + ["validation"] * 4 + ["test"] * 10
    assert found[0][:30] == found[1][:30]
    scaled = np.array([float(row["Volumen_scaled"]) for row in found[0][:26]])
    assert (scaled.mean(), scaled.std()) == (pytest.approx(0, abs=1e-9), pytest.approx(1))


def test_long_gap_stays_a_gap_unless_it_is_allowed(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path / "w", settings=DECLARED)
    workspace.add(_gas(_calm(), rows=[*range(20), *range(60, 80)]), zone=LIMA)
    usual = Cleaning(Imputation.INTERPOLATION)

    gap, _ = _exported(workspace, tmp_path, ExportPlan(cleaning=usual))
    filled, _ = _exported(workspace, tmp_path, ExportPlan(cleaning=replace(usual, max_gap=timedelta(days=3))))

    assert [row["Volumen"] for row in gap[20:60]] == [""] * 40
    assert all(row["Volumen"] for row in filled)


def test_other_profiles_have_their_own_signals(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path / "w")
    workspace.add(readings_of(a_roof("Nave 1", rows=10), a_roof("Nave 2", rows=12)), zone="Europe/Madrid")

    rows, report = _exported(workspace, tmp_path)

    assert (report["assets"], report["rows"], len(rows)) == (2, 22, 22)
    assert list(rows[0])[:5] == ["cliente_id", "Fecha", "Generacion", "Consumo", "Autoconsumo"]
    assert "cantidad_gas_calculada" not in rows[0]
    assert rows[0]["Fecha"] == "2024-01-01 00:00:00"


def test_open_profile_whose_signals_have_names_of_features_loses_none(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path / "w")
    block = np.arange(20.0).reshape(10, 2)
    readings = Readings(
        "process",
        (AssetKey("L1", "L1"),),
        np.zeros(10, dtype=np.int32),
        steps(10),
        ("mes", "=HYPERLINK()"),
        block,
        np.zeros((10, 2), dtype=np.int32),
    )
    workspace.add(readings, zone="UTC")

    rows, _ = _exported(workspace, tmp_path)

    assert [float(row["mes_"]) for row in rows] == block[:, 0].tolist()
    assert [float(row["'=HYPERLINK()"]) for row in rows] == block[:, 1].tolist()


def test_name_of_an_asset_never_becomes_a_path_or_a_formula(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path / "w")
    names = ("../../etc/passwd", "=cmd|' /C calc'!A0")
    for name in names:
        workspace.add(_gas(_calm(), key=AssetKey(name, name)), zone=LIMA)

    rows, _ = _exported(workspace, tmp_path)

    assert {row["cliente_id"] for row in rows} == {names[0], f"'{names[1]}"}
    assert {path.name for path in tmp_path.iterdir()} == {"w", "preprocessed.csv"}


def test_several_profiles_ask_for_one(client: Workspace, tmp_path: Path) -> None:
    client.add(readings_of(a_roof(rows=10)), zone=LIMA)

    with pytest.raises(UsageError, match="gas, solar"):
        _exported(client, tmp_path)

    assert _exported(client, tmp_path, ExportPlan(profile="solar"))[1]["profile"] == "solar"
    assert _exported(client, tmp_path, ExportPlan(assets=["cliente1"]))[1]["profile"] == "gas"


def test_nothing_to_export_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        a_workspace(tmp_path / "w").export_preprocessed(tmp_path / "x.csv")

    assert not (tmp_path / "x.csv").exists()


def test_unknown_asset_names_the_nearest(client: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnknownAsset, match="CLIENTE1"):
        _exported(client, tmp_path, ExportPlan(assets=["CLIENTE_1"]))


def test_settings_say_what_an_export_does(tmp_path: Path) -> None:
    settings = (
        "exports: {imputation: interpolacion_temporal, outliers: iqr, max_gap: 6h, "
        "normalization: min_max, decimal_comma: true, bom: true}\n"
    )

    plan = a_workspace(tmp_path / "w", settings=settings).export_plan

    assert plan.cleaning == Cleaning(
        Imputation.INTERPOLATION,
        max_gap=6 * HOUR,
        outliers=OutlierRule.IQR,
        normalization=Normalization.MIN_MAX,
    )
    assert plan.table_format.has_bom
    assert plan.table_format.has_decimal_comma


def test_correction_is_exported_on_request_and_marked(client: Workspace, tmp_path: Path) -> None:
    raw, _ = _exported(client, tmp_path)
    view = client.correct(_request())

    same, _ = _exported(client, tmp_path)
    corrected, report = _exported(client, tmp_path, ExportPlan(with_corrections=True))

    assert view.n_values == 4
    assert same == raw
    assert [float(row["Volumen"]) for row in corrected[:4]] == [2 * float(row["Volumen"]) for row in raw[:4]]
    assert [row["tratamiento"] for row in corrected[:5]] == ["Volumen:corrected"] * 4 + [""]
    assert report["values"]["volume"]["corrected"] == 4

    client.undo_correction(view.correction.id[:6], author="Luis", reason="no")

    assert _exported(client, tmp_path, ExportPlan(with_corrections=True))[0] == raw
    assert client.corrections() == []
    assert client.corrections(with_undone=True)[0].correction.undone_by == "Luis"


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"reason": " "}, "author and a reason"),
        ({"author": ""}, "author and a reason"),
        ({"amount": None}, "needs an amount"),
        ({"kind": CorrectionKind.MISSING}, "takes no amount"),
        ({"amount": NAN}, "not a number"),
        ({"amount": 0.0}, "erase"),
        ({"end": datetime(2023, 12, 1)}, "empty"),  # noqa: DTZ001
        ({"start": datetime(2020, 1, 1), "end": datetime(2020, 1, 2)}, "no value from"),  # noqa: DTZ001
        (
            {
                "kind": CorrectionKind.INTERPOLATE,
                "amount": None,
                "start": datetime(2020, 1, 1),  # noqa: DTZ001
            },
            "both sides",
        ),
        ({"kind": CorrectionKind.VALUE, "end": None, "start": datetime(2020, 1, 1)}, "no reading at"),  # noqa: DTZ001
    ],
)
def test_correction_without_sense_changes_nothing(
    client: Workspace, changes: dict[str, object], detail: str
) -> None:
    with pytest.raises(InvalidCorrection, match=detail):
        client.correct(_request(**changes))

    assert client.corrections(with_undone=True) == []


def test_correction_of_a_signal_that_is_not_there_names_those_that_are(client: Workspace) -> None:
    with pytest.raises(UnknownSignal, match="pressure, temperature, volume"):
        client.correct(_request(signal="generation"))


def test_correction_cannot_be_taken_back_twice(client: Workspace) -> None:
    one = client.correct(_request()).correction
    client.undo_correction(one.id, author="Ana")

    with pytest.raises(InvalidCorrection, match="before"):
        client.undo_correction(one.id, author="Ana")


def test_exports_and_corrections_touch_neither_readings_nor_judgement(
    trained_daily: Callable[[str], Workspace], daily_windows: list[Window], tmp_path: Path
) -> None:
    found = []
    for name in ("plain", "treated"):
        workspace = trained_daily(name)
        workspace.add(readings_of(*daily_windows), zone=daily_windows[0].zone)
        if name == "treated":
            _meddle(workspace, tmp_path)
        workspace.score()
        if name == "treated":
            _meddle(workspace, tmp_path)
            workspace.score()
        found.append((stored_readings(workspace), stored_detections(workspace), told_incidents(workspace)))

    assert len(found[0][1]) > 3
    assert found[0] == found[1]


def _meddle(workspace: Workspace, folder: Path) -> None:
    """Correct a stretch, and export with every treatment on."""
    start = datetime(2024, 8, 1)  # noqa: DTZ001 - the site's clock
    workspace.correct(
        CorrectionRequest(
            "Planta 1", "generación", CorrectionKind.FACTOR, start, start + timedelta(days=60), 9.0, "a", "b"
        )
    )
    cleaning = Cleaning(
        Imputation.INTERPOLATION,
        outliers=OutlierRule.IQR,
        treatment=OutlierTreatment.MISSING,
        normalization=Normalization.STANDARD,
    )
    workspace.export_preprocessed(
        folder / "meddled.csv", ExportPlan(cleaning=cleaning, with_corrections=True)
    )
