"""A record that is not stored is judged exactly as it would be in its place."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.calendar import local_time
from sereno.domain.errors import DataError, InvalidRecord
from sereno.domain.readings import Window
from sereno.domain.time import from_numpy
from sereno.flows.workspace import Workspace
from tests.flows.conftest import TRAINED_ROWS
from tests.support.builders import MADRID, a_roof, a_workspace, write_solar_csv

COLUMNS = ("Generación total", "Consumo total", "Autoconsumo", "Energía suministrada", "Energía obtenida")
UNITS = dict.fromkeys(COLUMNS, "kWh")


def _record(window: Window, row: int) -> dict[str, object]:
    day = from_numpy(local_time(window.time[row : row + 1], window.zone)[0])
    return {
        "Fecha": f"{day:%d.%m.%Y}",
        **dict(zip(COLUMNS, window.values[row].tolist(), strict=True)),
        "Empresa": window.asset.site,
    }


def _stored_peaks(workspace: Workspace, site: str) -> dict[object, float]:
    with workspace.store.read() as tx:
        return {
            one.detection.peak_at: one.detection.score
            for asset in tx.assets()
            if asset.key.site == site
            for one in tx.detections(asset.id)
            if one.detection.check == "behaviour"
        }


def test_past_record_scores_as_it_did_in_its_place(
    judged_daily: Workspace, daily_windows: list[Window]
) -> None:
    peaks = _stored_peaks(judged_daily, "Planta 3")
    rows = {from_numpy(instant): row for row, instant in enumerate(daily_windows[2].time)}

    for instant, score in peaks.items():
        judged = judged_daily.score_records([_record(daily_windows[2], rows[instant])], units=UNITS)

        assert judged[0].time == instant
        assert judged[0].is_abnormal
        assert judged[0].score == score


def test_past_record_scores_the_same_in_a_new_process(
    judged_daily: Workspace, daily_windows: list[Window]
) -> None:
    records = [_record(daily_windows[1], row) for row in (205, 225, 341)]
    expected = [row.score for record in records for row in judged_daily.score_records([record], units=UNITS)]
    program = (
        "import json, sys\n"
        "from sereno.flows.workspace import Workspace\n"
        "records, units = json.loads(sys.argv[2])\n"
        "workspace = Workspace.open(sys.argv[1])\n"
        "rows = [workspace.score_records([one], units=units)[0].score.hex() for one in records]\n"
        "print(json.dumps(rows))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(judged_daily.folder), json.dumps([records, UNITS])],
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": "src"},
        check=True,
        capture_output=True,
        text=True,
    )

    assert [float.fromhex(text) for text in json.loads(done.stdout)] == expected


def test_stored_records_get_the_verdicts_of_their_place(
    trained_daily: Callable[[str], Workspace], judged_daily: Workspace, daily_windows: list[Window]
) -> None:
    rows = [row for row in range(TRAINED_ROWS, 290) if not np.isnan(daily_windows[2].values[row]).any()]
    records = [_record(daily_windows[2], row) for row in rows]
    expected = [judged_daily.score_records([record], units=UNITS)[0] for record in records]
    workspace = trained_daily("arriving")

    judged = [
        row
        for i in range(0, len(records), 7)
        for row in workspace.add_records(records[i : i + 7], units=UNITS)
    ]

    assert [row.score for row in judged if row] == [row.score for row in expected]
    assert [row.is_abnormal for row in judged if row] == [row.is_abnormal for row in expected]
    assert len(judged) == len(records)
    assert any(row.is_abnormal for row in expected)


def test_records_that_are_stored_already_change_nothing_and_are_judged_all_the_same(
    trained_daily: Callable[[str], Workspace], daily_windows: list[Window]
) -> None:
    workspace = trained_daily("again")
    records = [_record(daily_windows[2], row) for row in range(TRAINED_ROWS, TRAINED_ROWS + 60)]
    first = workspace.add_records(records, units=UNITS)
    with workspace.store.read() as tx:
        n_rows = tx.n_rows()
    fresh = _record(daily_windows[2], TRAINED_ROWS + 60)

    again = workspace.add_records([*records[40:], {**records[0], "Fecha": "ayer"}, fresh], units=UNITS)

    assert [row.score for row in again[:20] if row] == [row.score for row in first[40:] if row]
    assert again[20] is None
    assert again[21] is not None
    with workspace.store.read() as tx:
        assert tx.n_rows() == n_rows + 1


def test_records_together_score_as_one_by_one(judged_daily: Workspace, daily_windows: list[Window]) -> None:
    records = [_record(daily_windows[2], row) for row in range(270, 290)]

    together = judged_daily.score_records(records, units=UNITS)

    alone = [judged_daily.score_records([record], units=UNITS)[0] for record in records]
    assert [row.score for row in together] == [row.score for row in alone]
    assert any(row.is_abnormal for row in together)


def test_records_are_answered_in_their_order(judged_daily: Workspace, daily_windows: list[Window]) -> None:
    records = [_record(daily_windows[i], row) for i, row in ((1, 300), (0, 200), (1, 210), (2, 205))]

    judged = judged_daily.score_records(records, units=UNITS)

    assert [row.asset.site for row in judged] == ["Planta 2", "Planta 1", "Planta 2", "Planta 3"]


def test_judging_records_stores_nothing_and_leaves_them_untouched(
    judged_daily: Workspace, daily_windows: list[Window]
) -> None:
    record = _record(daily_windows[0], 240)
    before = dict(record), judged_daily.last_reading_at(), len(judged_daily.incidents())

    judged_daily.score_records([record], units=UNITS)

    assert (record, judged_daily.last_reading_at(), len(judged_daily.incidents())) == before


def test_dead_record_explains_itself(judged_daily: Workspace, daily_windows: list[Window]) -> None:
    judged = judged_daily.score_records([_record(daily_windows[0], 240)], units=UNITS)[0]

    assert judged.detection is not None
    assert judged.detection.signals[0] == "generation"
    assert judged.detection.expected > judged.detection.observed == 0
    assert judged.score >= judged.threshold


def test_unknown_asset_is_judged_from_the_fleet(judged_daily: Workspace) -> None:
    stranger = a_roof("Desconocida", rows=3, size=20.0)

    judged = judged_daily.score_records([_record(stranger, 1)], units=UNITS)

    assert judged[0].score == judged[0].score
    assert judged[0].threshold > 0


def test_broken_balance_of_a_record_is_physics(judged_daily: Workspace, daily_windows: list[Window]) -> None:
    record = {**_record(daily_windows[2], 210), "Consumo total": 1.0}

    judged = judged_daily.score_records([record], units=UNITS)[0]

    assert judged.is_abnormal
    assert judged.detection is not None
    assert judged.detection.check == "physics.consumption_balance"


def test_decimal_comma_is_read(judged_daily: Workspace, daily_windows: list[Window]) -> None:
    record = _record(daily_windows[2], 210)
    text = {name: str(record[name]).replace(".", ",") if name in COLUMNS else record[name] for name in record}

    told, plain = (judged_daily.score_records([one], units=UNITS)[0] for one in (text, record))

    assert told.score == plain.score


@pytest.mark.parametrize(
    "record",
    [
        {"Generación total": 1.0, "Consumo total": 2.0},
        {"Fecha": "15.01.2025"},
        {"Fecha": "ayer", "Generación total": 1.0},
        {},
    ],
    ids=["no date", "no value", "no date that is one", "nothing"],
)
def test_record_without_what_judging_needs_is_refused(
    judged_daily: Workspace, record: dict[str, object]
) -> None:
    with pytest.raises((InvalidRecord, DataError)):
        judged_daily.score_records([record])


def test_records_without_a_model_are_judged_for_data_and_physics(tmp_path: Path) -> None:
    roof = a_roof(rows=3)
    workspace = a_workspace(tmp_path)

    calm, broken = workspace.score_records(
        [_record(roof, 0), {**_record(roof, 1), "Consumo total": 1.0}], units=UNITS
    )

    assert not calm.is_abnormal
    assert broken.is_abnormal


def test_file_is_judged_without_being_stored(
    judged_daily: Workspace, daily_windows: list[Window], tmp_path: Path
) -> None:
    file = write_solar_csv(tmp_path / "in", daily_windows[2].rows(250, 285))
    end = judged_daily.last_reading_at()

    judged = judged_daily.score_file(file, timezone=MADRID)

    assert len(judged) == 35
    assert any(row.is_abnormal for row in judged)
    assert judged_daily.last_reading_at() == end


def test_record_of_text_alone_is_refused(judged_daily: Workspace) -> None:
    with pytest.raises(InvalidRecord):
        judged_daily.score_records([{"Fecha": "15.01.2025", "Generación total": "mucho"}])


def test_records_of_the_future_are_neither_judged_nor_stored(
    judged_daily: Workspace, daily_windows: list[Window]
) -> None:
    record = _record(daily_windows[0], 240)
    late = record | {"Fecha": f"{judged_daily.now() + timedelta(days=3):%d.%m.%Y}"}

    (nothing,) = judged_daily.add_records([late], units=UNITS)

    assert nothing is None
    with pytest.raises(InvalidRecord, match=r"quality\.future"):
        judged_daily.score_records([record, late], units=UNITS)
