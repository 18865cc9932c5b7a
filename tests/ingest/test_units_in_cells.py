"""Columns whose every cell repeats its unit, and stamps with the name of a zone behind the offset."""

import pytest

from sereno.ingest import ReadOptions
from tests.ingest.builders import codes, hours, read, write


def stamps(count: int, zone: str = " Los_Angeles") -> list[str]:
    return [f"{h}:00-07:00{zone}" for h in hours(count, start="2021-04-01T00", form="%Y-%m-%dT%H:%M")]


@pytest.mark.parametrize("unit", ["%", "ppm", "°C", "kPa", "L/s", "Δ°C", " kW"])
def test_column_of_cells_with_one_unit_is_numbers_of_that_unit(tmp_path, unit):
    lines = [f"{t},{-3 + i / 8}{unit}" for i, t in enumerate(stamps(30))]
    path = write(tmp_path, "Timestamp,Boiler B-1 Something Odd\n" + "\n".join(lines) + "\n")
    plan, report, batches = read(path)
    assert plan.profile.name == "process"
    assert report.totals.records_good == 30
    assert batches[-1].readings.values[:, 0].tolist() == [-3 + i / 8 for i in range(30)]
    assert report.tables[0].columns[1].unit == unit.strip()
    assert str(batches[-1].readings.time[0]) == "2021-04-01T07:00:00.000000"


def test_unit_of_the_cells_is_converted_to_the_signal(tmp_path):
    lines = [f"{t};{i}00 Wh" for i, t in enumerate(hours(12), start=1)]
    lines[4] = lines[4].replace("500 Wh", "0,5 kWh")
    path = write(tmp_path, "Fecha;Consumo\n" + "\n".join(lines) + "\n")
    _, report, batches = read(path, ReadOptions(timezone="Europe/Madrid", profile="load"))
    assert batches[-1].readings.values[:, 0].tolist() == pytest.approx([i / 10 for i in range(1, 13)])
    assert codes(report).get("quality.converted_text") == 1
    assert "read.ambiguous" not in codes(report)


@pytest.mark.parametrize("zone", ["", " Los_Angeles", "[America/Los_Angeles]", " America/Los_Angeles"])
def test_zone_name_behind_the_offset_changes_nothing(tmp_path, zone):
    lines = [f"{t},{i}.5" for i, t in enumerate(stamps(6, zone))]
    _, report, batches = read(write(tmp_path, "Timestamp,FIT101\n" + "\n".join(lines) + "\n"))
    assert report.totals.records_good == 6
    assert str(batches[-1].readings.time[-1]) == "2021-04-01T12:00:00.000000"


def test_words_behind_a_date_without_offset_are_no_zone(tmp_path):
    lines = [f"{t},{i}.5" for i, t in enumerate(hours(6, form="%Y-%m-%d %H:%M"))]
    lines[3] = lines[3].replace(",", " Revisado,")
    _, report, _ = read(write(tmp_path, "Timestamp,FIT101\n" + "\n".join(lines) + "\n"))
    assert (report.totals.records_good, report.totals.records_quarantined) == (5, 1)
