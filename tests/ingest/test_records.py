"""Records through the same rules as files."""

import dataclasses
import math
from datetime import UTC, datetime

import numpy as np
import pytest

from sereno.domain.errors import MissingColumns, UsageError
from sereno.domain.readings import Quality
from sereno.ingest import plan_record, rows_from_records
from tests.ingest.builders import MADRID, profiles, read, write
from tests.support.work import calls_made

PROFILES = profiles()
RECORD = {
    "Fecha y hora": "15.01.2025",
    "Generación total": 5000.0,
    "Consumo total": 80000.0,
    "Autoconsumo": 5000.0,
    "Energía suministrada a la red": 0.0,
    "Energía obtenida de la red": 75000.0,
    "Empresa": "NEUROCIENCIAS",
}
WH = dict.fromkeys(list(RECORD)[1:6], "Wh")


def test_record_becomes_one_row_in_canonical_units():
    batch = rows_from_records([RECORD], PROFILES, MADRID, units=WH)
    assert [str(a) for a in batch.readings.assets] == ["NEUROCIENCIAS"]
    assert str(batch.readings.time[0]) == "2025-01-14T23:00:00.000000"
    assert batch.readings.values.tolist() == [[5.0, 80.0, 5.0, 0.0, 75.0]]
    assert batch.issues == ()
    assert batch.is_last


def test_record_equals_the_same_line_in_a_file(tmp_path):
    header = ",".join(k if k not in WH else f"{k} (Wh)" for k in RECORD)
    path = write(tmp_path, header + "\n" + ",".join(str(v) for v in RECORD.values()) + "\n")
    _, _, batches = read(path)
    alone = rows_from_records([RECORD], PROFILES, MADRID, units=WH).readings
    assert batches[-1].readings.values.tolist() == alone.values.tolist()
    assert batches[-1].readings.time.tolist() == alone.time.tolist()
    assert batches[-1].readings.assets == alone.assets


def test_texts_are_read_by_the_rules_of_files():
    record = {**RECORD, "Generación total": "1.234,5", "Consumo total": "12,5 kWh", "Autoconsumo": "N/D"}
    batch = rows_from_records([record], PROFILES, MADRID, units=WH)
    assert batch.readings.values[0, 0] == pytest.approx(1.2345)
    assert batch.readings.values[0, 1] == pytest.approx(12.5)
    assert math.isnan(batch.readings.values[0, 2])
    assert batch.readings.quality[0, :3].tolist() == [Quality.CONVERTED, Quality.CONVERTED, Quality.MISSING]


def test_number_that_fits_two_readings_is_missing_until_a_setting_decides():
    record = {**RECORD, "Consumo total": "80.000"}
    batch = rows_from_records([record], PROFILES, MADRID, units=WH)
    assert math.isnan(batch.readings.values[0, 1])
    assert "read.ambiguous" in {i.code for i in batch.issues}
    decided = rows_from_records([record], PROFILES, dataclasses.replace(MADRID, decimal=","), units=WH)
    assert decided.readings.values[0, 1] == 80.0


def test_date_that_fits_two_readings_is_set_aside_until_a_setting_decides():
    record = {**RECORD, "Fecha y hora": "03/04/2025 10:00"}
    batch = rows_from_records([record], PROFILES, MADRID, units=WH)
    assert len(batch.readings) == 0
    assert [q.reason for q in batch.quarantine] == ["quality.ambiguous_date"]
    decided = rows_from_records([record], PROFILES, dataclasses.replace(MADRID, date_order="dmy"), units=WH)
    assert str(decided.readings.time[0]) == "2025-04-03T08:00:00.000000"


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan, 1e308, None, "inf", [1]])
def test_impossible_values_are_missing(bad):
    batch = rows_from_records([{**RECORD, "Consumo total": bad}], PROFILES, MADRID, units=WH)
    assert math.isnan(batch.readings.values[0, 1])
    assert batch.totals.cells_missing == 1


@pytest.mark.parametrize("bad", ["", None, "mañana", "31.02.2025"])
def test_record_without_a_readable_date_is_set_aside(bad):
    batch = rows_from_records([RECORD, {**RECORD, "Fecha y hora": bad}], PROFILES, MADRID, units=WH)
    assert (len(batch.readings), [q.line for q in batch.quarantine]) == (1, [2])


def test_instants_may_come_as_objects():
    moment = datetime(2025, 1, 15, 12, tzinfo=UTC)
    for value in (
        moment,
        np.datetime64("2025-01-15T13:00"),
        "2025-01-15T12:00:00Z",
        datetime.fromisoformat("2025-01-15T13:00"),
    ):
        batch = rows_from_records([{**RECORD, "Fecha y hora": value}], PROFILES, MADRID, units=WH)
        assert str(batch.readings.time[0]) == "2025-01-15T12:00:00.000000"


def test_duplicates_and_the_repeated_hour_follow_the_rules_of_files():
    again = {**RECORD, "Consumo total": 999e6}
    batch = rows_from_records([again, RECORD, RECORD], PROFILES, MADRID, units=WH)
    assert (len(batch.readings), batch.readings.values[0, 1]) == (1, 80.0)
    assert (batch.totals.duplicates_identical, batch.totals.duplicates_conflicting) == (1, 1)
    twice = {**RECORD, "Fecha y hora": "26.10.2025 02:00"}
    hours = rows_from_records([twice, twice], PROFILES, MADRID, units=WH).readings.time
    assert [str(t)[11:16] for t in hours] == ["00:00", "01:00"]


def test_records_may_differ_in_their_keys():
    short = {"Fecha y hora": "16.01.2025", "Consumo total (Wh)": 1000.0, "Empresa": "A"}
    batch = rows_from_records([RECORD, short], PROFILES, MADRID, profile="solar", units=WH)
    assert len(batch.readings.signals) == 5
    row = batch.readings.of_asset(1)
    assert row.values[0, 1] == 1.0
    assert math.isnan(row.values[0, 0])


def test_record_is_not_changed_and_strange_ones_are_refused():
    before = dict(RECORD)
    rows_from_records([RECORD], PROFILES, MADRID, units=WH)
    assert before == RECORD
    with pytest.raises(MissingColumns):
        rows_from_records([{"a": 1, "b": 2}], PROFILES, MADRID)
    with pytest.raises(UsageError):
        rows_from_records([], PROFILES, MADRID)
    with pytest.raises(UsageError):
        plan_record(RECORD, PROFILES, profile="lunar")


def test_cost_of_records_is_that_of_their_rows():
    hundred = [{**RECORD, "Empresa": f"E{i}"} for i in range(100)]
    calls = []
    for records in ([RECORD], hundred):
        rows_from_records(records, PROFILES, MADRID, units=WH)
        calls.append(
            calls_made(lambda records=records: rows_from_records(records, PROFILES, MADRID, units=WH))
        )
    assert calls[0] < 500
    assert calls[1] < 100 * calls[0]


COUNTED = {
    "seconds": ("1735689600", "2025-01-01T00:00:00"),
    "milliseconds": ("1735689600500", "2025-01-01T00:00:00.500"),
    "seconds as a number": (1735689600, "2025-01-01T00:00:00"),
    "days of a spreadsheet": ("45658.5", "2025-01-01T11:00:00"),
    "days with a comma": ("45658,25", "2025-01-01T05:00:00"),
    "days as a number": (45658.5, "2025-01-01T11:00:00"),
}


@pytest.mark.parametrize(("stamp", "expected"), COUNTED.values(), ids=list(COUNTED))
def test_instants_that_are_counts_are_read_as_in_files(stamp, expected):
    batch = rows_from_records([{**RECORD, "Fecha y hora": stamp}], PROFILES, MADRID, units=WH)
    assert batch.readings.time[0] == np.datetime64(expected, "us")


def hour_record(day, hour):
    return {"Fecha": day, "Hora": hour, **{k: v for k, v in RECORD.items() if k != "Fecha y hora"}}


@pytest.mark.parametrize(
    ("day", "hour", "expected"),
    [
        ("26/10/2025", "24", "2025-10-26T22:00"),
        ("26/10/2025", "0", "2025-10-25T22:00"),
        ("26/10/2025", "25", "2025-10-26T22:00"),
        ("26/10/2025", 25, "2025-10-26T22:00"),
        ("26/10/2025", "H25", "2025-10-26T22:00"),
        ("2025-06-15", "24", "2025-06-15T21:00"),
    ],
)
def test_numbered_hours_of_records_are_read_as_in_files(day, hour, expected):
    batch = rows_from_records([hour_record(day, hour)], PROFILES, MADRID, units=WH)
    assert batch.readings.time[0] == np.datetime64(expected, "us")


def test_an_hour_that_fits_two_readings_is_set_aside_until_the_caller_says():
    records = [hour_record("26/06/2025", "5")]
    assert (
        rows_from_records(records, PROFILES, MADRID, units=WH).quarantine[0].reason
        == "quality.ambiguous_date"
    )
    for stamp, hour in (("start", 3), ("end", 2)):
        options = dataclasses.replace(MADRID, stamp=stamp)
        batch = rows_from_records(records, PROFILES, options, units=WH)
        assert batch.readings.time[0] == np.datetime64(f"2025-06-26T{hour:02d}:00", "us")
