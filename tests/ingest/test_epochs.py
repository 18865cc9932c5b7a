"""Instants written as seconds or milliseconds since 1970."""

import pytest

from sereno.domain.errors import MissingColumns
from tests.ingest.builders import MADRID, read, write

START = 1_704_067_200  # 2024-01-01 00:00 UTC


@pytest.mark.parametrize("form", ["{}", "{}000", "{}.0", '"{}"'])
def test_epochs_are_utc_whatever_the_zone_of_the_file(tmp_path, form):
    lines = [f"{form.format(START + 600 * i)},{i / 4}" for i in range(48)]
    _, report, batches = read(write(tmp_path, "timestamp,FIT101\n" + "\n".join(lines) + "\n"), MADRID)
    assert report.totals.records_good == 48
    assert str(batches[-1].readings.time[0]) == "2024-01-01T00:00:00.000000"
    assert str(batches[-1].readings.time[-1]) == "2024-01-01T07:50:00.000000"
    assert batches[-1].readings.values[:, 0].tolist() == [i / 4 for i in range(48)]


def test_rows_of_another_kind_among_epochs_are_set_aside(tmp_path):
    lines = [f"{START + 600 * i};{i},5" for i in range(2500)]
    lines[2400] = "12;3,5"
    _, report, _ = read(write(tmp_path, "timestamp;FIT101\n" + "\n".join(lines) + "\n"))
    assert (report.totals.records_good, report.totals.records_quarantined) == (2499, 1)


def test_ten_digits_under_another_name_are_no_instants(tmp_path):
    with pytest.raises(MissingColumns):
        read(write(tmp_path, "contrato,FIT101\n" + "".join(f"{START + i},{i}.5\n" for i in range(5))))


@pytest.mark.parametrize("sign", [",", "."])
def test_days_of_a_spreadsheet_are_local_times_to_the_second(tmp_path, sign):
    """45292 is 2024-01-01."""
    days = [f"{45292 + i / 24:.9f}".rstrip("0").rstrip(".").replace(".", sign) for i in range(48)]
    lines = [f"{t};{i}{sign}25" for i, t in enumerate(days)]
    path = write(tmp_path, "Fecha y hora;Consumo (kWh)\n" + "\n".join(lines) + "\n")
    _, report, batches = read(path, MADRID)
    assert report.totals.records_good == 48
    hours = (batches[-1].readings.time - batches[-1].readings.time[0]).astype("timedelta64[s]").astype(int)
    assert str(batches[-1].readings.time[0]) == "2023-12-31T23:00:00.000000"
    assert hours.tolist() == [3600 * i for i in range(48)]


def test_a_few_serials_among_dates_are_not_read(tmp_path):
    lines = [f"2024-01-{d:02d} 00:00;{d},5" for d in range(1, 29)] + ["45320,5;1,5"]
    _, report, _ = read(write(tmp_path, "Fecha;Consumo (kWh)\n" + "\n".join(lines) + "\n"))
    assert (report.totals.records_good, report.totals.records_quarantined) == (28, 1)
